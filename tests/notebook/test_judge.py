from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from sklearn.metrics import f1_score

from autograder.notebook.cases import (
    FLOAT32,
    Case,
    KnownMistake,
    Level,
    RecordedCheck,
    Tolerance,
    from_bytes,
    to_bytes,
)
from autograder.notebook.criteria import relative_error
from autograder.notebook.evidence import Outcome, observe
from autograder.notebook.judge import judge

RIGHT = torch.tensor([[1.0, -2.0], [0.0, 4.0]], dtype=torch.float64)

WIDE = Tolerance(rtol=1e-9, atol=0.5)


def returned(value) -> Outcome:
    return Outcome({"value": observe(value)})


def check(*expected, mistakes=(), **more) -> RecordedCheck:
    cases = tuple(
        Case(f"case{i}", f"case {i}", {}, expected=returned(value))
        for i, value in enumerate(expected)
    )
    return RecordedCheck("c", "a check", {"value": "return"}, cases, mistakes=mistakes, **more)


def verdict(expected, found, **more):
    return judge(check(expected), {"case0": returned(found)}, **more)


def test_equal_tensors_pass():
    assert verdict(RIGHT, RIGHT.clone()).fraction == 1


@pytest.mark.parametrize("noise, passes", [(5e-8, True), (2e-7, False)])
def test_the_tolerance_is_relative(noise, passes):
    assert (verdict(1000 * RIGHT, 1000 * RIGHT * (1 + noise)).fraction == 1) is passes


def test_the_error_is_at_most_rtol_exactly_where_allclose_holds():
    generator = torch.Generator().manual_seed(1)
    for _ in range(200):
        expected = torch.randn(5, generator=generator)
        found = expected + 2e-4 * torch.randn(5, generator=generator)
        close = torch.allclose(found.double(), expected.double(), FLOAT32.rtol, FLOAT32.atol)
        assert (relative_error(found, expected, FLOAT32) <= FLOAT32.rtol) == close


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
    ],
)
def test_a_wrong_value_has_a_readable_reason(found, reason):
    result = verdict(RIGHT, found)
    assert result.fraction == 0
    assert reason in result.reason


def test_a_wrong_count_is_named_and_not_measured():
    result = verdict(7, 12)
    assert result.reason == "value is 12, which is not right"
    assert result.cases[0].error is None


def test_a_tensor_elsewhere_is_refused_by_its_device():
    elsewhere = replace(observe(RIGHT), device="cuda")
    result = judge(check(RIGHT), {"case0": Outcome({"value": elsewhere})})
    assert result.reason == "value is on cuda, expected the device of the inputs, cpu"


def test_a_scalar_tensor_is_as_good_as_a_python_number_and_not_the_reverse():
    scalar = torch.tensor(0.25, dtype=torch.float64)
    assert verdict(0.25, scalar).fraction == 1
    assert verdict(0.25, torch.tensor(0.26)).fraction == 0
    assert verdict(scalar, 0.25).reason == "value is a Python number, expected a torch tensor"


def test_lost_precision_is_named_and_shown_with_enough_digits():
    third = torch.tensor(1 / 3, dtype=torch.float64)
    result = verdict(third, third * (1 + 2e-7), reveal=True)
    assert result.reason == (
        "value: expected 0.333333333333, found 0.3333334 (as if computed in float32)"
    )


def test_labels_are_counted():
    labels = torch.tensor([0, 2, 1])
    result = verdict(labels, torch.tensor([0, 1, 2]))
    assert result.reason == "value: 2 of 3 entries differ"
    assert result.cases[0].error is None


@pytest.mark.parametrize("found", [[0.5, 0.25], torch.tensor([0.5, 0.25])])
def test_a_history_may_be_a_list_or_a_tensor(found):
    assert verdict([0.5, 0.25], found).fraction == 1
    assert "has 1 entries, expected 2" in verdict([0.5, 0.25], [0.5]).reason


def test_labels_may_be_of_any_integer_type_and_of_no_other():
    labels = torch.tensor([0, 2, 1])
    assert verdict(labels, labels.int()).fraction == 1
    assert verdict(labels, labels.double()).fraction == 0


