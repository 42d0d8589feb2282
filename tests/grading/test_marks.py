"""The marks that a person gives: written at once, compared with what was seen, never lost."""

import threading

import pytest
from nbformat.v4 import new_markdown_cell

from autograder.grading import gradebook, marks
from autograder.grading.course import CourseError
from autograder.grading.marks import Mark, OutOfDate
from autograder.reports import results
from tests.grading.test_exercises import QUESTION
from tests.reports.test_results import with_another_cell
from tests.worked_example import NAME, RIGHT, grade, hand_in

UNMARKED = Mark(None, None, True, "")


@pytest.fixture
def asked(example):
    """A class with a question: kim has answered, bob has left it empty."""
    with_another_cell(example, new_markdown_cell, **QUESTION)
    hand_in(example, "bob", RIGHT)
    assert set(grade(example).values()) == {""}
    return example


def of(assignment, student="kim"):
    return marks.read(assignment, ["why"])["why"][student]


def test_an_answer_waits_and_an_empty_one_has_no_points_already(asked):
    found = marks.read(asked, ["why"])
    assert found == {"why": {"bob": Mark(None, 0.0, False, ""), "kim": UNMARKED}}
    assert (found["why"]["kim"].counts, found["why"]["bob"].counts) == (None, 0)


def test_a_mark_is_what_formgrader_and_the_report_show(asked):
    marks.save(asked, "why", {"kim": UNMARKED}, 2.5, "Why not *twice*?")
    assert of(asked) == Mark(2.5, None, False, "Why not *twice*?")
    with asked.course.gradebook() as book:
        given = book.find_grade("why", NAME, NAME, "kim")
        assert (given.manual_score, given.score, given.needs_manual_grade) == (2.5, 2.5, False)
        assert book.find_comment("why", NAME, NAME, "kim").manual_comment == "Why not *twice*?"
    kim = {one.student: one for one in results.collect(asked).students}["kim"]
    assert (kim.total, kim.unmarked, kim.answers) == (7.5, 0, {"why": 2.5})


def test_a_mark_is_changed_and_taken_back(asked):
    marks.save(asked, "why", {"kim": UNMARKED}, 2.5, "So?")
    marks.save(asked, "why", {"kim": of(asked)}, 0.0, "")
    assert of(asked) == Mark(0.0, None, False, "")
    marks.save(asked, "why", {"kim": of(asked)}, None, "")
    assert of(asked) == UNMARKED


def test_an_empty_answer_that_is_taken_back_does_not_wait(asked):
    marks.save(asked, "why", {"bob": of(asked, "bob")}, 1.0, "")
    assert of(asked, "bob").counts == 1
    marks.save(asked, "why", {"bob": of(asked, "bob")}, None, "")
    assert of(asked, "bob") == Mark(None, 0.0, False, "")


@pytest.mark.parametrize("seen", [
    Mark(1.0, None, True, ""), Mark(None, 0.0, True, ""), Mark(None, None, False, ""),
    Mark(None, None, True, "Seen."),
])  # fmt: skip
def test_a_mark_that_has_changed_since_it_was_seen_stays(asked, seen):
    with pytest.raises(OutOfDate, match="changed since the page showed it; look"):
        marks.save(asked, "why", {"kim": seen}, 3.0, "Mine.")
    assert of(asked) == UNMARKED


def test_of_several_answers_all_are_marked_or_none(asked):
    both = {"kim": UNMARKED, "bob": UNMARKED}  # bob's has points already
    with pytest.raises(OutOfDate):
        marks.save(asked, "why", both, 3.0, "Mine.")
    assert of(asked) == UNMARKED
    marks.save(asked, "why", {**both, "bob": of(asked, "bob")}, 3.0, "Mine.")
    assert {of(asked, one).counts for one in both} == {3.0}


def test_of_two_markers_at_once_one_wins_and_the_other_is_told(asked):
    outcomes, gate = [], threading.Barrier(2)

    def mark(points):
        gate.wait()
        try:
            marks.save(asked, "why", {"kim": UNMARKED}, points, f"{points}")
            outcomes.append(points)
        except OutOfDate:
            outcomes.append(None)

    threads = [threading.Thread(target=mark, args=(points,)) for points in (1.0, 2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (won,) = [points for points in outcomes if points is not None]
    assert len(outcomes) == 2
    assert of(asked) == Mark(won, None, False, f"{won}")


def test_a_gradebook_that_another_program_is_writing_is_waited_for(asked, monkeypatch):
    waited = []
    with asked.course.gradebook() as other:
        other.find_grade("why", NAME, NAME, "bob").manual_score = 1.0
        other.db.flush()  # which locks the file until the end of the transaction

        def wait(seconds):
            waited.append(seconds)
            other.db.commit()

        monkeypatch.setattr(gradebook.time, "sleep", wait)
        marks.save(asked, "why", {"kim": UNMARKED}, 2.0, "")
    assert waited and (of(asked).points, of(asked, "bob").points) == (2.0, 1.0)


def test_grading_again_leaves_a_mark_alone(asked):
    marks.save(asked, "why", {"kim": UNMARKED}, 2.0, "Good.")
    assert set(grade(asked).values()) == {""}
    assert of(asked) == Mark(2.0, None, False, "Good.")


def test_names_are_those_of_the_roster(asked):
    assert marks.names(asked) == {}
    gradebook.enrol(asked.course, {"kim": ("Kim Lee", "")})
    assert marks.names(asked) == {"kim": "Kim Lee"}


def test_an_assignment_that_was_never_released_has_no_marks(example):
    with pytest.raises(CourseError, match="the gradebook does not know this assignment"):
        marks.read(example.course.assignment("a1"), ["why"])
