"""A class and its points: what is summed, what is said of whom, and how it is drawn."""

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook, new_output

from autograder.grading.course import CourseError
from autograder.grading.notebooks import VERDICT_MIME, grade_id, to_file_bytes
from autograder.reports import results
from autograder.reports.people import Person
from autograder.reports.results import CheckResult, ClassReport, StudentResult
from tests.grading.test_exercises import GRADED, QUESTION, cell
from tests.worked_example import CHECK, MISTAKEN, NAME, RIGHT, grade, hand_in

HINT = "the squares were averaged over the features too. Sum over D, average over N."


def result(points, maximum=5.0, reason="wrong", mistake="", hint=""):
    return CheckResult(points, maximum, reason, mistake, hint)


def student(name="kim", total=0.0, unmarked=0, exercises=None, **checks):
    return StudentResult(name, checks, exercises or {}, total, unmarked)


def class_of(*students, exercises=None, checks=None, maximum=10.0, **fields):
    """Make a class whose students all handed in; more fields of the report may be given."""
    people = {one.student: Person(handed_in=True) for one in students}
    fields = {"people": people, **fields}
    return ClassReport("a0", exercises or {}, checks or {}, students, maximum, **fields)


# A graded class


@pytest.fixture
def graded(example):
    """A class of three: all right, one known mistake, nothing written."""
    for name, solution in (("kim", RIGHT), ("bob", MISTAKEN)):
        hand_in(example, name, solution)
    hand_in(example, "ann")
    assert set(grade(example).values()) == {""}
    return example


def test_a_class_has_its_points_its_reasons_and_its_order(graded):
    found = results.collect(graded)
    assert (found.assignment, found.maximum, found.automatic_maximum) == (NAME, 5, 5)
    assert (found.exercises, found.checks) == ({"squared_error": 5}, {CHECK: 5})
    assert [(one.student, one.total, one.main_reason) for one in found.students] == [
        ("ann", 0, f"{CHECK}: not written yet (this function, or one that it calls)"),
        ("bob", 2.5, f"{CHECK}: {HINT}"),
        ("kim", 5, ""),
    ]
    assert (found.mean_total, found.median_total, found.mean_share(CHECK)) == (2.5, 2.5, 0.5)
    assert found.exercise_of == {CHECK: "squared_error"}
    assert [(name, one.handed_in, one.error) for name, one in found.people.items()] == [
        ("ann", True, ""), ("bob", True, ""), ("kim", True, ""),
    ]  # fmt: skip
    assert found.common_mistakes(CHECK) == [("mean_over_everything", HINT, 1)]


def test_before_anything_is_graded_there_is_no_report(example):
    with pytest.raises(CourseError) as caught:
        results.collect(example)
    assert str(caught.value) == (
        f"{NAME}: nothing is graded yet; run `autograder grade {NAME}` first."
    )


def test_an_assignment_that_is_not_there_is_said_by_its_name(example):
    with pytest.raises(CourseError, match=r"source/a1/a1.ipynb: no such notebook; there are a0_"):
        results.collect(example.course.assignment("a1"))


def test_an_assignment_that_was_never_released_is_said_by_its_name(example):
    notebook = example.course.root / "source" / "a1" / "a1.ipynb"
    notebook.parent.mkdir()
    notebook.write_bytes(example.notebook().read_bytes())
    with pytest.raises(CourseError, match="the gradebook does not know this assignment; run `auto"):
        results.collect(example.course.assignment("a1"))


def test_a_score_given_by_hand_counts_and_the_reason_stays(graded):
    with graded.course.gradebook() as book:
        given = book.find_grade(CHECK, NAME, NAME, "ann")
        given.manual_score, given.needs_manual_grade = 4.0, True
        book.db.commit()
    (ann, *_) = results.collect(graded).students
    assert (ann.total, ann.exercises, ann.unmarked) == (4, {"squared_error": 4}, 1)
    assert ann.main_reason.startswith(f"{CHECK}: not written yet")


def test_a_graded_notebook_that_is_gone_costs_its_reasons_and_no_points(graded):
    (graded.autograded("bob") / f"{NAME}.ipynb").unlink()
    (_, bob, _) = results.collect(graded).students
    assert (bob.total, bob.checks, bob.main_reason) == (2.5, {}, "")


def test_what_may_be_a_mistake_is_told_as_such_and_is_not_counted():
    sure = result(0, mistake="doubled", hint="halve it.")
    perhaps = CheckResult(0, 5, "wrong", "doubled", "halve it.", certain=False)
    kim, bob = student("kim", loss=sure), student("bob", loss=perhaps)
    assert kim.main_reason == "loss: halve it."
    assert bob.main_reason == "loss: may be: halve it."
    assert class_of(kim, bob).common_mistakes("loss") == [("doubled", "halve it.", 1)]


# Verdicts


