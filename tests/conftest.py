"""Fixtures shared by the tests: courses laid out and graded once a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder import grade as grading
from autograder.course import Course, open_course, release
from tests import submissions

A1 = "a1_two_layer_net"


@pytest.fixture(scope="session")
def course_of(tmp_path_factory):
    """Return a function that lays out and releases a course folder with given notebooks."""

    def build(notebooks, name="course", assignment=A1) -> Course:
        root = tmp_path_factory.mktemp(name)
        (root / "source").mkdir()
        (root / "source" / assignment).symlink_to(submissions.ROOT / "source" / assignment)
        (root / "nbgrader_config.py").symlink_to(submissions.ROOT / "nbgrader_config.py")
        for student, notebook in notebooks.items():
            submissions.submit(root, assignment, student, notebook)
        course = open_course(root)
        release(course, assignment)
        return course

    return build


def grade_all(course: Course, assignment: str = A1) -> dict[str, str]:
    """Grade a class by our own pipeline. Returns errors by student."""
    return {graded.student: graded.error for graded in grading.grade(course, assignment)}


def scores(course: Course, assignment: str = A1) -> dict[str, dict[str, float | None]]:
    """Read every automatic score from the gradebook, by student and check."""
    with course.gradebook() as gradebook:
        return {
            submission.student.id: {
                grade.name: grade.auto_score
                for notebook in submission.notebooks
                for grade in notebook.grades
            }
            for submission in gradebook.assignment_submissions(assignment)
        }


@pytest.fixture(scope="session")
def solved():
    return submissions.source_notebook(A1)


@pytest.fixture
def scratch(tmp_path, monkeypatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path
