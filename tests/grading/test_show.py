"""What a check asked, what was found and what is expected, ready to answer a mail with."""

import pytest
import torch

from autograder.cli import main
from autograder.grading import show as showing
from autograder.grading.course import CourseError
from autograder.grading.prepare import load_assignment
from autograder.grading.show import show
from autograder.notebook.stubs import Stub
from tests import worked_example
from tests.worked_example import CHECK, MISTAKEN, NAME, RIGHT


@pytest.fixture
def graded(example):
    raising = RIGHT.replace("return", 'raise ValueError("no")\n    return')
    for student, solution in (("ann", RIGHT), ("bob", MISTAKEN), ("cyd", raising)):
        worked_example.hand_in(example, student, solution)
    assert set(worked_example.grade(example).values()) == {""}
    return example


def test_a_wrong_answer_stands_beside_the_right_one_with_its_inputs_and_the_code(graded):
    text = show(graded, "bob", CHECK)
    lines = text.splitlines()
    assert lines[0] == f"bob, {NAME}, {CHECK} (mean squared error)"
    assert lines[1].startswith("2.5 of 5 points: ")
    assert lines[2].startswith("looks like mean_over_everything: ")
    (asked, *_) = [line for line in lines if line.startswith("  asked     prediction = [")]
    assert "(float64, shape (" in asked
    found = [line.split(" = ")[1] for line in lines if line.startswith("  found ")]
    expected = [line.split(" = ")[1] for line in lines if line.startswith("  expected ")]
    assert len(found) == len(expected) == 2 and found != expected
    assert "    return ((prediction - target)**2).mean()" in text  # in its cell
    assert "squared_error:" in text


def test_a_right_answer_has_no_cases_to_show(graded):
    text = show(graded, "ann", CHECK)
    assert "5 of 5 points: correct" in text and "expected" not in text


def test_what_a_call_raised_is_said(graded):
    assert "  found     it raised ValueError: no" in show(graded, "cyd", CHECK)


def test_what_is_not_there_is_a_sentence(graded):
    with pytest.raises(
        CourseError, match=f"has no check squared_error_value; did you mean {CHECK}"
    ):
        show(graded, "bob", "squared_error_value")
    with pytest.raises(CourseError, match=rf"has no check x; there are {CHECK}\."):
        show(graded, "bob", "x")
    load_assignment(graded).evidence("bob", NAME).unlink()
    with pytest.raises(
        CourseError, match=r"bob: no evidence .*grade a0_squared_error --student bob"
    ):
        show(graded, "bob", CHECK)


def test_the_command_prints_it(graded, capsys, monkeypatch):
    monkeypatch.chdir(graded.course.root)
    assert main(["show", "bob", NAME, CHECK]) == 0
    assert capsys.readouterr().out.startswith(f"bob, {NAME}, {CHECK}")


@pytest.mark.parametrize(("value", "text"), [
    (torch.tensor(0.5, dtype=torch.float64), "0.5  (float64, shape ())"),
    (torch.arange(9), "[0, 1, 2, 3, 4, 5, …, 7, 8]  (int64, shape (9,))"),
    ({"W": torch.zeros(1, 2)}, "{W: [0, 0]  (float32, shape (1, 2))}"), (0.1, "0.1"),
    (Stub("model", {}), "the given function model"), (torch.zeros(0), "[]  (float32, shape (0,))"),
])  # fmt: skip
def test_values_are_written_in_one_line(value, text):
    assert showing._value(value) == text