def with_another_cell(example, kind, **nbgrader):
    """Put a cell before the exercise and release it; kim hands in all right and is graded."""
    source = nbformat.read(example.notebook(), 4)
    metadata = {"locked": False, "schema_version": 3, "task": False, **nbgrader}
    source.cells.insert(1, cell("why", kind, **metadata))
    nbformat.write(source, example.notebook())
    assert example.course.api.generate_assignment(NAME)["success"]
    path = hand_in(example, "kim", RIGHT)
    answered = nbformat.read(path, 4)
    next(one for one in answered.cells if grade_id(one) == "why").source = "Because."
    nbformat.write(answered, path)
    assert grade(example) == {"kim": ""}


def marked(example, points):
    """Let a person give points."""
    with example.course.gradebook() as book:
        given = book.find_grade("why", NAME, NAME, "kim")
        given.manual_score, given.needs_manual_grade = points, False
        book.db.commit()


def test_questions_come_last_and_wait_for_a_person(example):
    with_another_cell(example, new_markdown_cell, **QUESTION)
    found = results.collect(example)
    assert list(found.exercises.items()) == [("squared_error", 5), ("questions", 3)]
    assert (found.maximum, found.automatic_maximum, found.unmarked) == (8, 5, 1)
    assert found.questions == {"why": 3}
    (kim,) = found.students
    assert (kim.waiting, kim.answers) == (("why",), {})
    assert (kim.exercises, kim.total, kim.unmarked) == ({"squared_error": 5, "questions": 0}, 5, 1)
    marked(example, 2.0)
    (kim,) = results.collect(example).students
    assert (kim.exercises, kim.total, kim.unmarked) == ({"squared_error": 5, "questions": 2}, 7, 0)
    assert (kim.waiting, kim.answers) == ((), {"why": 2})


def test_a_task_of_nbgrader_s_that_a_person_marks_counts_among_what_one_can_have(example):
    task = {"task": True, "grade": False, "solution": False, "locked": True, "points": 3}
    with_another_cell(example, new_markdown_cell, **task)
    marked(example, 3.0)
    found = results.collect(example)
    (kim,) = found.students
    assert (kim.total, found.maximum) == (8, 8)
    assert sum(kim.exercises.values()) == kim.total


def test_verdicts_are_those_of_the_checks_and_of_no_other_cell(tmp_path):
    said = {"points": 2.5, "maximum": 5, "reason": "r", "mistake": "m", "hint": "h", "cases": []}
    output = new_output("execute_result", data={VERDICT_MIME: said, "text/plain": "2.5"})
    checked, forged, silent = cell("loss", **GRADED), cell("own", **QUESTION), cell("b", **GRADED)
    checked.outputs, forged.outputs = [output], [output]
    silent.outputs = [new_output("stream", name="stdout", text="5")]
    path = tmp_path / "a0.ipynb"
    path.write_bytes(to_file_bytes(new_notebook(cells=[checked, forged, silent, cell()])))
    assert results.verdicts(path) == {"loss": CheckResult(2.5, 5, "r", "m", "h")}


def test_without_a_notebook_there_are_no_verdicts(tmp_path):
    assert results.verdicts(tmp_path / "a0.ipynb") == {}


# What is said of a student and of a check


@pytest.mark.parametrize(
    ("checks", "reason"),
    [
        ({}, ""),
        ({"a": result(5, reason="correct")}, ""),
        ({"a": result(4, reason="one"), "b": result(1, reason="four"), "c": result(5)}, "b: four"),
        ({"a": result(1, reason="r", hint="do this")}, "a: do this"),
        ({"a": result(4, 5, "one of five"), "b": result(0, 2, "two of two")}, "b: two of two"),
        ({"a": result(0, reason="first"), "b": result(0, reason="second")}, "a: first"),
    ],
)
def test_the_main_reason_is_that_which_cost_most(checks, reason):
    assert student(**checks).main_reason == reason


def test_the_mean_share_is_over_those_who_were_checked():
    found = class_of(student(a=result(5)), student(a=result(2.5)), student(b=result(0)), student())
    assert (found.mean_share("a"), found.mean_share("b"), found.mean_share("c")) == (0.75, 0, 0)


def test_of_the_mistakes_those_made_most_often_are_named():
    made = ["one", "two", "two", "three", "three", "three", "four", ""]
    found = class_of(*(student(a=result(1, mistake=name, hint=f"not {name}")) for name in made))
    assert found.common_mistakes("a") == [
        ("three", "not three", 3), ("two", "not two", 2), ("one", "not one", 1),
    ]  # fmt: skip
    assert found.common_mistakes("a", most=1) == [("three", "not three", 3)]
    assert found.common_mistakes("b") == []


def test_the_mean_and_the_median_are_those_of_the_totals():
    found = class_of(student(total=0), student(total=1), student(total=5))
    assert (found.mean_total, found.median_total) == (2, 1)


# The fast way in


def test_the_assignments_that_were_graded_are_found_among_all(graded):
    other = graded.course.assignment("a9_never_released")
    assert results.graded([other, graded]) == [graded]


def test_if_none_was_graded_a_sentence_says_so(example):
    with pytest.raises(CourseError, match=r"nothing is graded yet; run `autograder grade ASSIGN"):
        results.graded([example])
