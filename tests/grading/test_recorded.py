"""What references were recorded from: what counts as a change, and who is told of it."""

import os
import subprocess
import sys

import nbformat
import pytest

from autograder.grading.course import open_course
from autograder.grading.notebooks import grade_id
from autograder.grading.recorded import origins, out_of_date
from autograder.notebook import cases
from tests import submissions
from tests.worked_example import NAME, RIGHT, hand_in

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(submissions.ROOT)}
SAID = (
    f"{NAME}: since its references were recorded, {{}} changed; grades still follow the "
    f"references. `autograder reference {NAME}` records them again (with your --seed, if you drew "
    "cases of your own)."
)


def solution(folders, old, new, name="squared_error"):
    path = folders.notebook()
    notebook = nbformat.read(path, 4)
    cell = next(cell for cell in notebook.cells if grade_id(cell) == name)
    assert old in cell.source
    cell.source = cell.source.replace(old, new)
    nbformat.write(notebook, path)


def in_checks(folders, end, old, new):
    (path,) = (folders.source / "checks").glob(f"*.{end}")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_was_just_recorded_is_up_to_date(example):
    assert cases.recorded_from(example.source)
    assert out_of_date(example) == ""


@pytest.mark.parametrize(
    "change, named",
    [
        (lambda f: solution(f, ".mean()", ".mean() * 1"), "squared_error"),
        (lambda f: in_checks(f, "diff", "keeps 0.5", "keeps 0.4"), "checks/squared_error.diff"),
        (lambda f: in_checks(f, "py", "rng.randn(2", "rng.rand(2"), "checks/squared_error.py"),
    ],
)
def test_a_change_is_named(example, change, named):
    change(example)
    assert out_of_date(example) == SAID.format(named)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: solution(f, "### BEGIN SOLUTION", "# a comment\n\n    ### BEGIN SOLUTION"),
        lambda f: in_checks(f, "py", "\n\n", "\n\n# a comment\n\n"),
        lambda f: f.notebook().write_text(f.notebook().read_text().replace("minutes", "hours")),
    ],
)
def test_comments_and_texts_change_nothing(example, change):
    before = origins(example.source, nbformat.read(example.notebook(), 4))
    change(example)
    assert origins(example.source, nbformat.read(example.notebook(), 4)) == before
    assert out_of_date(example) == ""


def test_what_else_lies_among_the_checks_changes_nothing(example):
    folder = example.source / "checks"
    (folder / ".#squared_error.py").symlink_to("kim@machine.1234:5")  # an editor's lock
    (folder / "._squared_error.py").write_bytes(b"\x00\x05\x16\x07\xff")
    (folder / "later.py").mkdir()
    (folder / "notes.txt").write_text("later")
    assert out_of_date(example) == ""
    (folder / "squared_error.diff").write_bytes(b"gr\xf6sser")
    assert out_of_date(example) == SAID.format("checks/squared_error.diff")


def test_references_of_an_earlier_version_say_nothing(example):
    path = example.source / cases.REFERENCES
    path.write_bytes(cases.to_bytes(cases.load_references(example.source)))
    in_checks(example, "diff", "keeps 0.5", "keeps 0.4")
    assert out_of_date(example) == ""


@pytest.mark.parametrize("command", ["grade", "release"])
def test_it_is_said_when_a_class_is_graded_and_when_it_is_released(example, command):
    in_checks(example, "diff", "keeps 0.5", "keeps 0.4")
    hand_in(example, "kim", RIGHT)
    done = subprocess.run(
        [sys.executable, "-m", "autograder.cli", "--course", example.course.root, command, NAME],
        capture_output=True, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert SAID.format("checks/squared_error.diff") in done.stderr


@pytest.mark.parametrize("assignment", submissions.ASSIGNMENTS)
def test_the_references_of_the_course_are_up_to_date(assignment):
    folders = open_course(submissions.ROOT).assignment(assignment)
    assert out_of_date(folders) == "" and cases.recorded_from(folders.source)
