"""Evidence and right answers in, a verdict out.

The judge runs where the right answers are: in the student's notebook for the public
cases, outside of it for the hidden ones. It has no answers of its own.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from math import floor

from autograder.notebook.cases import Case, KnownMistake, RecordedCheck
from autograder.notebook.criteria import CRITERIA, Measurement, same_leaf
from autograder.notebook.evidence import Outcome, clip

NOT_WRITTEN = "not written yet (this function, or one that it calls)"
NO_GPU = "NVIDIA driver", "not compiled with CUDA", "No CUDA GPUs", "MPS backend"
ON_CPU = "; the checks run on a CPU: make new tensors where the input is, with device=X.device"
SEVERAL = 3  # broken promises that a reason names


@dataclass(frozen=True)
class CaseVerdict:
    """What became of one case: the part of its points that it keeps, and why.

    `error` is the largest relative error, where it was measured.
    """

    name: str
    about: str
    credit: float
    reason: str = ""
    error: float | None = None
    tolerance: float | None = None

    @property
    def passed(self) -> bool:
        """Say whether all its points were given."""
        return self.credit == 1


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
    certain: bool = True  # whether more than a single case speaks for the mistake

    def points(self, maximum: float) -> float:
        """Scale to points, to two decimals, never rounding up to full marks."""
        return maximum if self.fraction == 1 else floor(100 * self.fraction * maximum) / 100


def judge(
    check: RecordedCheck, outcomes: Mapping[str, Outcome], *, reveal: bool = False
) -> Verdict:
    """Compare the outcomes of a check with the right answers and with known mistakes.

    The fraction is the weight of the cases that passed, and the credit of the others; with
    `any_case`, it is that of the best case. If every outcome is that of one known mistake, to
    the numbers, the mistake's credit is the least the check is worth. With `reveal`, reasons
    quote expected values: for public cases only.
    """
    verdicts = tuple(_judge_case(check, c, outcomes.get(c.name), reveal) for c in check.cases)
    enough = any if check.any_case else all
    if enough(verdict.passed for verdict in verdicts):
        return Verdict(check.name, check.title, 1.0, "correct", verdicts)
    if check.any_case:
        best = max(verdicts, key=lambda verdict: verdict.credit)
        fraction, reason = best.credit, best.reason
    else:
        fraction = _weighted_credit(check.cases, verdicts)
        reason = next(verdict.reason for verdict in verdicts if not verdict.passed)
    right = {verdict.name for verdict in verdicts if verdict.passed}
    mistake, credit, certain = _recognise(check, outcomes, right)
    verdict = Verdict(check.name, check.title, max(fraction, credit), reason, verdicts)
    if mistake is None:
        return verdict
    return replace(verdict, mistake=mistake.name, hint=mistake.hint, certain=certain)


def no_evidence(check: RecordedCheck, reason: str) -> Verdict:
    """Judge a check that left no evidence: no points, and the reason why."""
    return Verdict(check.name, check.title, 0.0, reason)


def _weighted_credit(cases: Sequence[Case], verdicts: Sequence[CaseVerdict]) -> float:
    total = sum(case.weight for case in cases)
    return sum(c.weight * v.credit for c, v in zip(cases, verdicts, strict=True)) / total


def _judge_case(
    check: RecordedCheck, case: Case, outcome: Outcome | None, reveal: bool
) -> CaseVerdict:
    def verdict(credit: float, reason: str, error: float | None = None) -> CaseVerdict:
        return CaseVerdict(case.name, case.about, credit, reason, error, case.tolerance.rtol)

    if outcome is None:
        return verdict(0.0, "this case left no evidence")
    if outcome.raised:
        unwritten = outcome.raised.rstrip(": ") == "NotImplementedError"
        advice = ON_CPU if any(sign in outcome.raised for sign in NO_GPU) else ""
        return verdict(0.0, NOT_WRITTEN if unwritten else f"raised {outcome.raised}{advice}")
    spoilt = clip(f"the call changed its inputs: {', '.join(outcome.modified)}")
    if check.pure and outcome.modified:
        return verdict(0.0, spoilt)
    assert case.expected is not None, case.name
    measured = [
        CRITERIA[check.criterion](
            name, outcome.leaves.get(name), case.expected.leaves[name], case, check
        )
        for name in check.records
    ]
    failed = [m for m in measured if m.problem]
    if failed:
        reasons = _reasons(failed, reveal)
        reasons += [spoilt] if outcome.modified and not case.expected.modified else []
        return verdict(min(m.credit for m in failed), "; ".join(reasons), failed[0].error)
    errors = [m.error for m in measured if m.error is not None]
    return verdict(1.0, measured[0].note, max(errors, default=None))


def _reasons(failed: Sequence[Measurement], reveal: bool) -> list[str]:
    """Tell the first failure, or with it the other broken promises."""
    told = [m for m in failed if m.is_count] if failed[0].is_count else failed[:1]
    reasons = [(reveal and m.quote) or m.problem for m in told[:SEVERAL]]
    return reasons + ([f"and {len(told) - SEVERAL} more"] if len(told) > SEVERAL else [])


def _recognise(
    check: RecordedCheck, outcomes: Mapping[str, Outcome], right: Set[str]
) -> tuple[KnownMistake | None, float, bool]:
    """Find the mistake that the outcomes show, the credit it keeps, and whether it is certain.

    All numbers must match: those of every case in which the mistake shows. If the other cases are
    right, it keeps its credit. If they are wrong in a different way, the hint is given without the
    credit, provided that several cases point to it and one fits no other mistake. A mistake that
    leaves no numbers (a wrong form, infinity) is named only if nothing else is wrong, without its
    credit; one that only ever raises is not named, because an exception can have any cause. If
    another mistake, perhaps of another function, explains all cases equally well, or a single case
    is all the evidence, the mistake is not certain.
    """
    sure, partly = [], []
    for mistake in check.mistakes:
        shown = [case for case in check.cases if case.name in mistake.outcomes]
        if all(outcome.raised for outcome in mistake.outcomes.values()) or not all(
            _shows(check, mistake, case, outcomes.get(case.name)) for case in shown
        ):
            continue
        telling = [case for case in shown if _telling(mistake.outcomes[case.name])]
        if all(case in shown or case.name in right for case in check.cases):
            sure.append((mistake, len(shown), bool(telling)))
        elif len(telling) > 1 and any(_is_apart(check, mistake, case) for case in telling):
            partly.append((mistake, len(telling), False))
    hints = {mistake.hint for mistake, *_ in sure or partly}
    if not hints or (not sure and len(hints) > 1):
        return None, 0.0, False
    mistake, speak_for_it, keeps_credit = (sure or partly)[0]
    credit = mistake.credit if keeps_credit else 0.0
    return mistake, credit, speak_for_it > 1 and len(hints) == 1


def _is_apart(check: RecordedCheck, mistake: KnownMistake, case: Case) -> bool:
    """Say whether no mistake with another hint has the outcome of this one in a case."""
    return not any(
        other.hint != mistake.hint and _shows(check, other, case, mistake.outcomes[case.name])
        for other in check.mistakes
    )


def alike(check: RecordedCheck, one: KnownMistake, other: KnownMistake) -> bool:
    """Say whether two mistakes have the same outcome in every case of a check."""
    return all(
        _shows(check, one, case, other.outcomes.get(case.name, case.expected))
        for case in check.cases
    )


def _telling(outcome: Outcome | None) -> bool:
    """Say whether an outcome has numbers that point to one mistake."""
    return outcome is not None and not outcome.raised and all(
        leaf.tensor is not None and bool(leaf.tensor.isfinite().all())
        for leaf in outcome.leaves.values()
    )  # fmt: skip


def _shows(
    check: RecordedCheck, mistake: KnownMistake, case: Case, outcome: Outcome | None
) -> bool:
    if outcome is None:
        return False
    wanted = mistake.outcomes.get(case.name, case.expected)  # recorded only where it differs
    assert wanted is not None, case.name
    if wanted.raised or outcome.raised:
        return wanted.raised.split(":")[0] == outcome.raised.split(":")[0]
    if check.pure and set(wanted.modified) != set(outcome.modified):
        return False
    return all(
        same_leaf(leaf, outcome.leaves.get(name), case.tolerance)
        for name, leaf in wanted.leaves.items()
    )
