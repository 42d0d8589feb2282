"""What a student installs, and the files that must say the same thing."""

import re
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain

import pytest

from autograder.authoring.wheel import build, contents
from autograder.sandbox import package
from tests import worked_example
from tests.submissions import ROOT, source_notebook
from tests.test_notebooks import ASSIGNMENTS, answers

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA_NAMES = {
    "torch": "pytorch", "matplotlib": "matplotlib-base", "build": "python-build",
    "playwright": "playwright-python", "PyYAML": "pyyaml",
}  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from the clone, as pip does, without the network."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = out.glob("gradient_check-*.whl")
    return path


def files_in(wheel) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info" not in name}


def test_the_package_is_folders_and_nothing_else(wheel):
    folders = (
        "autograder/notebook",
        "autograder/sandbox",
        "autograder/assignments",
        "autograder/authoring",
        "autograder/commands",
        "autograder/grading",
        "autograder/lms",
        "autograder/marking",
        "autograder/reports",
        "data_scripts",
    )
    tracked = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(tracked, cwd=ROOT, capture_output=True, text=True).stdout.split()
    expected = {n for n in listed if n.startswith(tuple(f"{folder}/" for folder in folders))}
    expected |= {n for n in listed if re.fullmatch(r"autograder/\w+\.py", n)}
    rooms = [n for n in listed if re.fullmatch(r"source/\w+/(lesson/.+|public\.safetensors)", n)]
    expected |= {n.replace("source", "autograder/assignments", 1) for n in rooms}
    expected = {name for name in expected if (ROOT / name).exists() or "assignments/a" in name}
    assert files_in(wheel) == expected
    assert len(rooms) > len(ASSIGNMENTS)


def test_the_sandbox_shows_what_is_in_the_wheel_but_for_what_an_instructor_uses(wheel):
    held, shown = files_in(wheel), set(package.contents())
    assert set(package.distributed()) == held and shown < held
    rooms = {name.split("/")[1] for name in held - shown}
    assert rooms == {"grading", "authoring", "commands", "lms", "marking", "reports"}


def test_the_wheel_of_a_course_has_what_a_new_course_is_made_from_too(wheel, tmp_path):
    built, _ = build(ROOT / "source", tmp_path)
    project = {f"autograder/authoring/project/{name}" for name in
               ("pyproject.toml", "README.md", "LICENSE", "nbgrader_config.py",
                "constraints.txt")}  # fmt: skip
    assert files_in(built) == files_in(wheel) | project


def test_a_stray_file_of_a_room_is_not_in_the_package_of_its_course(tmp_path):
    folder = worked_example.install(tmp_path)
    (folder / "public.safetensors").write_bytes(b"public")
    strays = ("notes.txt", "references.safetensors", "artifacts/net.pt", "submissions/kim.py",
              "tests/test_it.py", "lesson/__pycache__/plots.pyc", "lesson/.hidden")  # fmt: skip
    for name in (*strays, "lesson/plots.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    built = files_in(build(tmp_path / "source", tmp_path / "dist")[0])
    ours = f"autograder/assignments/{worked_example.NAME}"
    own = {name for name in built if re.match(r"autograder/assignments/a\d", name)}
    assert own == {f"{ours}/public.safetensors", f"{ours}/lesson/plots.py"}
    assert built == set(contents(tmp_path / "source"))


def test_no_answer_is_in_what_a_student_installs(wheel):
    lines = [line for name in ASSIGNMENTS for line in answers(source_notebook(name))]
    # `if y is None:`, `self.features = nn.Sequential(` and an import are no answers
    lines = [line for line in lines if len(line) > 20 and not line.endswith("(")]
    lines = [line for line in lines if not line.startswith(("import ", "from "))]
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
        "sys.modules['nbgrader'] = None  # as if it were not there\n"
        "from autograder.cli import main; sys.exit(main(['release']))"
    )
    command = [sys.executable, "-I", "-W", "ignore", "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "0 of 6 cases passed" in done.stdout, done.stderr
    assert done.stderr == (
        "autograder: what an instructor needs is not installed: "
        "`pip install 'gradient-check[instructor]'`.\n"
    )
    assert done.returncode == 1


def requirements(*by_choice: str) -> dict[str, str]:
    """Return the bounds of pyproject.toml by name, without extras that one adds by choice."""
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    chosen = (extras[name] for name in ("instructor", "dev", *by_choice))
    every = chain(project["dependencies"], *chosen)
    return dict(re.fullmatch(r"([\w-]+)>=([\w.,<]+)", line).groups() for line in every)


def test_environment_yml_is_in_step_with_pyproject():
    text = (ROOT / "environment.yml").read_text()
    conda = dict(re.findall(r"^ +- ([\w-]+) >=([\w.,<]+)$", text, re.MULTILINE))
    python = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    wanted = {CONDA_NAMES.get(name, name): version for name, version in requirements().items()}
    assert conda == wanted | {"python": python}


def test_constraints_pin_every_requirement_within_its_range():
    lines = (ROOT / "constraints.txt").read_text().replace("_", "-").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))

    def number(version):
        return tuple(int(part) for part in re.findall(r"\d+", version))

    for name, range_ in requirements("docs", "timm").items():
        lowest, _, beyond = range_.partition(",<")
        assert number(pins[name]) >= number(lowest), name
        assert not beyond or number(pins[name]) < number(beyond), name


def test_the_version_is_stated_in_one_place_for_all(wheel):
    import autograder

    project, hatch = PYPROJECT["project"], PYPROJECT["tool"]["hatch"]["version"]
    assert "version" not in project and project["dynamic"] == ["version"]
    assert hatch == {"path": "autograder/__init__.py"}
    assert wheel.name.split("-")[1] == autograder.__version__
    stated = re.compile(rf"version[\W_]{{1,7}}{re.escape(autograder.__version__)}\b", re.IGNORECASE)
    files = [*ROOT.glob("*.toml"), *ROOT.glob("*.yml"), *ROOT.glob("autograder/**/*.py")]
    assert [file.name for file in files if stated.search(file.read_text())] == ["__init__.py"]
