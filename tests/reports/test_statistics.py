"""Figures of a class are those of the formulas; where there is too little, nothing is said."""

import numpy as np
import pytest
from sklearn.utils import check_random_state

from autograder.reports.people import Person
from autograder.reports.statistics import at_risk, items, quartiles, share, went_wrong
from tests.reports.test_results import class_of, result, student


def test_difficulty_and_discrimination_are_those_of_classical_test_theory():
    random = check_random_state(0)
    a, b, c = (random.randint(0, 6, 40) for _ in range(3))
    b = np.minimum(5, a + (b > 3))  # goes with a
    made = [
        student(f"s{i:02}", a=result(float(x)), b=result(float(y)), c=result(float(z)))
        for i, (x, y, z) in enumerate(zip(a, b, c, strict=True))
    ]
    found = items(class_of(*made, checks={"a": 5.0, "b": 5.0, "c": 5.0}))
    assert [one.check for one in found] == ["a", "b", "c"]
    for one, own, others in zip(found, (a, b, c), (b + c, a + c, a + b), strict=True):
        assert one.share == pytest.approx(own.mean() / 5)
        assert one.discrimination == pytest.approx(np.corrcoef(own, others)[0, 1])
        assert (one.full, one.none) == ((own == 5).sum(), (own == 0).sum())
        assert one.full + one.some + one.none == 40
    assert found[1].discrimination > 0.5 > abs(found[2].discrimination)


def test_of_nine_students_or_of_equal_ones_no_discrimination_is_said():
    nine = [student(f"s{i}", a=result(i % 2), b=result(i % 2)) for i in range(9)]
    (a, _) = items(class_of(*nine, checks={"a": 5.0, "b": 5.0}))
    assert a.discrimination is None and a.share == pytest.approx(4 / 45)
    equal = [student(f"s{i}", a=result(5.0), b=result(i % 2)) for i in range(20)]
    (a, _) = items(class_of(*equal, checks={"a": 5.0, "b": 5.0}))
    assert (a.discrimination, a.remark) == (None, "nearly everybody has it")


def test_a_check_that_the_good_ones_fail_is_remarked_on():
    made = [student(f"s{i}", a=result(5.0 * (i < 8)), b=result(i / 4)) for i in range(20)]
    (a, _) = items(class_of(*made, checks={"a": 5.0, "b": 5.0}))
    assert a.discrimination < 0 and "is the task clear?" in a.remark


def test_a_check_that_nobody_had_is_no_obstacle():
    (a,) = items(class_of(student("s"), checks={"a": 5.0}))
    assert (a.share, a.discrimination, a.full, a.some, a.none) == (0, None, 0, 0, 0)


def test_what_went_wrong_is_counted_by_students_and_not_by_checks():
    halved = {"reason": "r", "mistake": "halved", "hint": "Double it."}
    ann = student("ann", a=result(1, **halved), b=result(2, **halved), c=result(4, reason="late"))
    bob = student("bob", a=result(1, **halved), c=result(0, reason="raised"))
    first, *rest = went_wrong(class_of(ann, bob))
    assert (first.name, first.say, first.checks) == ("halved", "Double it.", ["a", "b"])
    assert (first.students, first.points) == ({"ann", "bob"}, 4 + 3 + 4)
    assert [(one.name, one.say, one.points) for one in rest] == [("", "raised", 5), ("", "late", 1)]


def test_answers_to_be_marked_are_not_held_against_anybody():
    found = class_of(maximum=20.0, questions={"why": 10.0})
    ann = student("ann", 6.0)
    assert share(found, ann) == 0.3
    waiting = type(ann)("ann", {}, {}, 6.0, 1, waiting=("why",))
    assert share(found, waiting) == 0.6


def test_who_may_need_help_is_told_with_the_section_that_cost_most():
    low = type(student())(
        "low", {"a": result(1, reason="wrong sign")}, {}, 4.0, 0, {"1 · Loss": 3.0, "2 · SGD": 1.0}
    )
    good, gone = student("good", 9.0), Person(handed_in=True, error="could not be run")
    found = class_of(
        low, good, sections={"1 · Loss": 4.0, "2 · SGD": 6.0},
        people={"good": Person(handed_in=True), "gone": gone, "low": Person(handed_in=True),
                "absent": Person()},
    )  # fmt: skip
    assert at_risk(found) == {
        "gone": "could not be run",
        "low": "lost most in “2 · SGD” (5 points); a: wrong sign",
    }


@pytest.mark.parametrize(("values", "expected"), [
    ([], (0, 0, 0)), ([7.0], (7, 7, 7)), ([0.0, 10.0], (2.5, 5, 7.5)),
    ([1.0, 2.0, 3.0, 4.0, 5.0], (2, 3, 4)),
])  # fmt: skip
def test_quartiles_are_numpy_s(values, expected):
    assert quartiles(values) == pytest.approx(expected)
    if values:
        assert quartiles(values) == pytest.approx(tuple(np.percentile(values, [25, 50, 75])))
