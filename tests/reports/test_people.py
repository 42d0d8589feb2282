"""Everybody of a course is there, with what became of their work."""

import json
from datetime import datetime, timedelta

import pytest

from autograder.grading.gradebook import enrol
from autograder.grading.journal import Journal
from autograder.grading.repair.submitted import TIMESTAMP
from autograder.reports import people
from tests.worked_example import NAME, RIGHT, grade, hand_in


@pytest.fixture
def late_course(example):
    """A course whose work was due, and somebody who handed in three hours and a day later."""
    hand_in(example, "kim", RIGHT)
    (example.submitted("kim") / TIMESTAMP).write_text("2026-10-03 15:00:00 UTC")
    example.course.config.Late.due = {NAME: "2026-10-02 12:00 UTC"}
    assert grade(example) == {"kim": ""}
    return example


def test_who_is_late_is_late_by_so_much(late_course):
    kim = people.read(late_course)["kim"]
    assert kim.handed_in and kim.time == datetime(2026, 10, 3, 15)
    assert kim.late == timedelta(days=1, hours=3)
    assert kim.error == ""


def test_how_long_it_ran_is_what_the_journal_says_last(late_course):
    journal = Journal(late_course).path
    line = json.loads(journal.read_text().splitlines()[-1]) | {"seconds": 2.5, "peak_memory": 7}
    with journal.open("a") as file:
        file.write(json.dumps(line) + "\n")
    kim = people.read(late_course)["kim"]
    assert (kim.seconds, kim.peak_memory) == (2.5, 7)


def test_who_is_in_the_roster_and_handed_in_nothing_is_there_by_name(late_course):
    enrol(late_course.course, {"ann": ("Ann Ada Berg", "ann@u.edu"), "li": ("Wei, Li", "")})
    found = people.read(late_course)
    assert list(found) == ["ann", "kim", "li"]
    assert (found["ann"].name, found["li"].name, found["kim"].name) == (
        "Ann Ada Berg",
        "Li Wei",
        "",
    )
    assert [found[name].handed_in for name in found] == [False, True, False]
    assert found["ann"].late == timedelta(0) and found["ann"].error == ""


def test_a_name_that_is_known_stays_when_a_list_has_none(example):
    enrol(example.course, {"ann": ("Ann Berg", "ann@u.edu")})
    enrol(example.course, {"ann": ("", "")})
    assert people.read(example)["ann"].name == "Ann Berg"


def test_who_handed_in_and_was_not_graded_is_said_to_be_so(late_course):
    hand_in(late_course, "bob", RIGHT)
    assert people.read(late_course)["bob"].error == "handed in, and not graded yet"


def test_what_was_repaired_is_said_once(example):
    path = hand_in(example, "bob", RIGHT)
    path.rename(path.with_name("my copy.ipynb"))
    assert grade(example) == {"bob": ""}
    (note,) = people.read(example)["bob"].repaired
    assert "my copy.ipynb" in note


@pytest.mark.parametrize(("late", "text"), [
    (timedelta(seconds=5), "1 min"), (timedelta(minutes=40), "40 min"), (timedelta(hours=3), "3 h"),
    (timedelta(days=2), "2 d"), (timedelta(days=1, hours=3, minutes=10), "1 d 3 h"),
])  # fmt: skip
def test_a_delay_is_said_shortly(late, text):
    assert people.said(late) == text
