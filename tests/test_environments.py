"""The student versions, solved, run to their end with other versions than the ones in `.venv`.

They are Colab's, the oldest ones that the package allows, and today's with later Pythons, if PATH
has them (`uv python install 3.12 3.13` puts them there). The environments are built in
`.environments/` (6 GB each, some minutes) and kept; ENVIRONMENTS names another folder. Colab's own
package is a stub (`tests/environments/google_stub`). Training runs take a tenth of their steps
(GRADIENT_CHECK_SHORT); in full they run in tests/test_whole_notebooks.py.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder.authoring import wheel
from autograder.notebook.manners import SHORT
from tests import submissions
from tests.test_notebooks import ASSIGNMENTS

HERE = Path(__file__).parent / "environments"
PLACE = Path(os.environ.get("ENVIRONMENTS") or submissions.ROOT / ".environments")
SHORTER = {"a4_facial_expression": "2"}  # its net has to reach a level, or it is to look at
COLAB = {"COLAB_RELEASE_TAG": "a release", "PYTHONPATH": str(HERE / "google_stub")}


def on_path(name):
    """Return where a Python is; a launcher that has no such version to start is none."""
    found = shutil.which(name)
    if found and subprocess.run([found, "--version"], capture_output=True).returncode == 0:
        return found
    return None


VERSIONS = {  # by name of the environment: the file of its versions, and its Python
    "colab": ("colab.txt", sys.executable),
    "oldest": ("oldest.txt", sys.executable),
    "python3.12": ("newest.txt", on_path("python3.12")),
    "python3.13": ("newest.txt", on_path("python3.13")),
}


@pytest.fixture(scope="session", params=VERSIONS)
def environment(request):
    """Return the name of an environment and its Python, built anew if its versions have changed."""
    file, base = VERSIONS[request.param]
    if base is None:
        pytest.skip(f"PATH has no {request.param}")
    pins, folder = HERE / file, PLACE / request.param
    built, python = folder / pins.name, folder / "bin" / "python"
    if not built.is_file() or built.read_text() != pins.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([base, "-m", "venv", folder], check=True)
        command = [python, "-m", "pip", "install", "--quiet", "--requirement", pins]
        subprocess.run(command, check=True)
        shutil.copyfile(pins, built)
    return request.param, python


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """Return the wheel of the course."""
    return wheel.build(submissions.ROOT / "source", tmp_path_factory.mktemp("dist"))[0]


@pytest.mark.slow
@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_solved_notebook_runs_to_its_end(assignment, environment, package, tmp_path):
    name, python = environment
    shutil.copyfile(package, tmp_path / "gradient_check-0.2.0 (1).whl")
    notebook = submissions.in_release(assignment, submissions.source_notebook(assignment))
    path = tmp_path / f"{assignment}.ipynb"
    nbformat.write(notebook, path)
    done = subprocess.run(
        [python, HERE / "run.py", path], capture_output=True, text=True, check=True,
        env={
            **os.environ, "COLAB_NOTEBOOK": str(path), "OMP_NUM_THREADS": "2",
            SHORT: SHORTER.get(assignment, "10"),
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            **(COLAB if name == "colab" else {}),
        },
    )  # fmt: skip
    assert done.stdout == ""  # no cell raised
    said = path.read_text()
    assert f"{assignment}: everything is there" in said
    assert (tmp_path / f"{assignment}.zip").is_file()
