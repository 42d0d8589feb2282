"""One recorded value against the expected one, by each criterion."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from sklearn.metrics import f1_score

from autograder.notebook import criteria
from autograder.notebook.cases import FLOAT32, FLOAT64, Case, Level, RecordedCheck, Tolerance
from autograder.notebook.criteria import (
    CRITERIA,
    Measurement,
    against_levels,
    percent,
    relative_error,
    same_leaf,
    worst_entry,
)
from autograder.notebook.evidence import Leaf, find, observe

RIGHT = torch.tensor([[1.0, -2.0], [0.0, 4.0]], dtype=torch.float64)
LEVELS = Level("pass", 0.5, 0.4), Level("excellent", 0.75, 1.0)


def measured(expected, found, criterion="close", threshold=None, **case) -> Measurement:
    """Measure a value, or a leaf, against the expected value."""
    leaf = found if isinstance(found, Leaf) else observe(found)
    check = RecordedCheck("c", "a check", {"value": "return"}, (), threshold=threshold)
    expected = observe(expected)
    return CRITERIA[criterion]("value", leaf, expected, Case("case", "", {}, **case), check)


def test_equal_tensors_pass_without_an_error():
    assert measured(RIGHT, RIGHT.clone()) == Measurement(error=0)


@pytest.mark.parametrize("noise, passes", [(5e-8, True), (2e-7, False)])
def test_the_tolerance_is_relative(noise, passes):
    found = measured(1000 * RIGHT, 1000 * RIGHT * (1 + noise))
    assert (found.problem == "") is passes
    assert found.error == pytest.approx(noise, rel=1e-3)


def test_the_error_is_at_most_rtol_exactly_where_allclose_holds():
    generator = torch.Generator().manual_seed(1)
    for _ in range(200):
        expected = torch.randn(5, generator=generator)
        found = expected + 2e-4 * torch.randn(5, generator=generator)
        close = torch.allclose(found.double(), expected.double(), FLOAT32.rtol, FLOAT32.atol)
        assert (relative_error(found, expected, FLOAT32) <= FLOAT32.rtol) == close


def test_nothing_is_as_it_should_be_if_nothing_is_expected():
    empty = torch.zeros(0, 3)
    assert relative_error(empty, empty, FLOAT64) == 0
    assert worst_entry("value", empty, empty, FLOAT64) == ""
    assert measured(empty, empty).problem == ""


def test_a_tolerance_may_be_absolute_alone():
    assert measured(RIGHT, RIGHT + 0.25, tolerance=Tolerance(0, 0.5)).problem == ""
    assert measured(RIGHT, RIGHT + 0.75, tolerance=Tolerance(0, 0.5)).problem != ""


def test_where_the_tolerance_is_absolute_the_reason_is_too():
    wide = Tolerance(rtol=1e-9, atol=0.5)
    assert measured(RIGHT, RIGHT + 0.25, tolerance=wide).problem == ""
    found = measured(RIGHT, RIGHT + 0.75, tolerance=wide)
    assert found.problem == "value: off by 0.75, at most 0.5 allowed"


@pytest.mark.parametrize(
    "found, reason",
    [
        (None, "found None, expected a torch tensor"),
        ([1.0, 2.0], "is a list of numbers, expected a torch tensor"),
        ([RIGHT], "found a list of 1, expected a torch tensor"),
        (RIGHT.numpy(), "is a NumPy array, expected a torch tensor"),
        (1.0, "is a Python number, expected a torch tensor"),
        (RIGHT.sum(), "has shape (), expected (2, 2)"),
        (RIGHT * (1 + 5e-7), "relative error"),
        (RIGHT[0], "has shape (2,), expected (2, 2)"),
        (RIGHT.float(), "has dtype float32, expected float64"),
        (RIGHT.long(), "has dtype int64, expected float64"),
        (RIGHT * float("nan"), "has NaN or infinity in 4 of 4 entries"),
        (RIGHT + 1, "relative error"),
        (-RIGHT, "relative error"),
        (find({"return": None}, "return.0"), "the function returned None"),
        (replace(observe(RIGHT), device="cuda"), "is on cuda, expected the device of the inputs"),
    ],
)
def test_a_wrong_value_has_a_readable_reason(found, reason):
    result = measured(RIGHT, found)
    assert reason in result.problem
    assert result.credit == 0


@pytest.mark.parametrize(
    "expected, found, reason",
    [
        (0.25, None, "value: found None, expected a number"),
        (0.25, [0.25], "value has shape (1,), expected ()"),
        ([0.25], "text", "value: found a str, expected a list of numbers"),
        ([0.25, 0.5], [0.5], "value has 1 entries, expected 2"),
        ([0.25, 0.5], torch.tensor([0.5]), "value has shape (1,), expected (2,)"),
    ],
)
def test_python_numbers_have_a_form_too(expected, found, reason):
    assert measured(expected, found).problem == reason


@pytest.mark.parametrize("name", CRITERIA)
def test_no_criterion_takes_what_was_not_recorded_or_is_not_finite(name):
    case = Case("case", "", {}, levels=LEVELS)
    check = RecordedCheck("c", "a check", {}, (), threshold=1.0)
    expected = observe(torch.tensor([0.0, 1.0]))
    nothing = CRITERIA[name]("value", None, expected, case, check)
    assert nothing == Measurement("value was not recorded")
    infinite = CRITERIA[name](
        "value", observe(torch.tensor([0.0, torch.inf])), expected, case, check
    )
    assert infinite == Measurement("value has NaN or infinity in 1 of 2 entries")


def test_a_wrong_count_is_named_and_not_measured():
    found = measured(7, 12)
    assert (found.problem, found.error, found.is_count) == (
        "value is 12, which is not right", None, True,
    )  # fmt: skip
    assert found.quote == "value: expected 7, found 12"
    assert not measured(0.5, 12).is_count


def test_a_scalar_tensor_is_as_good_as_a_python_number_and_not_the_reverse():
    scalar = torch.tensor(0.25, dtype=torch.float64)
    assert measured(0.25, scalar).problem == ""
    assert measured(0.25, torch.tensor(0.26)).problem.startswith("value: relative error")
    assert measured(scalar, 0.25).problem == "value is a Python number, expected a torch tensor"


def test_a_fraction_is_a_number():
    assert measured(0.25, Fraction(1, 4)).problem == ""


@pytest.mark.parametrize("found", [[0.5, 0.25], torch.tensor([0.5, 0.25])])
def test_a_history_may_be_a_list_or_a_tensor(found):
    assert measured([0.5, 0.25], found).problem == ""


def test_lost_precision_is_named_and_shown_with_enough_digits():
    third = torch.tensor(1 / 3, dtype=torch.float64)
    found = measured(third, (third * (1 + 2e-7)).float().double())
    assert found.problem.endswith("at most 1e-07 allowed (as if computed in float32)")
    assert found.quote == (
        "value: expected 0.333333333333, found 0.333333402872 (as if computed in float32)"
    )
    assert "float32" not in measured(third, third * 1.01).problem
    assert "float32" not in measured(third, third * (1 + 2e-7)).problem
    assert "float32" not in measured(third.float(), third.float() * 1.001).problem


def test_the_entry_with_the_error_that_is_shown_is_quoted_with_its_place():
    found = RIGHT.clone()
    found[0, 1] = -7
    assert worst_entry("W", found, RIGHT, FLOAT64) == "W[0, 1]: expected -2, found -7"
    assert measured(RIGHT, found).quote == "value[0, 1]: expected -2, found -7"
    expected, found = torch.tensor([1000.0, 0.5]).double(), torch.tensor([1003.0, 1.5]).double()
    told = measured(expected, found)
    assert round(told.error, 2) == 1.96  # one away from 0.5, not three from 1,000
    assert told.quote == "value[1]: expected 0.5, found 1.5"


def test_labels_are_counted():
    found = measured(torch.tensor([0, 2, 1]), torch.tensor([0, 1, 2]))
    assert (found.problem, found.error) == ("value: 2 of 3 entries differ", None)


def test_labels_may_be_of_any_integer_type_and_of_no_other():
    labels = torch.tensor([0, 2, 1])
    assert measured(labels, labels.int()).problem == ""
    assert measured(labels, labels.double()).problem == "value has dtype float64, expected int64"
    assert measured(labels, labels.bool()).problem == "value has dtype bool, expected int64"


def test_a_mask_is_of_truth_values():
    mask = torch.tensor([True, False])
    assert measured(mask, mask.clone()).problem == ""
    assert measured(mask, ~mask).problem == "value: 2 of 2 entries differ"
    assert measured(mask, mask.long()).problem == "value has dtype int64, expected bool"


# Quality: only the judge has the labels


@pytest.mark.parametrize(
    "scores, reason",
    [
        (9 * torch.eye(3), ""),
        (9 * torch.eye(3).long(), ""),
        (torch.zeros(3, 3), "loss 1.1 on new samples; below 0.6 is needed"),
        (9 * torch.eye(3)[:2], "has shape (2, 3), expected one row of scores for each sample"),
        (9 * torch.eye(3)[:, :2], "has shape (3, 2)"),
        (torch.arange(3.0), "has shape (3,)"),
        (torch.full((3, 3), torch.inf), "NaN or infinity"),
    ],
)
def test_cross_entropy_is_measured_against_labels_of_the_judge(scores, reason):
    found = measured(torch.tensor([0, 1, 2]), scores, "cross_entropy_below", threshold=0.6)
    assert reason in found.problem
    assert (found.problem == "") == (reason == "")


def test_a_loss_at_the_threshold_is_not_below_it():
    chance = torch.zeros(3, 4, dtype=torch.float64)
    (labels, loss) = torch.tensor([0, 1, 2]), torch.tensor(4.0, dtype=torch.float64).log().item()
    assert measured(labels, chance, "cross_entropy_below", threshold=loss).problem != ""
    above = measured(labels, chance, "cross_entropy_below", threshold=loss + 1e-9)
    assert above.problem == "" and above.note.startswith("loss 1.39 on new samples")


@pytest.mark.parametrize(
    "labels, credit, reason",
    [
        ([0, 1, 2, 3], None, ""),
        ([0, 1, 2, 0], None, ""),  # exactly at the level
        ([0, 1, 0, 0], 0.4, "2 of 4 right (50.0%): pass; 75% is needed for excellent"),
        ([0, 0, 0, 0], 0, "1 of 4 right (25.0%): 50% is needed for pass"),
        ([0, 1, 2], 0, "value has shape (3,), expected (4,)"),
        ([0.0, 1.0, 2.0, 3.0], 0, "value has dtype float32, expected int64"),
    ],
)
def test_accuracy_is_worth_what_the_level_says_that_it_reaches(labels, credit, reason):
    found = measured(torch.arange(4), torch.tensor(labels), "accuracy", levels=LEVELS)
    assert found.problem == reason
    assert found.credit == (credit or 0)


def test_the_first_wrong_label_is_quoted():
    found = measured(torch.arange(4), torch.tensor([0, 1, 0, 0]), "accuracy", levels=LEVELS)
    assert found.quote == f"{found.problem}; the first wrong one, value[2], is 0, expected 2"


def test_the_first_wrong_label_is_quoted_in_words_where_the_inputs_have_them():
    check = RecordedCheck("c", "a check", {"value": "return"}, ())
    animals = {"first": 0.0, "second": 0.0, "third": 0.0}
    inputs = {"animals": animals, "words": ["cat", "dog"]}
    case = Case("case", "", inputs, levels=LEVELS)
    for said, word in ((0, "'cat'"), (-1, "none of the words"), (2, "none of the words")):
        found = CRITERIA["accuracy"](
            "value",
            observe(torch.tensor([0, said, 0])),
            observe(torch.tensor([0, 1, 1])),
            case,
            check,
        )
        assert found.quote.endswith(f"; the first wrong one, second, is {word}, expected 'dog'")


def test_labels_are_quoted_in_the_words_of_the_check():
    check = RecordedCheck("c", "a check", {"value": "return"}, (), words=("cat", "dog", "frog"))
    found, expected = observe(torch.tensor([0, 0, 1])), observe(torch.tensor([0, 2, 1]))
    case = Case("case", "", {"images": torch.zeros(3)}, levels=LEVELS)
    quote = CRITERIA["accuracy"]("value", found, expected, case, check).quote
    assert quote.endswith("; the first wrong one, value[1], is 'cat', expected 'frog'")
    note = CRITERIA["macro_f1"]("value", found, expected, case, check).note
    assert "(least for class 'frog', 0.0%)" in note


def test_full_marks_say_how_good_it_is_unless_all_is_right():
    found = measured(torch.arange(4), torch.tensor([0, 1, 2, 0]), "accuracy", levels=LEVELS)
    assert (found.problem, found.note) == ("", "3 of 4 right (75.0%): excellent")
    found = measured(torch.arange(4), torch.arange(4), "accuracy", levels=LEVELS)
    assert found.note == "4 of 4 right (100.0%)"


@pytest.mark.parametrize(
    "labels, credit",
    [
        ([0, 0, 0, 0, 0, 0, 1, 2], None),
        ([0, 0, 0, 0, 0, 0, 1, 1], 0.4),
        ([0, 0, 0, 0, 0, 0, 0, 0], 0),
        ([5, 5, 5, 5, 5, 5, 5, 5], 0),
        ([0, 0, 0, 0, 0, 5, 1, 2], None),
    ],
)
def test_macro_f1_is_the_mean_over_the_classes_that_occur(labels, credit):
    truth = torch.tensor([0, 0, 0, 0, 0, 0, 1, 2])
    found = measured(truth, torch.tensor(labels), "macro_f1", levels=LEVELS)
    of_sklearn = f1_score(truth, labels, labels=[0, 1, 2], average="macro", zero_division=0)
    assert found.note.startswith(f"macro-F1 {of_sklearn:.1%} (least for class ")
    assert (found.problem == "") == (credit is None)
    assert found.credit == (credit or 0)


def test_macro_f1_names_the_class_that_is_found_least():
    truth = torch.tensor([0, 0, 1, 1, 2, 2])
    found = measured(truth, torch.tensor([0, 0, 1, 0, 0, 0]), "macro_f1", levels=LEVELS)
    assert "least for class 2, 0.0%" in found.note
    assert measured(truth, truth[:5], "macro_f1", levels=LEVELS).problem == (
        "value has shape (5,), expected (6,)"
    )


@pytest.mark.parametrize(
    "scores, reached",
    [
        ([0.9, 0.8, 0.2, 0.1], "AUROC 100.0%"),
        ([0.9, 0.3, 0.4, 0.1], "AUROC 75.0%: excellent"),
        ([0.9, 0.1, 0.4, 0.3], "AUROC 50.0%: pass; 75% is needed for excellent"),
        ([5.0, 5.0, 5.0, 5.0], "AUROC 50.0%: pass; 75% is needed for excellent"),
    ],
)
def test_an_auroc_is_how_often_a_defect_scores_higher(scores, reached):
    defective = torch.tensor([True, True, False, False])
    assert measured(defective, torch.tensor(scores), "auroc", levels=LEVELS).note == reached
    maps = torch.tensor(scores).reshape(2, 2)
    assert measured(defective.reshape(2, 2), maps, "auroc", levels=LEVELS).note == reached


def test_an_auroc_far_below_a_half_asks_for_the_sign():
    defective = torch.tensor([True, True, False, False])
    found = measured(defective, torch.arange(4.0), "auroc", levels=LEVELS)
    assert "AUROC 0.0% (below 50%: larger numbers have to mean more defective)" in found.problem


def test_an_auroc_needs_a_score_for_each_sample():
    defective = torch.tensor([True, False])
    assert measured(defective, torch.arange(3.0), "auroc", levels=LEVELS).problem == (
        "value has shape (3,), expected (2,)"
    )


@pytest.mark.parametrize(
    "value, credit, says",
    [
        (0.49, 0.0, "it: 50% is needed for pass"),
        (0.5, 0.4, "it: pass; 75% is needed for excellent"),
        (0.75, 0.0, "it: excellent"),
    ],
)
def test_a_level_is_reached_from_its_least_on(value, credit, says):
    found = against_levels(value, "it", LEVELS)
    assert (found.credit, found.note) == (credit, says)
    assert (found.problem == "") == (value == 0.75)


def test_a_share_has_as_many_digits_as_it_needs():
    assert [percent(share) for share in (0.5, 0.65285, 1)] == ["50%", "65.285%", "100%"]


def test_a_criterion_is_called_by_its_name():
    assert all(getattr(criteria, name) is criterion for name, criterion in CRITERIA.items())


# Is it the outcome of a known mistake?


@pytest.mark.parametrize(
    "wanted, found, same",
    [
        (RIGHT, RIGHT * (1 + 5e-8), True),
        (RIGHT, RIGHT * (1 + 5e-7), False),
        (RIGHT * torch.nan, RIGHT * torch.nan, True),
        (RIGHT, RIGHT.flatten(), False),
        (RIGHT, RIGHT.float(), False),
        (RIGHT, RIGHT.numpy(), False),
        (RIGHT[0], RIGHT[0].tolist(), False),
        (2.5, torch.tensor(2.5), True),
        ([2.5, 1.0], torch.tensor([2.5, 1.0]), True),
        (None, None, True),
        (None, "text", False),
        (None, RIGHT, False),
    ],
)
def test_two_leaves_are_the_same_in_form_and_numbers(wanted, found, same):
    assert same_leaf(observe(wanted), observe(found), FLOAT64) is same


@pytest.mark.parametrize("dtype, rounded", [(torch.float32, 1e-5), (torch.float64, 2e-14)])
def test_a_small_difference_of_large_numbers_is_the_same_however_it_was_rounded(dtype, rounded):
    """A mistake may cancel digits; another processor leaves others, and the hint is still true."""
    strict = Tolerance(1e-12, 0)
    wanted = torch.tensor([[325.0, 0.0], [325.0, 0.2]], dtype=dtype)
    moved = wanted.clone()
    moved[1, 1] += rounded * 325  # 80 times the resolution of the largest entry
    assert same_leaf(observe(wanted), observe(moved), strict)
    moved[1, 1] += 20 * rounded * 325
    assert not same_leaf(observe(wanted), observe(moved), strict)
    assert not same_leaf(observe(wanted[1, 1]), observe(wanted[1, 1] + rounded * 325), strict)
    endless = torch.tensor([torch.inf, 0.2], dtype=dtype)
    assert not same_leaf(observe(endless), observe(endless + rounded * 325), strict)


def test_what_went_through_float32_is_the_same_however_it_was_rounded_there():
    strict, wanted = Tolerance(1e-9, 0), torch.tensor([0.1, 2.7, 3.3]).double()
    rounded = (wanted.float() * (1 + 3e-7)).double()
    assert same_leaf(observe(wanted), observe(rounded), strict)
    assert not same_leaf(observe(wanted), observe(wanted * (1 + 3e-7)), strict)  # 1e-8 was added
    short = torch.tensor([0.5, 2.0, 3.25]).double()
    assert not same_leaf(observe(short), observe(short + 2**-12), strict)


def test_what_was_not_recorded_is_the_same_as_nothing():
    assert not same_leaf(observe(RIGHT), None, FLOAT64)


def test_what_is_alike_is_what_torch_calls_close():
    odd = torch.tensor([0, 1, 1 + 1e-9, 1 + 1e-3, -1, 1e300, torch.inf, -torch.inf, torch.nan])
    for rtol, atol in ((1e-7, 1e-9), (0, 0), (0, 1e-2), (1e-2, 0), (1, 1)):
        for a in odd.double():
            for b in odd.double():
                close = torch.allclose(a, b, rtol, atol, equal_nan=True)
                tolerance = Tolerance(rtol, atol)
                assert criteria._alike(a.numpy(), b.numpy(), tolerance) is close, (a, b, rtol, atol)
