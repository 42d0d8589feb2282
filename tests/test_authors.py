"""docs/authors.md, followed to the letter, with real kernels."""

import os
import subprocess
import sys

import nbformat
import pytest

from autograder.authoring.checks import load
from autograder.authoring.record import record
from autograder.authoring.release import release, sync
from autograder.authoring.solutions import with_mistake
from autograder.grading import report
from autograder.grading.course import open_course
from autograder.grading.pipeline import grade
from autograder.notebook import cases
from tests import submissions, worked_example

NAME = worked_example.NAME


@pytest.fixture
def course(tmp_path):
    folder, course = worked_example.install(tmp_path), open_course(tmp_path)
    sync(course.assignment(NAME))
    record(course.assignment(NAME).notebook(), config=course.config).write(folder)
    release(course.assignment(NAME))
    return course


def test_the_example_is_recorded_released_and_graded(course):
    example = load(course.assignment(NAME).source)
    source = worked_example.notebook()
    submissions.submit(course.root, NAME, "right", source)
    submissions.submit(course.root, NAME, "wrong", with_mistake(source, example.mistakes[0]))
    assert [graded.error for graded in grade(course.assignment(NAME))] == ["", ""]
    students = {
        student.student: student for student in report.collect(course.assignment(NAME)).students
    }
    assert students["right"].total == 5
    assert students["wrong"].total == 2.5
    assert "Sum over D, average over N" in students["wrong"].main_reason


def test_validate_runs_the_public_checks_of_a_student_version(tmp_path):
    """`nbgrader validate` on the blank student version of a1, and on a solved one."""
    blank = submissions.released_notebook("a1_two_layer_net")
    solved = submissions.in_release(
        "a1_two_layer_net", submissions.source_notebook("a1_two_layer_net")
    )
    for name, notebook in (("blank", blank), ("solved", solved)):
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
