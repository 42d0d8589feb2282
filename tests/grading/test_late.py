"""Late work costs what the settings say, and nobody is late who has more time."""

from datetime import datetime

import pytest
from traitlets.config import Config

from autograder.grading.course import CourseError, open_course, quiet
from autograder.grading.late import Extension, Late, read_extensions, utc
from autograder.grading.repair.submitted import TIMESTAMP
from autograder.reports import terminal
from autograder.reports.results import collect
from tests import worked_example
from tests.worked_example import MISTAKEN, NAME, RIGHT


def late(**settings):
    return Late(config=Config({"Late": settings}))


@pytest.mark.parametrize(("text", "when"), [
    ("2026-11-30 23:59 UTC", "2026-11-30 23:59"), ("2026-11-30 23:59 Z", "2026-11-30 23:59"),
    ("2026-11-30T23:59 Europe/Berlin", "2026-11-30 22:59"),
    ("2026-07-01 12:00:30 Europe/Berlin", "2026-07-01 10:00:30"),
    ("2026-11-30 23:59 America/New_York", "2026-12-01 04:59"),
])  # fmt: skip
def test_a_due_date_has_a_zone_and_summer_time(text, when):
    assert utc(text) == datetime.fromisoformat(when)


@pytest.mark.parametrize("text", [
    "2026-11-30 23:59", "tomorrow UTC", "2026-11-31 23:59 UTC", "2026-11-30 23:59 Europa/Rom", "",
])  # fmt: skip
def test_what_is_no_clear_time_is_a_sentence(text):
    with pytest.raises(CourseError, match="write it like this: "):
        utc(text)


@pytest.mark.parametrize(("seconds", "settings", "days"), [
    (1, {}, 1), (86_400, {}, 1), (86_401, {}, 2), (600, {"grace": 10}, 0), (601, {"grace": 10}, 1),
])  # fmt: skip
def test_a_day_counts_once_it_has_begun_after_the_grace(seconds, settings, days):
    assert late(**settings).days_late({}, "kim", "a1", seconds) == days


@pytest.mark.parametrize(("student", "assignment", "days"), [
    ("ann", "a1", 1), ("ann", "a2", 3), ("bob", "a1", 0), ("bob", "a9", 0), ("cyd", "a1", 3),
])  # fmt: skip
def test_an_extension_is_for_one_assignment_or_for_all(student, assignment, days):
    granted = {("ann", "a1"): Extension(2 * 86_400.0), ("bob", ""): Extension(excused=True)}
    assert late().days_late(granted, student, assignment, 2.5 * 86_400) == days


def test_extensions_are_read_from_a_file_of_the_course(tmp_path):
    (tmp_path / "more_time.csv").write_text(
        "Student,Assignment,Extension\nann,a1,2 days\nbob,,Excused\ncyd,a2,1.5h\n,,\n"
    )
    assert read_extensions(tmp_path, "more_time.csv") == {
        ("ann", "a1"): Extension(2 * 86_400.0), ("bob", ""): Extension(excused=True),
        ("cyd", "a2"): Extension(5_400.0),
    }  # fmt: skip


@pytest.mark.parametrize(("text", "said"), [
    ("student,assignment,extension\nann,a1,soon\n", "line 2: 'soon' is no extension; write"),
    ("student,assignment\nann,a1\n", "The columns are student, assignment, extension"),
    (None, "No such file"),
])  # fmt: skip
def test_a_file_of_extensions_that_cannot_be_read_is_a_sentence(tmp_path, text, said):
    if text:
        (tmp_path / "e.csv").write_text(text)
    with pytest.raises(CourseError) as error:
        read_extensions(tmp_path, "e.csv")
    assert said in str(error.value)


# In a course


@pytest.fixture
def class_of_three(example):
    """Ann in time, Bob a day late, Cyd three days late."""
    for student, solution, day in (("ann", RIGHT, 30), ("bob", RIGHT, 1), ("cyd", MISTAKEN, 3)):
        path = worked_example.hand_in(example, student, solution)
        month = 11 if day == 30 else 12
        (path.parent / TIMESTAMP).write_text(f"2026-{month}-{day:02} 12:00:00 UTC")
    return example


def graded(folders, *lines):
    config = folders.course.root / "nbgrader_config.py"
    before = config.read_text()
    config.write_text(
        "\n".join([before, f'c.Late.due = {{"{NAME}": "2026-11-30 23:59 UTC"}}', *lines])
    )
    folders = open_course(folders.course.root).assignment(NAME)
    assert set(worked_example.grade(folders).values()) == {""}
    config.write_text(before)
    found = collect(folders)
    return {one.student: (one.total, one.penalty) for one in found.students}, found


@pytest.mark.parametrize(("lines", "bob", "cyd"), [
    ([], 0, 0), (["c.Late.per_day = 0.1"], 0.5, 0.75),
    (["c.Late.per_day = 0.1", "c.Late.cap = 0.2"], 0.5, 0.5),
    (["c.Late.per_day = 0.1", "c.Late.free_days = 2"], 0, 0.25),
    (["c.Late.per_day = 0.1", "c.Late.grace = 13 * 60"], 0, 0.5),
    (["c.Late.per_day = 1.0"], 5, 2.5),
])  # fmt: skip
def test_a_penalty_is_a_share_of_what_was_reached(class_of_three, lines, bob, cyd):
    points, _ = graded(class_of_three, *lines)
    assert points == {
        "ann": (5, 0), "bob": (5 - bob, pytest.approx(bob)), "cyd": (2.5 - cyd, pytest.approx(cyd)),
    }  # fmt: skip


def test_who_has_more_time_is_not_late(class_of_three):
    (class_of_three.course.root / "more.csv").write_text(
        f"student,assignment,extension\nbob,{NAME},1 day\ncyd,,excused\n"
    )
    settings = "c.Late.per_day = 0.5", 'c.Late.extensions = "more.csv"'
    assert graded(class_of_three, *settings)[0] == {"ann": (5, 0), "bob": (5, 0), "cyd": (2.5, 0)}


def test_free_days_are_spent_on_what_was_due_first(class_of_three):
    """Cyd's two free days went into an assignment that was due before."""
    with quiet(), class_of_three.course.gradebook() as gradebook:
        gradebook.add_assignment("a0_before", duedate="2026-11-01 12:00:00 UTC")
        gradebook.add_student("cyd")
        gradebook.add_submission("a0_before", "cyd", timestamp="2026-11-03 11:00:00 UTC")
        gradebook.add_assignment("a9_after", duedate="2026-12-24 12:00:00 UTC")
        gradebook.add_student("bob")
        gradebook.add_submission("a9_after", "bob", timestamp="2026-12-30 11:00:00 UTC")
    points, _ = graded(class_of_three, "c.Late.per_day = 0.1", "c.Late.free_days = 2")
    assert points["cyd"] == (pytest.approx(2.5 * 0.7), pytest.approx(0.75))
    assert points["bob"] == (5, 0)


def test_it_is_said_in_the_terminal(class_of_three):
    _, found = graded(class_of_three, "c.Late.per_day = 0.1")
    assert "2 students were late and lost 1.25 points" in terminal.summary(found)
    assert "bob: 4.5 of 5 points, 0.5 lost because it was late" in terminal.student_lines(
        found, "bob"
    )
