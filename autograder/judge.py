"""Evidence and right answers in, a verdict out.

The judge runs where the right answers are: in the student's notebook for the public
cases, outside of it for the hidden ones. It has no answers of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import floor

import torch

from autograder.cases import Case, KnownMistake, RecordedCheck, Tolerance
from autograder.evidence import Leaf, Outcome

NOT_WRITTEN = "NotImplementedError"


@dataclass(frozen=True)
class CaseVerdict:
    """What became of one case. `error` is the largest relative error, where it was measured."""

    name: str
    about: str
    passed: bool
    reason: str = ""
    error: float | None = None
    tolerance: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What became of a check: the fraction of its points, and why."""

    check: str
    title: str
    fraction: float
    reason: str
    cases: tuple[CaseVerdict, ...] = ()
    mistake: str = ""
    hint: str = ""

    def points(self, maximum: float) -> float:
        """Scale to points, to two decimals, never rounding up to full marks."""
        return maximum if self.fraction == 1 else floor(100 * self.fraction * maximum) / 100


def judge(
    check: RecordedCheck, outcomes: Mapping[str, Outcome], *, reveal: bool = False
) -> Verdict:
    """Compare the outcomes of a check with the right answers and with known mistakes.

    The fraction is the weight of the cases that passed. If every outcome is that of
    one known mistake, the mistake's share is the least the check is worth. With
    `reveal`, reasons quote expected values: for public cases only.
    """
    verdicts = tuple(
        _judge_case(check, case, outcomes.get(case.name), reveal) for case in check.cases
    )
    if all(verdict.passed for verdict in verdicts):
        return Verdict(check.name, check.title, 1.0, "correct", verdicts)
    total = sum(case.weight for case in check.cases)
    fraction = sum(c.weight for c, v in zip(check.cases, verdicts, strict=True) if v.passed) / total
    reason = next(verdict.reason for verdict in verdicts if not verdict.passed)
    failed = {verdict.name for verdict in verdicts if not verdict.passed}
    mistake, recognised = _recognise(check, outcomes, failed)
    if mistake is None:
        return Verdict(check.name, check.title, fraction, reason, verdicts)
    if recognised:
        fraction = max(fraction, mistake.share)
    return Verdict(check.name, check.title, fraction, reason, verdicts, mistake.name, mistake.hint)


def no_evidence(check: RecordedCheck, reason: str) -> Verdict:
    """Judge a check that left no evidence: no points, and the reason why."""
    return Verdict(check.name, check.title, 0.0, reason)


def relative_error(found: torch.Tensor, expected: torch.Tensor, tolerance: Tolerance) -> float:
    """Return the largest `|found - expected| / (|expected| + atol / rtol)` over all entries.

    It is at most rtol exactly where `|found - expected| <= atol + rtol * |expected|`.
    """
    if expected.numel() == 0:
        return 0.0
    found, expected = found.double(), expected.double()
    error = (found - expected).abs() / (expected.abs() + tolerance.atol / tolerance.rtol)
    return error.nan_to_num(nan=torch.inf).max().item()


def _judge_case(
    check: RecordedCheck, case: Case, outcome: Outcome | None, reveal: bool
) -> CaseVerdict:
    def fail(reason: str, error: float | None = None) -> CaseVerdict:
        return CaseVerdict(case.name, case.about, False, reason, error, case.tolerance.rtol)

    if outcome is None:
        return fail("this case left no evidence")
    if outcome.raised:
        return fail(_raised(outcome.raised))
    if check.pure and outcome.modified:
        return fail(f"the call changed its inputs: {', '.join(outcome.modified)}")
    errors = []
    for name in check.records:
        found, expected = outcome.leaves.get(name), case.expected.leaves[name]
        problem, error = CRITERIA[check.criterion](name, found, expected, case.tolerance, check)
        if problem:
            if reveal and error is not None:
                problem = _worst_entry(name, found, expected)
            return fail(problem, error)
        errors += [error] if error is not None else []
    largest = max(errors, default=None)
    return CaseVerdict(case.name, case.about, True, "", largest, case.tolerance.rtol)


def _raised(raised: str) -> str:
    return "not written yet" if raised.startswith(NOT_WRITTEN) else f"raised {raised}"


def _close(
    name: str, found: Leaf, expected: Leaf, tolerance: Tolerance, check: RecordedCheck
) -> tuple[str, float | None]:
    problem = _form(name, found, expected)
    if problem:
        return problem, None
    error = relative_error(found.tensor, expected.tensor, tolerance)
    if error <= tolerance.rtol:
        return "", error
    return f"{name}: relative error {error:.1e}, at most {tolerance.rtol:.0e} allowed", error


def _cross_entropy_below(
    name: str, found: Leaf, expected: Leaf, tolerance: Tolerance, check: RecordedCheck
) -> tuple[str, float | None]:
    """Measure scores (N, C) by their mean cross-entropy with labels only the judge has."""
    problem, labels = _kind(name, found, expected), expected.tensor
    if problem:
        return problem, None
    shape = tuple(found.tensor.shape)
    if len(shape) != 2 or shape[0] != len(labels) or shape[1] <= labels.max():
        return f"{name} has shape {shape}, expected one row of scores for each sample", None
    loss = torch.nn.functional.cross_entropy(found.tensor.double(), labels).item()
    if loss < check.threshold:
        return "", None
    return f"loss {loss:.3g} on new samples, below {check.threshold:g} needed", None


