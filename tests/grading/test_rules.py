"""What an instructor decides about a check once a class is graded."""

import pytest
from traitlets.config import Config

from autograder.grading.course import CourseError
from autograder.grading.rules import BONUS, GIVEN, LEFT_OUT, Rules, rules_of
from autograder.notebook.judge import Verdict
from tests.worked_example import CHECK, NAME

HALF = Verdict("a", "A check", 0.5, "too small")
FULL = Verdict("a", "A check", 1.0, "correct")


def configured(**settings):
    return Config({"Grading": settings})


@pytest.mark.parametrize(("setting", "rule"), [
    ("drop", LEFT_OUT), ("full_marks", GIVEN), ("bonus", BONUS),
])  # fmt: skip
@pytest.mark.parametrize("what", [CHECK, "squared_error"])
def test_a_rule_is_for_an_exercise_or_for_one_of_its_checks(example, setting, rule, what):
    rules = rules_of(example.notebook(), configured(**{setting: [f"{NAME}/{what}"]}))
    assert (rules.of, rules.points) == ({CHECK: rule}, {CHECK: 5.0})


def test_rules_for_other_assignments_are_not_for_this_one(example):
    rules = rules_of(example.notebook(), configured(drop=["a9_another/squared_error"]))
    assert rules == Rules({}, {CHECK: 5.0})


@pytest.mark.parametrize(("what", "said"), [
    ("squared_eror", "did you mean squared_error?"), ("x", f"there are squared_error, {CHECK}."),
    ("", "there are"),
])  # fmt: skip
def test_a_name_that_is_not_there_is_a_sentence(example, what, said):
    with pytest.raises(CourseError, match="is not an exercise, nor one of its checks") as error:
        rules_of(example.notebook(), configured(bonus=[f"{NAME}/{what}"]))
    assert said in str(error.value) and f"c.Grading: {NAME}/{what}" in str(error.value)


@pytest.mark.parametrize(("rule", "maximum", "worth"), [
    (None, 5, 4), (LEFT_OUT, 0, 0), (GIVEN, 5, 5), (BONUS, 0, 5),
])  # fmt: skip
def test_what_a_check_is_worth_and_what_it_adds_to_the_maximum(rule, maximum, worth):
    rules = Rules({"a": rule} if rule else {}, {"a": 5.0})
    assert (rules.maximum("a"), rules.worth("a", 4)) == (maximum, worth)


def test_a_student_is_told_the_rule_and_what_the_evidence_says():
    def applied(rule, verdict):
        found = Rules({"a": rule}, {"a": 5.0}).applied(verdict)
        return found.fraction, found.reason

    assert applied(LEFT_OUT, HALF) == (
        0.5, "this check does not count, for anybody; without that: too small"
    )  # fmt: skip
    assert applied(GIVEN, HALF) == (
        1.0, "everybody has full marks for this check; without that: too small"
    )  # fmt: skip
    assert applied(GIVEN, FULL) == (1.0, "everybody has full marks for this check")
    assert applied(BONUS, HALF) == (0.5, "too small")
    assert Rules().applied(HALF) == HALF
