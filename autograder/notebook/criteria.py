"""One recorded value against the expected one: what is wrong with it, and by how much."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
import torch

from autograder.notebook.cases import Case, Level, RecordedCheck, Tolerance
from autograder.notebook.evidence import Leaf

WANTED = {"tensor": "a torch tensor", "number": "a number", "numbers": "a list of numbers"}
ROUNDED = 1_000  # on two processors, we saw 80
SMALLEST = 1e-16  # stands for a relative tolerance of 0, by which nothing can be divided
FOUND = {"array": "a NumPy array", "number": "a Python number", "numbers": "a list of numbers"}


@dataclass(frozen=True)
class Measurement:
    """A measured value. `problem` is empty if it passed.

    `credit` is what it is worth nevertheless, from 0 to 1; `error` is the relative error
    where there is one, `note` a figure worth showing, and `quote` the worst entry,
    expected and found: for public cases only. `is_count` says that it is a wrong whole
    number: a count, or a promise that was not kept.
    """

    problem: str = ""
    credit: float = 0.0
    error: float | None = None
    note: str = ""
    quote: str = ""
    is_count: bool = False


def close(
    name: str, found: Leaf | None, expected: Leaf, case: Case, check: RecordedCheck
) -> Measurement:
    """Measure entry by entry: `|found - expected| <= atol + rtol * |expected|`."""
    problem = wrong_form(name, found, expected)
    if problem or found is None:
        return Measurement(problem)
    got, wanted = tensors(found, expected)
    if not wanted.dtype.is_floating_point:
        wrong = int((got != wanted).sum())
        if not wrong:
            return Measurement()
        problem = f"{name}: {wrong} of {wanted.numel()} entries differ"
        return Measurement(problem, quote=worst_entry(name, got, wanted, case.tolerance))
    error, rtol = relative_error(got, wanted, case.tolerance), case.tolerance.rtol or SMALLEST
    if error <= rtol:
        return Measurement(error=error)
    quote = worst_entry(name, got, wanted, case.tolerance)
    if found.kind == expected.kind == "number" and wanted == wanted.round():
        problem = f"{name} is {got.item():g}, which is not right"
        return Measurement(problem, quote=quote, is_count=True)
    problem = f"{name}: relative error {error:.1e}, at most {rtol:.0e} allowed"
    if case.tolerance.atol > rtol * wanted.abs().max():
        off = (got.double() - wanted.double()).abs().max()
        problem = f"{name}: off by {off:.3g}, at most {case.tolerance.atol:g} allowed"
    if single_precision(got, wanted):
        problem, quote = (f"{text} (as if computed in float32)" for text in (problem, quote))
    return Measurement(problem, error=error, quote=quote)


def cross_entropy_below(
    name: str, found: Leaf | None, expected: Leaf, case: Case, check: RecordedCheck
) -> Measurement:
    """Measure scores (N, C) by their mean cross-entropy with labels only the judge has."""
    problem = wrong_kind(name, found, expected)
    if problem:
        return Measurement(problem)
    scores, labels = tensors(found, expected)
    shape = tuple(scores.shape)
    if len(shape) != 2 or shape[0] != len(labels) or shape[1] <= labels.max():
        problem = f"{name} has shape {shape}, expected one row of scores for each sample"
        return Measurement(problem)
    loss = torch.nn.functional.cross_entropy(scores.double(), labels).item()
    assert check.threshold is not None, check.name
    note = f"loss {loss:.3g} on new samples; below {check.threshold:g} is needed"
    return Measurement("" if loss < check.threshold else note, note=note, quote=note)


def accuracy(
    name: str, found: Leaf | None, expected: Leaf, case: Case, check: RecordedCheck
) -> Measurement:
    """Measure labels (N,) by the share of right ones, against the levels of the case.

    Full marks from the highest level on; below the lowest, nothing.
    """
    problem = wrong_form(name, found, expected)
    if problem:
        return Measurement(problem)
    got, wanted = tensors(found, expected)
    right, total = int((got == wanted).sum()), len(wanted)
    note = f"{right} of {total} right ({right / total:.1%})"
    measured = against_levels(right / total, note, case.levels)
    if not measured.problem:
        return measured
    quote = f"{measured.problem}; {first_wrong(name, got, wanted, case, check.words)}"
    return replace(measured, quote=quote)


def first_wrong(
    name: str,
    found: torch.Tensor,
    expected: torch.Tensor,
    case: Case,
    words: Sequence[str] = (),
) -> str:
    """Quote the first wrong label.

    If the check has `words`, or the inputs of the case, one for each label, they are quoted in
    its place; and what is labelled has the name that it has in a dict of that many inputs.
    """
    first = int((found != expected).to(torch.uint8).argmax())
    labels, place = (found[first].item(), expected[first].item()), f"{name}[{first}]"
    if words := case.inputs.get("words") or words:
        labels = in_words(labels[0], words), in_words(labels[1], words)
        for value in case.inputs.values():
            if isinstance(value, dict) and len(value) == len(expected):
                place = list(value)[first]
    return "the first wrong one, {}, is {}, expected {}".format(place, *labels)


def in_words(label: float, words: Sequence[str]) -> str:
    """Quote the word for a label: 'cat'. A label that has none is none of them; without any, 3."""
    if not words:
        return f"{label}"
    return repr(words[int(label)]) if label in range(len(words)) else "none of the words"


def macro_f1(
    name: str, found: Leaf | None, expected: Leaf, case: Case, check: RecordedCheck
) -> Measurement:
    """Measure labels (N,) by the mean F1 of the classes that occur, against the levels."""
    problem = wrong_form(name, found, expected)
    if problem:
        return Measurement(problem)
    got, wanted = tensors(found, expected)
    scores = {}
    for label in wanted.unique():
        is_it, said = wanted == label, got == label
        scores[label.item()] = (2 * (is_it & said).sum() / (is_it.sum() + said.sum())).item()
    worst = min(scores, key=scores.__getitem__)
    mean = sum(scores.values()) / len(scores)
    least = in_words(worst, check.words)
    note = f"macro-F1 {mean:.1%} (least for class {least}, {scores[worst]:.1%})"
    return against_levels(mean, note, case.levels)


def auroc(
    name: str, found: Leaf | None, expected: Leaf, case: Case, check: RecordedCheck
) -> Measurement:
    """Measure scores by the area under their ROC curve, against the levels of the case.

    It is how often what is defective scores higher than what is not; what is, only the
    judge knows.
    """
    problem = wrong_kind(name, found, expected)
    if problem:
        return Measurement(problem)
    scores, defective = tensors(found, expected)
    if scores.shape != defective.shape:
        shape, wanted = tuple(scores.shape), tuple(defective.shape)
        return Measurement(f"{name} has shape {shape}, expected {wanted}")
    from sklearn.metrics import roc_auc_score  # takes a second, and few checks need it

    is_defective = defective.flatten().numpy()
    value = float(roc_auc_score(is_defective, scores.double().flatten().numpy()))
    turned = " (below 50%: larger numbers have to mean more defective)" if value < 0.45 else ""
    return against_levels(value, f"AUROC {value:.1%}{turned}", case.levels)


def against_levels(value: float, note: str, levels: Sequence[Level]) -> Measurement:
    """Measure a quality by the levels that it reaches. What is perfect needs no name of a level."""
    reached = [level for level in levels if value >= level.at_least]
    if len(reached) == len(levels):
        return Measurement(note=f"{note}: {reached[-1].name}" if reached and value < 1 else note)
    following = levels[len(reached)]
    level = f"{reached[-1].name}; " if reached else ""
    note = f"{note}: {level}{percent(following.at_least)} is needed for {following.name}"
    credit = reached[-1].credit if reached else 0.0
    return Measurement(note, credit, note=note, quote=note)


def percent(share: float) -> str:
    """Write a share with as many digits as it has: 50%, 65.285%."""
    return f"{100 * share:.6g}%"


Criterion = Callable[[str, Leaf | None, Leaf, Case, RecordedCheck], Measurement]
CRITERIA: dict[str, Criterion] = {
    c.__name__: c for c in (close, cross_entropy_below, accuracy, macro_f1, auroc)
}


def relative_error(found: torch.Tensor, expected: torch.Tensor, tolerance: Tolerance) -> float:
    """Return the largest `|found - expected| / (|expected| + atol / rtol)` over all entries.

    It is at most rtol exactly where `|found - expected| <= atol + rtol * |expected|`.
    """
    if expected.numel() == 0:
        return 0.0
    worst = _relative_errors(found, expected, tolerance).max().item()
    return worst if isfinite(worst) else np.nan_to_num(worst, nan=np.inf).item()


def _relative_errors(
    found: torch.Tensor, expected: torch.Tensor, tolerance: Tolerance
) -> np.ndarray:
    slack = tolerance.atol / (tolerance.rtol or SMALLEST)
    got, wanted = found.double().numpy(), expected.double().numpy()  # many are small: torch is slow
    with np.errstate(all="ignore"):
        return np.abs(got - wanted) / (np.abs(wanted) + slack)


def single_precision(found: torch.Tensor, expected: torch.Tensor) -> bool:
    """Say whether a float64 result is as far off as one that went through float32.

    A single number may be so for another reason (log(p + 1e-12)): it has to be one of float32.
    """
    if expected.dtype is not torch.float64:
        return False
    is_float32 = expected.numel() > 1 or bool((found.double() == found.float().double()).all())
    return is_float32 and torch.allclose(found.double(), expected, 3e-6, 1e-6)


def wrong_kind(name: str, found: Leaf | None, expected: Leaf) -> str:
    """Say what is wrong with the kind of a leaf, its device, or its being finite."""
    if found is None:
        return f"{name} was not recorded"
    if found.kind == "missing":
        return f"{name}: {found.text}"
    if found.kind == "other" or found.tensor is None:
        return f"{name}: found {found.text}, expected {WANTED[expected.kind]}"
    if expected.kind == "tensor" and found.kind != "tensor":
        return f"{name} is {FOUND[found.kind]}, expected a torch tensor"
    if found.device != "cpu":
        return f"{name} is on {found.device}, expected the device of the inputs, cpu"
    if not found.tensor.is_floating_point():
        return ""
    bad = np.count_nonzero(~np.isfinite(found.tensor.double().numpy()))
    return f"{name} has NaN or infinity in {bad} of {found.tensor.numel()} entries" if bad else ""


def wrong_form(name: str, found: Leaf | None, expected: Leaf) -> str:
    """Say what is wrong with the form of a leaf: its kind, its shape or its dtype."""
    problem = wrong_kind(name, found, expected)
    if problem or found is None:
        return problem
    got, wanted = tensors(found, expected)
    if got.shape != wanted.shape:
        if expected.kind == found.kind == "numbers":
            return f"{name} has {len(got)} entries, expected {len(wanted)}"
        return f"{name} has shape {tuple(got.shape)}, expected {tuple(wanted.shape)}"
    python_numbers = {found.kind, expected.kind} & {"number", "numbers"}
    if python_numbers or same_dtype(got, wanted):
        return ""
    dtypes = [str(tensor.dtype).removeprefix("torch.") for tensor in (got, wanted)]
    return f"{name} has dtype {dtypes[0]}, expected {dtypes[1]}"


def tensors(found: Leaf | None, expected: Leaf) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the tensors of two leaves with nothing wrong with their kinds."""
    assert found is not None and found.tensor is not None and expected.tensor is not None
    return found.tensor, expected.tensor


