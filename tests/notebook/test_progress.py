"""What public checks have shown is kept beside the notebooks, and drawn for the whole course."""

import json
from datetime import datetime

import pytest

from autograder import assignments
from autograder.notebook import cases, progress
from autograder.notebook.cases import RecordedCheck
from autograder.notebook.judge import NOT_WRITTEN, CaseVerdict, Verdict
from autograder.notebook.progress import Kept
from tests.submissions import ASSIGNMENTS, released_notebook

GOOD = CaseVerdict("a", "one", 1.0)
BAD = CaseVerdict("b", "two", 0.0, "wrong")
UNWRITTEN = CaseVerdict("c", "three", 0.0, NOT_WRITTEN)
WHEN = "2026-11-29T19:00:00+01:00"


def verdict(*found, check="sum", fraction=0.5) -> Verdict:
    return Verdict(check, "the sum", fraction, "", found)


def put(path, **checks) -> None:
    """Write what is kept of an assignment into a folder."""
    path.mkdir(parents=True, exist_ok=True)
    progress.add(path / progress.NAME, "a9_test", checks)


def graded(name, points) -> dict:
    about = {"nbgrader": {"grade": True, "grade_id": name, "points": points}}
    source = [f'check.public(\n    "{name}",', " f)\n"]
    return {"cell_type": "code", "metadata": about, "source": source}


@pytest.fixture
def course(scratch, monkeypatch):
    """A course with two assignments, of three checks and of one; returns a student's folder."""
    monkeypatch.setattr(assignments, "__path__", [str(scratch / "source")])
    for name, checks in {"a9_test": ("sum", "mean", "max"), "a0_first": ("one",)}.items():
        (scratch / "source" / name).mkdir(parents=True)
        recorded = {one: RecordedCheck(one, one, {}, ()) for one in checks}
        (scratch / "source" / name / cases.PUBLIC).write_bytes(cases.to_bytes(recorded))
    (scratch / "work").mkdir()
    return scratch / "work"


def notebook(folder, name="a9_test.ipynb"):
    title = "# A test\n\n**Time** about 2½ hours, at most · **Points** 9\n"
    written = {"cell_type": "markdown", "metadata": {}, "source": title.splitlines(True)}
    cells = [written, graded("sum", 4), graded("mean", 3), graded("max", 2)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps({"cells": cells}), "utf-8")


def of(folder):
    (found,) = [one for one in progress.course(folder) if one.name == "a9_test"]
    return found


# Keeping


def test_a_check_is_kept_with_what_it_showed_and_when(scratch):
    progress.keep("a9_test", verdict(GOOD, BAD))
    kept = progress.read(scratch / progress.NAME)["a9_test"]["sum"]
    assert (kept.passed, kept.cases, kept.fraction, kept.written) == (1, 2, 0.5, True)
    age = datetime.now().astimezone() - datetime.fromisoformat(kept.when)
    assert 0 <= age.total_seconds() < 60


@pytest.mark.parametrize(
    "found, written", [((UNWRITTEN, UNWRITTEN), False), ((UNWRITTEN, BAD), True), ((GOOD,), True)]
)
def test_a_function_that_is_not_written_is_told_from_a_wrong_one(scratch, found, written):
    progress.keep("a9_test", verdict(*found))
    assert progress.read(scratch / progress.NAME)["a9_test"]["sum"].written is written


@pytest.mark.parametrize("credit, level", [(0.0, False), (0.4, True), (1.0, False)])
def test_a_level_that_is_reached_is_told_from_a_failure(scratch, credit, level):
    progress.keep("a9_test", verdict(CaseVerdict("net", "net", credit)))
    assert progress.read(scratch / progress.NAME)["a9_test"]["sum"].level is level


def test_the_latest_run_counts_and_other_checks_stay(scratch):
    for name, check, fraction in (("a9", "sum", 1.0), ("a9", "mean", 0.25), ("a0", "sum", 0.5),
                                  ("a9", "sum", 0.0)):  # fmt: skip
        progress.keep(name, verdict(BAD, check=check, fraction=fraction))
    read = progress.read(scratch / progress.NAME)
    found = {a: {n: kept.fraction for n, kept in checks.items()} for a, checks in read.items()}
    assert found == {"a9": {"sum": 0.0, "mean": 0.25}, "a0": {"sum": 0.5}}
    assert [path.name for path in scratch.iterdir()] == [progress.NAME]


