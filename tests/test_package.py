"""What a student installs, and the files that must say the same thing."""

import re
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain

import pytest

from tests.submissions import ROOT, source_notebook
from tests.test_notebooks import ASSIGNMENTS, answers

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA_NAMES = {
    "torch": "pytorch", "matplotlib": "matplotlib-base", "build": "python-build",
    "playwright": "playwright-python", "jupyter-client": "jupyter_client",
}  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel as `make wheel` does, without the network."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = out.glob("autograder-*.whl")
    return path


def test_a_student_installs_only_the_student_s_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info" not in name}
    modules = {"__init__", "by_hand", "cases", "check", "cli"}
    modules |= {"evidence", "given", "handed_in", "judge", "measure", "table"}
    rooms = (ROOT / "autograder").glob("kernels/*.py"), (ROOT / "autograder").glob("plots/*.py")
    modules |= {f"{path.parent.name}/{path.stem}" for path in chain(*rooms)}
    public = {f"autograder/public/{name}.safetensors" for name in ASSIGNMENTS}
    drawn = (p for p in (ROOT / "data_scripts").rglob("*") if p.suffix in {".py", ".safetensors"})
    data = {str(path.relative_to(ROOT)) for path in drawn}
    assert files == {f"autograder/{name}.py" for name in modules} | public | data


def test_no_answer_is_in_what_a_student_installs(wheel):
    lines = [line for name in ASSIGNMENTS for line in answers(source_notebook(name))]
    lines = [line for line in lines if len(line) > 20]  # `if y is None:` is no answer
    assert len(lines) > 40
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            text = archive.read(name).decode("utf-8", errors="ignore")
            assert [line for line in lines if line in text] == [], name


def test_the_student_s_package_works_alone(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import sys; sys.path.insert(0, 'site'); import autograder, torch\n"
        "assert autograder.__file__.startswith(sys.argv[1]), autograder.__file__\n"
        "from autograder import Checker, plots; from data_scripts import toy\n"
        "Checker('a1_two_layer_net').public('forward_scores', lambda params, X: None)\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'nbgrader', 'nbclient', 'nbconvert', 'rich', 'sklearn'}, loaded\n"
        "from autograder.cli import main; sys.exit(main(['release']))"
    )
    command = [sys.executable, "-I", "-W", "ignore", "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "0 of 6 cases passed" in done.stdout, done.stderr
    assert done.stderr.startswith("autograder: this is the student's package"), done.stderr
    assert done.returncode == 1


def requirements() -> dict[str, str]:
    """Return the lower bounds of pyproject.toml by name, but for what is only wanted by choice."""
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    every = chain(project["dependencies"], extras["instructor"], extras["dev"])
    return dict(re.fullmatch(r"([\w-]+)>=([\w.]+)", line).groups() for line in every)


def test_environment_yml_is_in_step_with_pyproject():
    text = (ROOT / "environment.yml").read_text()
    conda = dict(re.findall(r"^  - ([\w-]+) >=([\w.]+)$", text, re.MULTILINE))
    python = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    wanted = {CONDA_NAMES.get(name, name): version for name, version in requirements().items()}
    assert conda == wanted | {"python": python}


def test_constraints_pin_every_requirement_within_its_range():
    lines = (ROOT / "constraints.txt").read_text().replace("_", "-").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))

    def number(version):
        return tuple(int(part) for part in re.findall(r"\d+", version))

    for name, lowest in requirements().items():
        assert number(pins[name]) >= number(lowest), name


def test_the_version_is_stated_once_for_all():
    import autograder

    assert autograder.__version__ == PYPROJECT["project"]["version"]
    assert f"## [{autograder.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