def test_missing_evidence_and_exceptions_score_nothing():
    assert judge(check(RIGHT), {}).fraction == 0
    assert judge(check(RIGHT), {"case0": Outcome(raised="ValueError: bad")}).reason == (
        "raised ValueError: bad"
    )
    assert judge(check(RIGHT), {"case0": Outcome(raised="NotImplementedError")}).reason == (
        "not written yet (this function, or one that it calls)"
    )
    own = judge(check(RIGHT), {"case0": Outcome(raised="NotImplementedError: softmax on Long")})
    assert own.reason == "raised NotImplementedError: softmax on Long"


def test_points_follow_the_weights_of_the_cases():
    three = check(RIGHT, RIGHT, RIGHT)
    heavy = replace(three, cases=(replace(three.cases[0], weight=3.0), *three.cases[1:]))
    found = {"case0": returned(RIGHT), "case1": returned(RIGHT), "case2": returned(RIGHT + 1)}
    result = judge(heavy, found)
    assert result.fraction == pytest.approx(4 / 5)
    assert result.points(10) == 8


def test_points_never_round_up_to_full_marks():
    assert replace(verdict(RIGHT, RIGHT), fraction=0.99999).points(7) == 6.99


def test_expected_values_appear_only_where_they_may():
    assert (
        "expected -2" in verdict(RIGHT, RIGHT * torch.tensor([[1, 5], [1, 1]]), reveal=True).reason
    )
    hidden = verdict(RIGHT, RIGHT * torch.tensor([[1, 5], [1, 1]]))
    assert "-2" not in hidden.reason.replace("e-", "")


def doubled(share=0.5) -> KnownMistake:
    return KnownMistake("doubled", "halve it.", share, {"case0": returned(2 * RIGHT)})


def test_a_known_mistake_gives_its_hint_and_its_share():
    both = check(RIGHT, 0 * RIGHT, mistakes=(doubled(0.7),))
    result = judge(both, {"case0": returned(2 * RIGHT), "case1": returned(0 * RIGHT)})
    assert (result.mistake, result.hint, result.fraction) == ("doubled", "halve it.", 0.7)


def test_a_mistake_is_worth_no_less_than_the_cases_it_passed():
    both = check(RIGHT, 0 * RIGHT, mistakes=(doubled(0.1),))
    result = judge(both, {"case0": returned(2 * RIGHT), "case1": returned(0 * RIGHT)})
    assert result.fraction == 0.5


def everywhere_doubled(cases=2) -> KnownMistake:
    return replace(doubled(), outcomes={f"case{i}": returned(2 * RIGHT) for i in range(cases)})


def test_one_coincidence_is_no_mistake():
    three = check(RIGHT, RIGHT, RIGHT, mistakes=(everywhere_doubled(3),))
    found = {"case0": returned(2 * RIGHT), "case1": returned(RIGHT), "case2": returned(RIGHT)}
    assert judge(three, found).mistake == ""


def test_a_mistake_beside_another_error_gives_its_hint_without_its_share():
    both = check(RIGHT, RIGHT, mistakes=(everywhere_doubled(),))
    result = judge(both, {"case0": returned(2 * RIGHT), "case1": returned(3 * RIGHT)})
    assert (result.mistake, result.fraction) == ("doubled", 0)


def test_a_mistake_without_numbers_gives_its_hint_and_no_points():
    infinite = KnownMistake("overflow", "shift.", 0.5, {"case0": returned(RIGHT * torch.inf)})
    result = judge(check(RIGHT, mistakes=(infinite,)), {"case0": returned(RIGHT * torch.inf)})
    assert (result.mistake, result.hint, result.fraction) == ("overflow", "shift.", 0)


def test_an_exception_names_no_mistake():
    raising = KnownMistake("raising", "hint", 0.5, {"case0": Outcome(raised="ValueError: a")})
    result = judge(check(RIGHT, mistakes=(raising,)), {"case0": Outcome(raised="ValueError: b")})
    assert (result.mistake, result.fraction) == ("", 0)


