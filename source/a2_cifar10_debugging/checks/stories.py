"""The diagnosis of a real training run: decided by experiments, not by its curves alone.

Every setting of the grid was trained again with one thing changed. The *quality* of a setting is
its validation accuracy, averaged over the last quarter of the epochs and over the
seeds; its *gap* is the training accuracy less that. In this order:

1. "flat from the start": the training loss stays within 1 % of its first value, with every seed.
   (One that leaves it by 3 % at most is left out.)
2. "learning rate too high": the training loss is infinite or NaN at some point, or it ends at more
   than twice what a smaller rate leaves, everything else as it is.
3. The change that raises the quality most, if by 4 points or more, and by 1.3 times as much as any
   other: a larger rate, "learning rate too low"; a smaller one, "learning rate too high"; more
   hidden units, no penalty or no dropout, "underfitting". With a gap of 10 points it could just as
   well be called overfitting, and is left out.
4. "overfitting": no change gains 3 points, and the gap is 12 points or more.

Whatever is left has two defensible words or none, and is left out. No run of this grid is healthy
for certain, or jumps enough: these two words are for the closed forms.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from math import isfinite, isnan
from statistics import fmean

from ..lesson.curves import WORDS
from .runs import Run, Setting, read, settings, varied

UNDER, OVER, HIGH, LOW, _, _, FLAT = WORDS
GAINS, APART, GAINS_NOTHING = 0.04, 1.3, 0.03
LARGER = {"hidden": 32}, {"hidden": 128}, {"reg": 0.0}, {"dropout": 0.0}  # nets that can learn more


@cache
def by_setting() -> Mapping[Setting, Sequence[Run]]:
    """Return the runs of each setting, a seed each."""
    found: dict[Setting, list[Run]] = {setting: [] for setting in settings()}
    for run in read():
        if run.setting in found:  # the notebook's own are not
            found[run.setting].append(run)
    return found


def end(curve: Sequence[float]) -> float:
    """Average over the last quarter."""
    return fmean(curve[-(len(curve) // 4) :])


@cache
def reached(setting: Setting, curve: str) -> float:
    """Return where a curve of a setting ends, on average over the seeds."""
    return fmean(end(run.history[curve]) for run in by_setting()[setting])


def quality(setting: Setting) -> float:
    """Return the validation accuracy that a setting reaches."""
    return reached(setting, "val_acc")


def smaller_and_larger_rates(setting: Setting) -> tuple[list[Setting], list[Setting]]:
    """Return the settings that differ in the learning rate only."""
    lr = dict(setting)["lr"]
    others = [one for one in by_setting() if varied(one, lr=lr) == setting]
    return [s for s in others if dict(s)["lr"] < lr], [s for s in others if dict(s)["lr"] > lr]


def larger_nets(setting: Setting) -> list[Setting]:
    """Return the settings of the grid that differ in that the net can learn more."""
    now = dict(setting)
    return [
        varied(setting, **change)
        for change in LARGER
        for name, value in change.items()
        if (now[name] < value if name == "hidden" else now[name] > value)
        and varied(setting, **change) in by_setting()
    ]


def gains(setting: Setting) -> dict[str, float]:
    """Return what the best experiment for each word adds to the quality of a setting."""
    smaller, larger = smaller_and_larger_rates(setting)
    kinds = {LOW: larger, HIGH: smaller, UNDER: larger_nets(setting)}
    return {
        word: max((quality(one) - quality(setting) for one in tried), default=0.0)
        for word, tried in kinds.items()
    }


def strays(run: Run) -> float:
    """Return how far the training loss leaves its first value, as a share of it."""
    first, *others = run.history["train_loss"]
    return max((abs(loss / first - 1) for loss in others), key=lambda far: (isnan(far), far))


def diverges(setting: Setting) -> bool:
    """Say whether the loss is lost, or ends far above that of a smaller rate."""
    losses = (loss for run in by_setting()[setting] for loss in run.history["train_loss"])
    smaller, _ = smaller_and_larger_rates(setting)
    least = min((reached(one, "train_loss") for one in smaller), default=float("inf"))
    return not all(map(isfinite, losses)) or reached(setting, "train_loss") > 2 * least


@cache
def word_of(setting: Setting) -> str:
    """Return the word of a setting, or nothing if two are defensible."""
    far = [strays(run) for run in by_setting()[setting]]
    if all(one < 0.01 for one in far):
        return FLAT
    if any(one < 0.03 for one in far):
        return ""
    if diverges(setting):
        return HIGH
    gap, gained = reached(setting, "train_acc") - quality(setting), gains(setting)
    best, second = sorted(gained, key=gained.__getitem__, reverse=True)[:2]
    if gained[best] >= GAINS_NOTHING:
        clear = gained[best] >= max(GAINS, APART * gained[second]) and gap < 0.1
        return best if clear else ""
    return OVER if gap >= 0.12 else ""


def told(held_out: bool) -> Iterator[tuple[str, Run]]:
    """Yield the runs that have a word, with it: those of every second setting, or of the others."""
    for number, (setting, runs) in enumerate(by_setting().items()):
        if (number % 2 == 1) is held_out and word_of(setting):
            for run in runs:
                yield word_of(setting), run
