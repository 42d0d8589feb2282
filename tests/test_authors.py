"""docs/authors.md, typed to the letter, with real kernels."""

import os
import re
import shutil
import subprocess
import sys
import zipfile

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from autograder import NOT_GRADED
from autograder.authoring import checks
from autograder.authoring.new import new
from autograder.authoring.solutions import with_mistake
from autograder.cli import main
from autograder.grading.course import open_course
from autograder.grading.pipeline import grade
from autograder.notebook import cases
from autograder.reports.results import collect
from tests import submissions, worked_example

NAME = worked_example.NAME
PAGE = (submissions.ROOT / "docs" / "authors.md").read_text()


def test_the_files_on_the_page_are_those_that_new_writes():
    shown = dict(re.findall(rf"```\w+\n# source/{NAME}/(\S+)\n(.*?)```", PAGE, re.DOTALL))
    template = worked_example.TEMPLATE
    written = [path for path in template.rglob("*") if path.suffix in (".py", ".diff")]
    assert set(shown) == {str(path.relative_to(template)) for path in written}
    for name, text in shown.items():
        assert text == (template / name).read_text(), name


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone of the course with one assignment only, which takes a fifth of the time."""
    clone = tmp_path_factory.mktemp("clone")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=submissions.ROOT, capture_output=True, text=True).stdout
    others = tuple(f"{kind}/a{n}_" for kind in ("source", "assignments") for n in range(2, 10))
    for name in filter(None, names.split("\0")):
        if not name.startswith(others) and (submissions.ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(submissions.ROOT / name, clone / name)
    (clone / ".venv").symlink_to(sys.prefix)
    for name in ("pyproject.toml", "constraints.txt"):  # the environment is there already
        os.utime(clone / name, (0, 0))
    return clone


@pytest.fixture(scope="module")
def typed(clone):
    """The clone, after the commands of the page were typed, one after the other."""
    commands = "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).splitlines()
    assert len(commands) >= 5
    for command in commands:
        done = subprocess.run(["bash", "-c", command], cwd=clone, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return open_course(clone)


@pytest.mark.slow
def test_the_page_typed_word_for_word_makes_an_exercise_that_is_graded(typed):
    folders = typed.assignment(NAME)
    mistakes, source = checks.mistakes(folders.source), worked_example.notebook()
    submissions.submit(typed.root, NAME, "right", source)
    submissions.submit(typed.root, NAME, "wrong", with_mistake(source, mistakes[0]))
    assert [graded.error for graded in grade(folders)] == ["", ""]
    students = {student.student: student for student in collect(folders).students}
    assert students["right"].total == 5
    assert students["wrong"].total == 2.5
    assert "Sum over D, average over N" in students["wrong"].main_reason


@pytest.mark.slow
def test_only_the_notebook_of_the_new_exercise_is_released(typed):
    assert [path.name for path in typed.assignment(NAME).release.iterdir()] == [f"{NAME}.ipynb"]


def test_a_course_in_another_folder_has_assignments_lessons_and_a_package_of_its_own(tmp_path):
    list(new(tmp_path, NAME))
    folder = tmp_path / "source" / NAME
    (folder / "lesson").mkdir()
    (folder / "lesson" / "scaling.py").write_text("FACTOR = 1\n")
    notebook = folder / f"{NAME}.py"
    lesson = f"from autograder.assignments.{NAME}.lesson.scaling import FACTOR\n\n"
    text = notebook.read_text().replace("check = Checker", f"{lesson}check = Checker", 1)
    notebook.write_text(text.replace("prediction - target", "FACTOR * (prediction - target)"))
    for command in ("sync", "reference", "release", "wheel"):
        output = ["--output", str(tmp_path / "dist")] if command == "wheel" else []
        assert main(["--course", str(tmp_path), command, *output]) == 0
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        own = [n for n in archive.namelist() if n.startswith(f"autograder/assignments/{NAME}/")]
    assert {name.split("/", 3)[3] for name in own} == {"lesson/scaling.py", "public.safetensors"}
    folders = open_course(tmp_path).assignment(NAME)
    submissions.submit(tmp_path, NAME, "kim", nbformat.read(folders.notebook(), 4))
    assert [graded.error for graded in grade(folders)] == [""]
    assert [student.total for student in collect(folders).students] == [5]


def test_validate_runs_the_public_checks_of_a_student_version(tmp_path):
    """`nbgrader validate` on the blank student version of a1, and on a solved one."""
    blank = submissions.released_notebook("a1_two_layer_net")
    solved = submissions.in_release(
        "a1_two_layer_net", submissions.source_notebook("a1_two_layer_net")
    )
    for name, notebook in (("blank", blank), ("solved", solved)):
        marked = new_code_cell(f"{NOT_GRADED}\nopen('trained', 'w')\nraise RuntimeError('hours')")
        notebook.cells.append(marked)
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    command = [sys.executable, "-m", "nbgrader", "validate"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}

    def validate(name):
        return subprocess.run(
            [*command, f"{name}.ipynb"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        ).stdout

    assert "Success! Your notebook passes all the tests." in validate("solved")
    failed = validate("blank")
    assert "VALIDATION FAILED" in failed
    for name in cases.load_public(submissions.folder("a1_two_layer_net")):
        assert f"CheckFailed: {name}: " in failed
    assert not (tmp_path / "trained").exists()
