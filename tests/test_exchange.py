"""nbgrader's exchange around `autograder grade`: from a release to the feedback that is fetched."""

import nbformat
import pytest

from autograder.grading import pipeline
from autograder.grading.course import open_course
from tests import submissions
from tests.fixtures import A1

COURSE = "gradient_check"


def step(course, name, **settings):
    """Take a step of the exchange; it raises what is wrong."""
    api = course.api
    with_assignment = api.coursedir
    with_assignment.assignment_id = A1
    made = getattr(api.exchange, name)(
        coursedir=with_assignment, authenticator=api.authenticator, parent=api
    )
    for key, value in settings.items():
        setattr(made, key, value)
    made.start()


@pytest.fixture
def course(course_of, tmp_path, monkeypatch):
    """An instructor's course with an exchange, seen from the folder of a student."""
    laid_out = course_of({}, "exchange")
    place = tmp_path / "exchange"
    place.mkdir()
    place.chmod(0o777)
    config = laid_out.root / "nbgrader_config.py"
    text = config.read_text()
    config.unlink()
    config.write_text(f"{text}\nc.Exchange.root = {str(place)!r}\n")
    home = tmp_path / "student"
    home.mkdir()
    monkeypatch.chdir(home)
    return open_course(laid_out.root)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # nbgrader's files
def test_feedback_reaches_a_student_through_the_exchange(course, tmp_path):
    home, cache = tmp_path / "student", str(tmp_path / "cache")
    step(course, "ReleaseAssignment")
    step(course, "FetchAssignment")
    notebook = home / A1 / f"{A1}.ipynb"
    solved = submissions.in_release(A1, submissions.source_notebook(A1))
    nbformat.write(solved, notebook)
    step(course, "Submit", cache=cache)
    step(course, "Collect")
    (student,) = course.assignment(A1).students()
    folder = course.assignment(A1).submitted(student)
    assert {path.name for path in folder.iterdir()} >= {"timestamp.txt", "submission_secret.txt"}
    (graded,) = pipeline.grade(course.assignment(A1), workers=1)
    assert (graded.error, graded.notes) == ("", {A1: ()})
    assert course.api.generate_feedback(A1)["success"]
    step(course, "ReleaseFeedback")
    step(course, "FetchFeedback", cache=cache)
    (page,) = (home / A1 / "feedback").rglob(f"{A1}.html")
    assert "85" in page.read_text()
