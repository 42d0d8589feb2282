"""The zip for Gradescope: what is in it, what its scripts do, and when it is not written."""

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import zipfile

import nbformat
import pytest

from autograder.authoring import gradescope, wheel
from autograder.cli import main
from autograder.grading.course import CourseError, open_course, quiet
from tests import worked_example
from tests.fixtures import A1
from tests.submissions import ROOT

NAME = worked_example.NAME
SCRIPTS = ("setup.sh", "run_autograder")


@pytest.fixture(scope="module")
def zipped(released_example, tmp_path_factory):
    path = tmp_path_factory.mktemp("zip") / "new" / "autograder.zip"
    gradescope.write(open_course(released_example).assignment(NAME), path)
    return path


def text(path, name):
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


def test_it_holds_one_assignment_and_the_scripts_at_the_top(zipped):
    with zipfile.ZipFile(zipped) as archive:
        names = set(archive.namelist())
        modes = {one.filename: one.external_attr >> 16 for one in archive.infolist()}
    top = {name for name in names if "/" not in name}
    (built,) = (name for name in top if name.endswith(".whl"))
    assert top == {*SCRIPTS, "constraints.txt", built}
    assert all(modes[name] & 0o111 == 0o111 for name in SCRIPTS)
    source = f"course/source/{NAME}"
    assert {f"{source}/{NAME}.ipynb", f"{source}/references.safetensors",
            f"course/assignments/{NAME}/{NAME}.ipynb", "course/gradebook.db",
            "course/nbgrader_config.py"} <= names  # fmt: skip
    assert not [name for name in names if "__pycache__" in name or "/submissions/" in name]
    assert stat.S_IMODE(zipped.stat().st_mode) == 0o600  # it holds the answers


@pytest.mark.slow
def test_no_student_is_in_it(example, tmp_path):
    with quiet(), example.course.gradebook() as gradebook:
        gradebook.add_student("anna")
        gradebook.add_submission(NAME, "anna")
    (example.course.root / "submitted" / "anna" / NAME).mkdir(parents=True)
    gradescope.write(example, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extract("course/gradebook.db", tmp_path)
        assert not [name for name in archive.namelist() if "anna" in name]
    with sqlite3.connect(tmp_path / "course/gradebook.db") as database:
        counts = [database.execute(f"select count(*) from {table}").fetchone()[0]
                  for table in ("student", "submitted_assignment", "assignment")]  # fmt: skip
    assert counts == [0, 0, 1]


def test_its_package_is_that_of_this_assignment_and_has_no_answer(zipped, tmp_path):
    with zipfile.ZipFile(zipped) as archive:
        (built,) = (name for name in archive.namelist() if name.endswith(".whl"))
        archive.extract(built, tmp_path)
    with zipfile.ZipFile(tmp_path / built) as archive:
        names = archive.namelist()
    own = {name.split("/")[2] for name in names if re.match(r"autograder/assignments/\w+/", name)}
    assert own == {NAME} and not [name for name in names if "references" in name]
    assert "autograder/lms/gradescope.py" in names and "autograder/sandbox/other_user.py" in names


def test_the_pins_are_those_of_the_project_wherever_the_engine_lies(zipped):
    assert text(zipped, "constraints.txt") == (ROOT / "constraints.txt").read_text()
    assert f"{wheel.PROJECT}/constraints.txt" in wheel.contents(ROOT / "source")


def test_the_course_in_it_opens_with_folders_of_its_own(example, tmp_path):
    config = example.course.root / "nbgrader_config.py"
    config.write_text(
        config.read_text()
        + 'c.CourseDirectory.db_url = "postgresql://nowhere/grades"\nc.Limits.seconds = 99\n'
        f'c.CourseDirectory.submitted_directory = "in"\nc.Late.due = {{"{NAME}": "x"}}\n'
    )
    staged = tmp_path / "staged"
    shutil.copytree(example.course.root / "source", staged / "source")
    (staged / "nbgrader_config.py").write_text(config.read_text() + gradescope.SETTINGS)
    course = open_course(staged)
    assert course.coursedir.db_url == f"sqlite:///{staged.resolve()}/gradebook.db"
    assert course.assignment(NAME).submitted("x") == staged.resolve() / "submitted/x" / NAME
    assert (course.config.Limits.seconds, course.config.Limits.memory) == (99, 2**30)
    assert course.config.Late.due == {} and course.config.Execute.sandbox is True


def test_a_student_version_that_differs_is_said_and_nothing_is_written(example, tmp_path):
    path = example.release / f"{NAME}.ipynb"
    released = nbformat.read(path, 4)
    released.cells[0].source += " More."
    path.chmod(0o644)
    nbformat.write(released, path)
    with pytest.raises(CourseError, match=rf"^source/{NAME}/{NAME}\.ipynb differs from .* release"):
        gradescope.write(example, tmp_path / "a.zip")
    assert not list(tmp_path.glob("*.zip*")) and not list(tmp_path.glob(".*.part"))


@pytest.mark.slow
def test_a_place_that_cannot_be_written_is_said(example, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CourseError, match=r"file/a\.zip: .*; name another file with --output"):
        gradescope.write(example, tmp_path / "file" / "a.zip")


@pytest.mark.slow
def test_without_a_release_there_is_no_zip(linked_course, said):
    assert said("gradescope", A1).startswith(f"autograder: {A1}: the gradebook does not know this")
    assert said("gradescope", "a1_two_layer").endswith(f"did you mean {A1}?\n")


@pytest.mark.slow
def test_the_command_says_what_to_type_into_gradescope(example, capsys, monkeypatch):
    monkeypatch.chdir(example.course.root)
    assert main(["gradescope", NAME]) == 0
    path = example.course.root / "dist" / f"{NAME}-gradescope.zip"
    wrote, points, *answers = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"wrote {path}, \d\.\d MB; it holds the answers", wrote)
    assert re.fullmatch(r"Autograder Points: \d+; students see their results: visible", points)
    assert all(line.startswith("a question to mark by hand: ") for line in answers)


