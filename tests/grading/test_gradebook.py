"""What is written is, cell by cell, what nbgrader itself writes."""

import shutil
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.api import Assignment

from autograder.authoring.release import release
from autograder.grading.course import CourseError, open_course
from autograder.grading.gradebook import graded_cells, patiently
from autograder.grading.notebooks import grade_id
from autograder.grading.pipeline import grade
from tests import submissions
from tests.fixtures import A1

pytestmark = pytest.mark.slow

LATE = """
from nbgrader.plugins import LateSubmissionPlugin

class AnEighth(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return score / 8 * (total_seconds_late // 3600)

c.AssignLatePenalties.plugin_class = AnEighth
"""
SECOND = 'c.Release.include = ["second.ipynb"]\n'
DUE, IN_TIME, LATER = (f"2026-03-0{day} 12:00:00 UTC" for day in (2, 1, 2))
LATER = LATER.replace("12", "14")


def question(answer):
    """A second notebook, with one question for a person and a cell of no weight."""
    asked = {
        "grade_id": "why", "grade": True, "solution": True, "locked": False, "points": 4,
        "schema_version": 3, "task": False, "cell_type": "markdown",
    }  # fmt: skip
    notebook = new_notebook(
        cells=[
            new_markdown_cell(answer, metadata={"nbgrader": asked}, id="why"),
            new_code_cell("print(2 + 2)", id="sum"),
        ]
    )
    notebook.metadata["kernelspec"] = {
        "name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python",
    }  # fmt: skip
    return notebook


def laid_out(root, solved):
    """A course with two notebooks: answers that are there and not, in time and late."""
    shutil.copytree(submissions.ROOT / "source" / A1, root / "source" / A1)
    nbformat.write(question("Why?"), root / "source" / A1 / "second.ipynb")
    config = (submissions.ROOT / "nbgrader_config.py").read_text()
    (root / "nbgrader_config.py").write_text(config + LATE + SECOND)
    course = open_course(root)
    release(course.assignment(A1))
    with course.gradebook() as book:
        book.update_or_create_assignment(A1, duedate=DUE)
    first = submissions.in_release(A1, solved)
    blank = submissions.released_notebook(A1)
    edited = submissions.released_notebook(A1)
    next(c for c in edited.cells if grade_id(c).startswith("question_")).source = "Because."
    second = nbformat.read(root / "assignments" / A1 / "second.ipynb", 4)
    answered = nbformat.from_dict(second)
    next(cell for cell in answered.cells if grade_id(cell) == "why").source = "Because it is."
    for student, notebooks, time in (
        ("in_time", (first, answered), IN_TIME),
        ("late", (first, second), LATER),
        ("blank", (blank, second), ""),
        ("edited", (edited, answered), LATER),
    ):
        path = submissions.submit(root, A1, student, notebooks[0])
        nbformat.write(notebooks[1], path.with_name("second.ipynb"))
        if time:
            (path.parent / "timestamp.txt").write_text(time)
    return course


@pytest.fixture(scope="module")
def ours(tmp_path_factory, solved):
    course = laid_out(tmp_path_factory.mktemp("ours"), solved)
    shutil.copytree(course.root, course.root.parent / "untouched")
    assert {one.error for one in grade(course.assignment(A1), workers=2)} == {""}
    return course


@pytest.fixture(scope="module")
def theirs(ours):
    course = open_course(ours.root.parent / "untouched")
    subprocess.run(
        [sys.executable, "-m", "nbgrader", "autograde", A1],
        cwd=course.root, check=True, capture_output=True,
    )  # fmt: skip
    return course


def contents(course):
    """Return all that a gradebook says of an assignment, by student, notebook and cell."""
    found = {}
    with course.gradebook() as book:
        assignment = book.db.query(Assignment).filter(Assignment.name == A1).one()
        for submission in assignment.submissions:
            student = submission.student.id
            found[student] = (submission.timestamp, submission.score, submission.duedate)
            for notebook in submission.notebooks:
                name = (student, notebook.name)
                found[name] = (notebook.score, notebook.late_submission_penalty)
                for given in notebook.grades:
                    found[(*name, given.name)] = (
                        given.auto_score, given.manual_score, given.extra_credit, given.score,
                        given.needs_manual_grade, given.max_score,
                    )  # fmt: skip
                for comment in notebook.comments:
                    found[(*name, comment.name, "comment")] = (
                        comment.auto_comment, comment.manual_comment, comment.comment,
                    )  # fmt: skip
    return found


def test_the_gradebooks_are_equal(ours, theirs):
    assert contents(ours) == contents(theirs)


def test_the_class_has_what_is_compared(ours):
    found = contents(ours)
    assert found["late", A1] == (85, 21.25)
    assert found["in_time", A1] == (85, None)
    assert found["late"][0].hour == 14 and found["blank"][0] is None
    assert {value[4] for key, value in found.items() if len(key) == 3} == {True, False}
    assert found["late", "second", "why", "comment"][0] == "No response."
    assert found["in_time", "second", "why", "comment"][0] is None


def test_the_notebooks_are_equal(ours, theirs):
    for path in sorted(theirs.root.glob(f"autograded/*/{A1}/*.ipynb")):
        mine = nbformat.read(ours.root / path.relative_to(theirs.root), 4)
        other = nbformat.read(path, 4)
        for notebook in (mine, other):
            for cell in notebook.cells:
                cell.metadata.pop("execution", None)
                cell.pop("id")
                if "outputs" in cell:  # a progress bar says how fast it was
                    cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
        assert mine == other, path


def test_the_same_notebooks_and_the_time_lie_in_the_folders(ours, theirs):
    def files(course):
        return {
            str(path.relative_to(course.root))
            for path in course.root.glob("autograded/**/*")
            if path.suffix == ".ipynb" or path.name == "timestamp.txt"
        }

    assert files(ours) == files(theirs)


def test_grading_again_changes_nothing(ours):
    before = contents(ours)
    assert {one.error for one in grade(ours.assignment(A1), ["late", "edited"], workers=1)} == {""}
    assert contents(ours) == before


def test_a_gradebook_that_is_no_database_is_one_sentence(example):
    (example.course.root / "gradebook.db").write_text(
        "this is no database, but a text of some length"
    )
    for use in (lambda: patiently(example.course.gradebook), lambda: graded_cells(example)):
        with pytest.raises(CourseError) as caught:
            use()
        assert str(caught.value) == (
            "the gradebook cannot be used (file is not a database); "
            "restore a copy of it; or move it away, then release and grade again."
        )
