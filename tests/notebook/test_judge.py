"""Outcomes against right answers and known mistakes: points, a reason, a hint."""

from dataclasses import replace

import pytest
import torch

from autograder.notebook.cases import (
    Case,
    KnownMistake,
    Level,
    RecordedCheck,
    from_bytes,
    to_bytes,
)
from autograder.notebook.evidence import Outcome, observe
from autograder.notebook.judge import judge

RIGHT = torch.tensor([[1.0, -2.0], [0.0, 4.0]], dtype=torch.float64)


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


def test_a_right_outcome_has_all_the_points_and_says_how_near_it_was():
    result = judge(check(RIGHT, RIGHT), {"case0": returned(RIGHT), "case1": returned(RIGHT)})
    assert (result.fraction, result.reason, result.points(7)) == (1, "correct", 7)
    assert [(c.passed, c.error, c.tolerance) for c in result.cases] == 2 * [(True, 0, 1e-7)]


def test_a_wrong_outcome_has_none_and_its_reason():
    result = verdict(RIGHT, RIGHT[0])
    assert (result.fraction, result.reason) == (0, "value has shape (2,), expected (2, 2)")
    assert result.cases[0].error is None


def test_one_wrong_record_fails_the_case():
    both = replace(check(), records={"scores": "return.0", "hidden": "return.1"}, cases=(
        Case("case0", "", {}, expected=Outcome({"scores": observe(1.5), "hidden": observe(2.5)})),
    ))  # fmt: skip
    found = {"case0": Outcome({"scores": observe(1.5), "hidden": observe(3.5)})}
    result = judge(both, found)
    assert (result.fraction, result.reason[:22]) == (0, "hidden: relative error")
    found = {"case0": Outcome({"hidden": observe(2.5)})}
    assert judge(both, found).reason == "scores was not recorded"


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
    """In the cases in which it shows the numbers are its own; elsewhere another thing is wrong."""
    three = check(RIGHT, RIGHT, RIGHT, mistakes=(everywhere_doubled(2),))
    found = {f"case{i}": returned(2 * RIGHT) for i in range(2)} | {"case2": returned(3 * RIGHT)}
    result = judge(three, found)
    assert (result.mistake, result.fraction, result.certain) == ("doubled", 0, True)


def test_a_mistake_that_does_not_explain_a_case_in_which_it_shows_is_not_told():
    both = check(RIGHT, RIGHT, mistakes=(everywhere_doubled(),))
    result = judge(both, {"case0": returned(2 * RIGHT), "case1": returned(3 * RIGHT)})
    assert (result.mistake, result.hint, result.fraction) == ("", "", 0)


def test_what_rests_on_a_single_case_is_said_to_be_uncertain():
    for number, certain in ((1, False), (2, True)):
        cases = check(*[RIGHT] * number, 0 * RIGHT, mistakes=(everywhere_doubled(number),))
        found = {f"case{i}": returned(2 * RIGHT) for i in range(number)}
        result = judge(cases, found | {f"case{number}": returned(0 * RIGHT)})
        assert (result.mistake, result.certain, result.fraction) == (
            "doubled", certain, max(0.5, 1 / (number + 1)),
        )  # fmt: skip


def like_doubled(hint, **others) -> KnownMistake:
    """Another mistake, which is the same in the first case."""
    outcomes = {"case0": returned(2 * RIGHT)} | {c: returned(o) for c, o in others.items()}
    return KnownMistake("alike", hint, 0.5, outcomes)


def test_what_could_be_two_mistakes_is_told_as_what_may_be_unless_they_share_their_hint():
    first = everywhere_doubled(2)
    for hint, certain in (("another one.", False), ("halve it.", True)):
        both = check(RIGHT, RIGHT, mistakes=(first, replace(first, name="alike", hint=hint)))
        result = judge(both, {f"case{i}": returned(2 * RIGHT) for i in range(2)})
        assert (result.mistake, result.certain) == ("doubled", certain)