# The scripts


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_scripts_are_bash(name):
    script = gradescope.IMAGE / name
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    if shutil.which("shellcheck"):
        done = subprocess.run(["shellcheck", script], capture_output=True, text=True)
        assert done.stdout == ""


def test_both_scripts_mean_the_same_python():
    setup, run = ((gradescope.IMAGE / name).read_text() for name in SCRIPTS)
    (prefix,) = re.findall(r'(?m)^PREFIX="(.+?)"', setup)
    assert f'PYTHON="{prefix}/bin/python"' in run
    assert not prefix.startswith("/autograder")  # where a submission cannot read


def fake(folder, name, body):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("index", ["https://download.pytorch.org/whl/cpu", ""])
def test_setup_installs_torch_first_and_the_rest_by_the_pins(zipped, tmp_path, index):
    """With stand-ins for all that needs a network, which write down what they are asked for."""
    root, programs, asked = tmp_path / "autograder", tmp_path / "bin", tmp_path / "asked.txt"
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(root / "source")
    prefix = tmp_path / "opt"
    for name in ("python3", "adduser", "apt-get"):
        fake(programs, name, f'echo "{name} $*" >>{asked}')
    fake(programs, "id", "exit 1")
    fake(prefix / "bin", "python", f'echo "python $*" >>{asked}')
    script = root / "source/setup.sh"
    changed = re.sub(r'(?m)^PREFIX=".*?"', f'PREFIX="{prefix}"', script.read_text())
    changed = re.sub(r'(?m)^TORCH_INDEX=".*"', f'TORCH_INDEX="{index}"', changed)
    script.write_text(changed.replace('DATA_SETS=""', 'DATA_SETS="cifar10 fer2013"'))
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "AUTOGRADER_ROOT": str(root)}
    done = subprocess.run(["bash", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = asked.read_text().splitlines()
    assert lines[0].startswith("adduser student --no-create-home --disabled-password")
    (wheel_,) = (root / "source").glob("*.whl")
    pins = dict(re.findall(r"(?m)^(\S+)==(\S+)$", (ROOT / "constraints.txt").read_text()))
    torch = f"torch=={pins['torch']} torchvision=={pins['torchvision']}"
    install = f"python3 -m uv pip install --python {prefix}/bin/python"
    first = [f"{install} --no-deps --index-url {index} {torch}"] if index else []
    assert lines[-len(first) - 4 :] == [
        *first,
        f"{install} --compile-bytecode --constraint {root}/source/constraints.txt "
        f"gradient-check[instructor] @ file://{wheel_}",
        "python -m data_scripts.cifar10 --source embedded --shared",
        "python -m data_scripts.fer2013 --source embedded --shared",
        "python -P -c import torch, autograder.lms.gradescope",
    ]
    assert not [p for p in (root / "source").rglob("*") if p.stat().st_mode & 0o077]


def test_setup_stops_where_something_fails(zipped, tmp_path):
    programs = tmp_path / "bin"
    fake(programs, "id", "exit 0")
    fake(programs, "python3", 'case "$*" in *"pip install"*) exit 7;; esac')
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "AUTOGRADER_ROOT": str(tmp_path)}
    script = gradescope.IMAGE / "setup.sh"
    assert subprocess.run(["bash", script], env=environment, capture_output=True).returncode == 7


def test_run_autograder_closes_the_doors_and_leaves_results_if_nothing_starts(tmp_path):
    for name in ("source", "submission"):
        (tmp_path / name).mkdir()
    tmp_path.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "AUTOGRADER_ROOT": str(tmp_path)}
    script = gradescope.IMAGE / "run_autograder"
    assert not os.path.exists("/opt/gradient-check/bin/python"), "there is an image here"
    done = subprocess.run(["bash", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0
    assert "No such file" in done.stdout  # what instructors read
    assert "could not be graded" in (tmp_path / "results/results.json").read_text()
    for place in (tmp_path, *(tmp_path / name for name in ("source", "submission", "results"))):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700, place