def same_dtype(found: torch.Tensor, expected: torch.Tensor) -> bool:
    """Compare dtypes; for labels, any integer type will do."""
    if expected.dtype.is_floating_point or expected.dtype is torch.bool:
        return found.dtype is expected.dtype
    return not (found.dtype.is_floating_point or found.dtype is torch.bool)


def worst_entry(
    name: str, found: torch.Tensor, expected: torch.Tensor, tolerance: Tolerance
) -> str:
    """Quote the entry with the largest relative error, the one that the table shows."""
    found, expected = found.double(), expected.double()
    if expected.numel() == 0:
        return ""
    flat = int(_relative_errors(found, expected, tolerance).argmax())
    index = tuple(map(int, np.unravel_index(flat, expected.shape)))  # torch's imports sympy
    place = f"{name}[{', '.join(map(str, index))}]" if index else name
    values = expected[index].item(), found[index].item()
    digits = 6 if f"{values[0]:.6g}" != f"{values[1]:.6g}" else 12
    return f"{place}: expected {values[0]:.{digits}g}, found {values[1]:.{digits}g}"


def same_leaf(wanted: Leaf, found: Leaf | None, tolerance: Tolerance) -> bool:
    """Say whether a leaf is of the form of another, and equal within a tolerance (NaN equals NaN).

    As in `wrong_form`, a tensor is as good as a Python number or a list of numbers that is
    wanted, and not the reverse. What a mistake computes may be a small difference of large
    numbers, and then another processor rounds it to something else: an entry may also be off by
    ROUNDED times the resolution of the tensor's largest entry, in float32 if both went through it.
    """
    if found is None:
        return False
    if wanted.tensor is None or found.tensor is None:
        return wanted.kind == found.kind and wanted.text == found.text
    a, b = wanted.tensor, found.tensor
    python_numbers = wanted.kind in ("number", "numbers")
    if (
        (wanted.kind != found.kind and not python_numbers)
        or a.shape != b.shape
        or (a.dtype != b.dtype and not python_numbers)
    ):
        return False
    ours, theirs = a.double().numpy(), b.double().numpy()
    return _alike(ours, theirs, tolerance) or _alike(
        ours, theirs, Tolerance(tolerance.rtol, _rounding(ours, theirs, a.dtype))
    )


def _rounding(wanted: np.ndarray, found: np.ndarray, dtype: torch.dtype) -> float:
    """Return by how much rounding may move any entry of several, beside the largest one."""
    if wanted.size < 2 or not dtype.is_floating_point:
        return 0.0
    largest = np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0)
    both_single = dtype is torch.float64 and _went_through_float32(wanted, found)
    return ROUNDED * torch.finfo(torch.float32 if both_single else dtype).eps * float(largest)


def _went_through_float32(*values: np.ndarray) -> bool:
    """Say whether arrays of float64 have values of float32 only, and not just short ones."""
    with np.errstate(all="ignore"):
        return all((v == v.astype(np.float32)).all() and (v != v.astype(np.float16)).any()
                   for v in values)  # fmt: skip


def _alike(wanted: np.ndarray, found: np.ndarray, tolerance: Tolerance) -> bool:
    """Do as torch.allclose(…, equal_nan=True) does, which takes ten times as long."""
    with np.errstate(all="ignore"):
        off = np.abs(wanted - found)
        near = (off <= tolerance.atol + tolerance.rtol * np.abs(found)) & (off < np.inf)
    return bool((near | (wanted == found) | ((wanted != wanted) & (found != found))).all())