def test_an_unknown_error_has_no_hint():
    result = judge(check(RIGHT, mistakes=(doubled(),)), {"case0": returned(7 * RIGHT)})
    assert (result.mistake, result.hint, result.fraction) == ("", "", 0)


def test_an_exception_alone_is_not_taken_for_a_mistake_that_raises_elsewhere():
    raising = KnownMistake("raising", "hint", 0.5, {"case0": Outcome(raised="ValueError: a")})
    two = check(RIGHT, RIGHT, mistakes=(raising,))
    result = judge(two, {"case0": Outcome(raised="ValueError: b"), "case1": returned(-RIGHT)})
    assert (result.mistake, result.fraction) == ("", 0)


def test_modified_inputs_fail_a_pure_check_and_explain_another():
    outcome = replace(returned(RIGHT), modified=("params.W1",))
    assert judge(check(RIGHT), {"case0": outcome}).fraction == 1
    wrong = judge(check(RIGHT), {"case0": replace(outcome, leaves=returned(-RIGHT).leaves)})
    assert wrong.reason.endswith("; the call changed its inputs: params.W1")
    pure = judge(check(RIGHT, pure=True), {"case0": outcome})
    assert pure.reason == "the call changed its inputs: params.W1"


LABELS = torch.tensor([0, 1, 2])


@pytest.mark.parametrize(
    "scores, reason",
    [
        (9 * torch.eye(3), "correct"),
        (torch.zeros(3, 3), "loss 1.1 on new samples; below 0.6 is needed"),
        (9 * torch.eye(3)[:2], "has shape (2, 3), expected one row of scores for each sample"),
        (9 * torch.eye(3)[:, :2], "has shape (3, 2)"),
        (torch.full((3, 3), torch.inf), "NaN or infinity"),
    ],
)
def test_cross_entropy_is_measured_against_labels_of_the_judge(scores, reason):
    measured = check(LABELS, criterion="cross_entropy_below", threshold=0.6)
    result = judge(measured, {"case0": returned(scores)})
    assert reason in result.reason
    assert (result.fraction == 1) == (reason == "correct")


LEVELS = Level("pass", 0.5, 0.4), Level("excellent", 0.75, 1.0)


@pytest.mark.parametrize(
    "labels, fraction, reason",
    [
        ([0, 1, 2, 3], 1, "correct"),
        ([0, 1, 2, 0], 1, "correct"),  # exactly at the level
        ([0, 1, 0, 0], 0.4, "2 of 4 right (50.0%): pass; 75% is needed for excellent"),
        ([0, 0, 0, 0], 0, "1 of 4 right (25.0%): 50% is needed for pass"),
        ([0, 1, 2], 0, "has shape (3,), expected (4,)"),
        ([0.0, 1.0, 2.0, 3.0], 0, "has dtype float32"),
    ],
)
def test_accuracy_is_worth_what_the_level_says_that_it_reaches(labels, fraction, reason):
    result = judge(with_levels(), {"case0": returned(torch.tensor(labels))})
    assert (result.fraction, reason in result.reason) == (fraction, True), result.reason


def test_a_public_case_of_labels_names_the_first_wrong_one():
    result = judge(with_levels(), {"case0": returned(torch.tensor([0, 1, 0, 0]))}, reveal=True)
    assert result.reason.endswith("; the first wrong one, value[2], is 0, expected 2")


def test_a_case_of_labels_that_passed_says_how_good_it_is():
    (case,) = judge(with_levels(), {"case0": returned(torch.arange(4))}).cases
    assert case.reason == "4 of 4 right (100.0%): excellent"


def test_the_best_case_counts_where_any_is_enough():
    right, wrong = returned(torch.arange(4)), returned(torch.zeros(4, dtype=torch.int64))
    half = returned(torch.tensor([0, 1, 0, 0]))
    either = replace(with_levels(2), any_case=True)
    assert judge(either, {"case0": wrong, "case1": right}).fraction == 1
    assert judge(with_levels(2), {"case0": wrong, "case1": right}).fraction == 0.5
    result = judge(either, {"case0": wrong, "case1": half})
    assert (result.fraction, result.reason.split(":")[0]) == (0.4, "2 of 4 right (50.0%)")