def test_another_file_can_be_named_for_a_run_that_only_looks(scratch, monkeypatch):
    monkeypatch.setenv(progress.FILE, str(scratch / "other.json"))
    progress.keep("a9_test", verdict(GOOD))
    assert [path.name for path in scratch.iterdir()] == ["other.json"]


def test_a_folder_that_cannot_be_written_to_keeps_nothing_and_stops_nobody(scratch, monkeypatch):
    monkeypatch.setenv(progress.FILE, str(scratch / "gone" / "kept.json"))
    progress.keep("a9_test", verdict(GOOD))
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"a9": []}', '{"a9": {"sum": 3}}', '{"a9": {"sum": {"x": 1}}}']
)
def test_a_file_that_is_not_ours_is_as_good_as_none(scratch, text):
    (scratch / progress.NAME).write_text(text)
    assert progress.read(scratch / progress.NAME) == {}
    progress.keep("a9_test", verdict(GOOD))
    assert set(progress.read(scratch / progress.NAME)) == {"a9_test"}


# The course


def test_every_assignment_of_the_course_is_there_before_anything_is_done(course):
    found = [(one.name, one.checks, one.passed, one.failed, one.open, one.points, one.hours)
             for one in progress.course(course)]  # fmt: skip
    assert found == [("a0_first", 1, 0, 0, 1, None, ""), ("a9_test", 3, 0, 0, 3, None, "")]


def test_passed_failed_and_open_checks_are_counted_with_their_points(course):
    notebook(course)
    put(course, sum=Kept(3, 3, 1.0, WHEN), mean=Kept(1, 2, 0.5, WHEN),
        max=Kept(0, 2, 0.0, WHEN, False))  # fmt: skip
    one = of(course)
    assert (one.passed, one.failed, one.open) == (1, 1, 1)
    assert (one.points, one.of_points, one.hours) == (5.5, 9, "2½ hours")


def test_a_check_that_the_assignment_no_longer_has_does_not_count(course):
    put(course, gone=Kept(3, 3, 1.0, WHEN))
    assert (of(course).passed, of(course).open) == (0, 3)


@pytest.mark.parametrize("inside", ["", "a9_test", "../a9_test", "../.hidden", "a/b"])
def test_notebooks_and_what_is_kept_are_found_here_and_in_folders_inside_and_beside(course, inside):
    place = course / inside
    notebook(place)
    put(place, sum=Kept(3, 3, 1.0, WHEN))
    found = inside not in ("../.hidden", "a/b")
    assert (of(course).passed, of(course).of_points) == ((1, 9) if found else (0, None))


def test_what_is_kept_here_counts_before_what_is_kept_elsewhere(course):
    put(course / "inside", sum=Kept(0, 3, 0.0, WHEN))
    put(course.parent / "beside", sum=Kept(0, 3, 0.0, WHEN))
    put(course, sum=Kept(3, 3, 1.0, WHEN))
    assert of(course).passed == 1


@pytest.mark.parametrize("text", ["{", "[]", '{"cells": [{}]}', '{"cells": []}'])
def test_a_damaged_notebook_is_one_without_points(course, text):
    (course / "a9_test.ipynb").write_text(text)
    put(course, sum=Kept(3, 3, 1.0, WHEN))
    assert (of(course).passed, of(course).of_points) == (1, None)


def test_the_table_says_how_much_is_done_and_what_is_left(course):
    notebook(course)
    put(course, sum=Kept(3, 3, 1.0, WHEN), mean=Kept(1, 2, 0.5, WHEN))
    lines = progress.show(course).text().splitlines()
    assert lines[0] == "1 of 4 public checks passed"
    (row,) = [line.split() for line in lines if line.startswith("a9_test")]
    assert row[2:] == ["1", "1", "1", "5.5", "of", "9", "2½", "hours"]
    (row,) = [line.split() for line in lines if line.startswith("a0_first")]
    assert row[2:] == ["0", "0", "1"]


def test_points_are_those_of_checks_and_not_of_written_answers():
    cells = [graded("sum", 4), {**graded("text", 5), "cell_type": "markdown"}]
    plain = {"cell_type": "code", "metadata": {}, "source": 'check.public("mean", f)'}
    assert list(progress.points({"cells": [*cells, plain]})) == [("sum", 4.0)]


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_notebooks_of_this_course_state_their_hours_and_points(assignment):
    released = released_notebook(assignment)
    assert progress.HOURS.search(released.cells[0].source)
    stated = int(released.cells[0].source.split("**Points** ")[1].split(":")[0])
    assert 0 < sum(points for _, points in progress.points(released)) <= stated