def test_beside_another_error_a_mistake_needs_a_case_that_sets_it_apart():
    other = like_doubled("another one.", case1=5 * RIGHT)
    three = check(RIGHT, RIGHT, RIGHT, mistakes=(doubled(), other))
    found = {"case0": returned(2 * RIGHT), "case1": returned(RIGHT), "case2": returned(9 * RIGHT)}
    assert judge(three, found).mistake == ""
    assert judge(three, found | {"case1": returned(5 * RIGHT)}).mistake == "alike"


def test_a_right_case_is_right_in_another_dtype_too():
    """The mistake shows in one case only, and its dtype in all."""
    counts = torch.tensor([1, 2])
    wrapped = KnownMistake("eight_bits", "use int64.", 0.5, {"case0": returned(counts.byte())})
    two = check(counts + 256, counts, mistakes=(wrapped,))
    found = {f"case{i}": returned(counts.byte()) for i in range(2)}
    assert judge(two, found).mistake == "eight_bits"


def test_beside_another_error_a_mistake_needs_several_cases():
    three = check(RIGHT, RIGHT, RIGHT, mistakes=(doubled(),))
    found = {"case0": returned(2 * RIGHT), "case1": returned(RIGHT), "case2": returned(RIGHT)}
    assert judge(three, found).mistake == "doubled"
    assert judge(three, found | {"case2": returned(9 * RIGHT)}).mistake == ""


def test_a_mistake_without_numbers_gives_its_hint_and_no_points():
    infinite = KnownMistake("overflow", "shift.", 0.5, {"case0": returned(RIGHT * torch.inf)})
    result = judge(check(RIGHT, mistakes=(infinite,)), {"case0": returned(RIGHT * torch.inf)})
    assert (result.mistake, result.hint, result.fraction) == ("overflow", "shift.", 0)


def test_a_mistake_without_numbers_is_certain_if_it_shows_in_several_cases():
    outcomes = {f"case{i}": returned(RIGHT * torch.inf) for i in range(2)}
    infinite = KnownMistake("overflow", "shift.", 0.5, outcomes)
    result = judge(check(RIGHT, RIGHT, mistakes=(infinite,)), outcomes)
    assert (result.mistake, result.fraction, result.certain) == ("overflow", 0, True)


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


LEVELS = Level("pass", 0.5, 0.4), Level("excellent", 0.75, 1.0)


def test_a_public_case_of_labels_names_the_first_wrong_one():
    result = judge(with_levels(), {"case0": returned(torch.tensor([0, 1, 0, 0]))}, reveal=True)
    assert result.reason.endswith("; the first wrong one, value[2], is 0, expected 2")


def test_a_case_of_labels_that_passed_says_how_good_it_is():
    (case,) = judge(with_levels(), {"case0": returned(torch.arange(4))}).cases
    assert case.reason == "4 of 4 right (100.0%)"


def test_the_best_case_counts_where_any_is_enough():
    right, wrong = returned(torch.arange(4)), returned(torch.zeros(4, dtype=torch.int64))
    half = returned(torch.tensor([0, 1, 0, 0]))
    either = replace(with_levels(2), any_case=True)
    assert judge(either, {"case0": wrong, "case1": right}).fraction == 1
    assert judge(with_levels(2), {"case0": wrong, "case1": right}).fraction == 0.5
    result = judge(either, {"case0": wrong, "case1": half})
    assert (result.fraction, result.reason.split(":")[0]) == (0.4, "2 of 4 right (50.0%)")


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


@pytest.mark.parametrize(
    "raised",
    [
        "RuntimeError: Found no NVIDIA driver on your system.",
        "AssertionError: Torch not compiled with CUDA enabled",
        "RuntimeError: No CUDA GPUs are available",
    ],
)
def test_who_asks_for_a_gpu_by_name_is_told_where_the_checks_run(raised):
    found = judge(check(RIGHT), {"case0": Outcome(raised=raised)})
    assert found.fraction == 0
    assert found.reason == (
        f"raised {raised}; the checks run on a CPU: "
        "make new tensors where the input is, with device=X.device"
    )