@pytest.mark.parametrize(
    "labels, fraction",
    [
        ([0, 0, 0, 0, 0, 0, 1, 2], 1),
        ([0, 0, 0, 0, 0, 0, 1, 1], 0.4),
        ([0, 0, 0, 0, 0, 0, 0, 0], 0),
        ([5, 5, 5, 5, 5, 5, 5, 5], 0),
        ([0, 0, 0, 0, 0, 5, 1, 2], 1),
    ],
)
def test_macro_f1_is_the_mean_over_the_classes_that_occur(labels, fraction):
    truth = torch.tensor([0, 0, 0, 0, 0, 0, 1, 2])
    measured = check(truth, criterion="macro_f1")
    measured = replace(measured, cases=tuple(replace(c, levels=LEVELS) for c in measured.cases))
    result = judge(measured, {"case0": returned(torch.tensor(labels))})
    labels_that_occur = f1_score(truth, labels, labels=[0, 1, 2], average="macro", zero_division=0)
    (case,) = result.cases
    assert result.fraction == fraction
    assert case.reason.startswith(f"macro-F1 {labels_that_occur:.1%}")


def with_levels(count=1):
    measured = check(*[torch.arange(4)] * count, criterion="accuracy")
    return replace(measured, cases=tuple(replace(c, levels=LEVELS) for c in measured.cases))


def test_broken_promises_are_named_together_in_the_order_of_the_records():
    names = ("shape", "bends", "alone", "budget", "twice")
    kept = Outcome({name: observe(1) for name in names})
    cases = (Case("case0", "case 0", {}, expected=kept),)
    promises = RecordedCheck("c", "a check", {name: f"return.{name}" for name in names}, cases)
    broken = Outcome({name: observe(int(name == "alone")) for name in names})
    reason = judge(promises, {"case0": broken}).reason
    assert reason == (
        "shape is 0, which is not right; bends is 0, which is not right; "
        "budget is 0, which is not right; and 1 more"
    )
    again = from_bytes(to_bytes({"c": promises}))["c"]
    assert list(again.records) == list(names)


def test_where_the_tolerance_is_absolute_the_reason_is_too():
    wide = replace(check(RIGHT), cases=(replace(check(RIGHT).cases[0], tolerance=WIDE),))
    assert judge(wide, {"case0": returned(RIGHT + 0.25)}).fraction == 1
    reason = judge(wide, {"case0": returned(RIGHT + 0.75)}).reason
    assert reason == "value: off by 0.75, at most 0.5 allowed"


def test_a_fraction_is_a_number():
    assert verdict(0.25, Fraction(1, 4)).fraction == 1


def test_an_auroc_far_below_a_half_asks_for_the_sign():
    labels = torch.tensor([True, True, False, False])
    levels = replace(check(labels), criterion="auroc", cases=(
        Case("case0", "", {}, expected=returned(labels), levels=(Level("pass", 0.8, 1.0),)),
    ))  # fmt: skip
    reason = judge(levels, {"case0": returned(torch.tensor([0.0, 1.0, 2.0, 3.0]))}).reason
    assert "larger numbers have to mean more defective" in reason


@pytest.mark.parametrize("value", [2.5, torch.tensor(2.5), torch.tensor(2.5).double()])
def test_a_mistake_is_known_as_a_number_and_as_a_tensor(value):
    mistake = KnownMistake("doubled", "half of it.", 0.5, {"case0": returned(2.5)})
    found = judge(check(1.25, mistakes=(mistake,)), {"case0": returned(value)})
    assert (found.mistake, found.fraction) == ("doubled", 0.5)


@pytest.mark.parametrize("wrong_form", [(2 * RIGHT[0]).tolist(), (2 * RIGHT[0]).numpy()])
def test_a_mistake_in_a_wrong_form_keeps_no_share(wrong_form):
    mistake = KnownMistake("doubled", "half of it.", 0.5, {"case0": returned(2 * RIGHT[0])})
    found = judge(check(RIGHT[0], mistakes=(mistake,)), {"case0": returned(wrong_form)})
    assert (found.mistake, found.fraction) == ("", 0)