CRITERIA: dict[str, Callable[..., tuple[str, float | None]]] = {
    "close": _close,
    "cross_entropy_below": _cross_entropy_below,
}


def _kind(name: str, found: Leaf | None, expected: Leaf) -> str:
    """Say what is wrong with the kind of a leaf, its device, or its being finite."""
    if found is None:
        return f"{name} was not recorded"
    if found.kind == "other":
        return f"{name}: found {found.text}, expected {WANTED[expected.kind]}"
    if expected.kind == "tensor" and found.kind in ("array", "numbers"):
        noun = {"array": "a NumPy array", "numbers": "a list of numbers"}[found.kind]
        return f"{name} is {noun}, expected a torch tensor"
    if found.device != "cpu":
        return f"{name} is on {found.device}, expected the device of the inputs, cpu"
    bad = int((~found.tensor.isfinite()).sum())
    return f"{name} has NaN or infinity in {bad} of {found.tensor.numel()} entries" if bad else ""


WANTED = {"tensor": "a torch tensor", "number": "a number", "numbers": "a list of numbers"}


def _form(name: str, found: Leaf | None, expected: Leaf) -> str:
    """Say what is wrong with the form of a leaf: its kind, its shape or its dtype."""
    problem = _kind(name, found, expected)
    if problem:
        return problem
    if found.tensor.shape != expected.tensor.shape:
        if expected.kind == found.kind == "numbers":
            return f"{name} has {len(found.tensor)} entries, expected {len(expected.tensor)}"
        shape, wanted = tuple(found.tensor.shape), tuple(expected.tensor.shape)
        return f"{name} has shape {shape}, expected {wanted}"
    python_numbers = {found.kind, expected.kind} & {"number", "numbers"}
    if python_numbers or _same_dtype(found.tensor, expected.tensor):
        return ""
    found_dtype, wanted = (
        str(leaf.tensor.dtype).removeprefix("torch.") for leaf in (found, expected)
    )
    return f"{name} has dtype {found_dtype}, expected {wanted}"


def _same_dtype(found: torch.Tensor, expected: torch.Tensor) -> bool:
    if expected.dtype.is_floating_point or expected.dtype is torch.bool:
        return found.dtype is expected.dtype
    return not (found.dtype.is_floating_point or found.dtype is torch.bool)


def _worst_entry(name: str, found: Leaf, expected: Leaf) -> str:
    """Quote the entry that is farthest off."""
    one, other = found.tensor.double(), expected.tensor.double()
    flat = (one - other).abs().argmax()
    index = tuple(int(i) for i in torch.unravel_index(flat, other.shape))
    place = f"{name}[{', '.join(map(str, index))}]" if index else name
    return f"{place}: expected {other[index].item():.6g}, found {one[index].item():.6g}"


def _recognise(
    check: RecordedCheck, outcomes: Mapping[str, Outcome], failed: set[str]
) -> tuple[KnownMistake | None, bool]:
    """Find the mistake whose outcome every case shows, or else one that a failed case shows."""
    partly = None
    for mistake in check.mistakes:
        alike = {
            case.name
            for case in check.cases
            if _shows(check, mistake, case, outcomes.get(case.name))
        }
        if len(alike) == len(check.cases):
            return mistake, True
        telling = {name for name in alike & failed if _telling(mistake.outcomes.get(name))}
        partly = partly or (mistake if telling else None)
    return partly, False


def _telling(outcome: Outcome | None) -> bool:
    """Say whether an outcome points to one mistake: an exception or a NaN can have any cause."""
    return (
        outcome is not None
        and not outcome.raised
        and all(
            leaf.tensor is not None and bool(leaf.tensor.isfinite().all())
            for leaf in outcome.leaves.values()
        )
    )


def _shows(
    check: RecordedCheck, mistake: KnownMistake, case: Case, outcome: Outcome | None
) -> bool:
    if outcome is None:
        return False
    wanted = mistake.outcomes.get(case.name, case.expected)  # recorded only where it differs
    if wanted.raised or outcome.raised:
        return wanted.raised.split(":")[0] == outcome.raised.split(":")[0]
    if check.pure and set(wanted.modified) != set(outcome.modified):
        return False
    return all(
        same_leaf(leaf, outcome.leaves.get(name), case.tolerance)
        for name, leaf in wanted.leaves.items()
    )


def same_leaf(one: Leaf, other: Leaf | None, tolerance: Tolerance) -> bool:
    """Say whether two leaves are of one form and equal within a tolerance (NaN equals NaN)."""
    if other is None or (one.tensor is None) != (other.tensor is None):
        return False
    if one.tensor is None:
        return one.text == other.text
    if (one.kind == "array") != (other.kind == "array"):
        return False
    return (
        one.tensor.shape == other.tensor.shape
        and one.tensor.dtype == other.tensor.dtype
        and torch.allclose(
            one.tensor.double(),
            other.tensor.double(),
            tolerance.rtol,
            tolerance.atol,
            equal_nan=True,
        )
    )
