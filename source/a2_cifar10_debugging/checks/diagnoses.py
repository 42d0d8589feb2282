"""Curves to diagnose. A case mixes two stories that are easily confused, or all of them.

The name of a case tells no answer: a submission can read it.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from math import isfinite, isnan

import numpy as np
import torch

from autograder.cases import Case, Level
from autograder.checks import PUBLIC_SEED, Check
from data_scripts import curves

Tensors = dict[str, torch.Tensor]
UNDER, OVER, HIGH, LOW, UNSTABLE, HEALTHY = curves.WORDS
CONTRASTS = (
    ("high", "too high a learning rate, or underfitting", (HIGH, UNDER)),
    ("low", "too low a learning rate, or underfitting", (LOW, UNDER)),
    ("gap", "overfitting or healthy", (OVER, HEALTHY)),
    ("jumps", "unstable validation or healthy", (UNSTABLE, HEALTHY)),
    ("both", "overfitting or unstable validation", (OVER, UNSTABLE)),
    ("all", "all six, and a ResNet-152", curves.WORDS),
)


def story_checks(seed: int) -> Iterator[Check]:
    """Yield the check of `diagnose`, through `diagnose_all`."""
    answers = answered_cases(seed)

    def oracle(histories: dict[str, Tensors]) -> Tensors:
        return {"answers": answers[fingerprint(histories)]}

    yield Check(
        name="diagnoses",
        title="what the curves say",
        records={"answers": "return"},
        cases=tuple(case for case, _ in drawn_cases(seed)),
        criterion="accuracy",
        oracle=oracle,
    )


def answered_cases(seed: int) -> dict[bytes, torch.Tensor]:
    """Return the right answers by the fingerprint of the histories."""
    return {fingerprint(case.inputs["histories"]): words for case, words in drawn_cases(seed)}


def fingerprint(histories: dict[str, Tensors]) -> bytes:
    """Tell histories from others by their numbers."""
    return b"".join(t.numpy().tobytes() for h in histories.values() for t in h.values())


def drawn_cases(seed: int) -> Iterator[tuple[Case, torch.Tensor]]:
    """Yield each case with the places of its words in curves.WORDS."""
    rng = np.random.RandomState([PUBLIC_SEED, 1])
    yield story(rng, "public_first", "one of each", curves.WORDS, 1, public=True)
    yield story(rng, "public_second", "two of each", curves.WORDS, 2, public=True)
    yield packed(rng, "public_traps", "curves that a hasty rule gets wrong", [*traps()], True)
    rng = np.random.RandomState([seed, 0])
    for name, about, words in CONTRASTS:
        count = 4 if len(words) == 2 else 2
        yield story(rng, name, about, words, count, public=False, resnet=name == "all")


def traps() -> Iterator[tuple[str, curves.History]]:
    """Yield words and curves: the first two that show each trap."""
    for word, trapped in (
        (HIGH, lambda h: any(map(isnan, h["train_loss"]))),
        (HEALTHY, lambda h: len(h["val_acc"]) <= 17),  # its climb looks like jumps
        (UNSTABLE, lambda h: h["val_acc"][-1] < h["val_acc"][-2] - 0.13),
        (UNSTABLE, lambda h: h["val_loss"][-1] > 1.5 * min(h["val_loss"])),
        (HIGH, lambda h: all(map(isfinite, h["train_loss"]))),
    ):
        drawn = (curves.draw(word, seed) for seed in range(2, 1000))
        for history in islice(filter(trapped, drawn), 2):
            yield word, history


def story(
    rng: np.random.RandomState,
    name: str,
    about: str,
    words: Sequence[str],
    count: int,
    public: bool,
    resnet: bool = False,
) -> tuple[Case, torch.Tensor]:
    """Draw `count` curves for each word, and for a mix of all a ResNet-152."""
    while True:
        drawn = [
            (w, curves.draw(w, int(rng.randint(1000, 2**31)))) for w in words for _ in range(count)
        ]
        if len(words) > 2 or telling(drawn):
            break
    drawn += [(OVER, curves.resnet152())] if resnet else []
    return packed(rng, name, about, drawn, public)


def packed(
    rng: np.random.RandomState,
    name: str,
    about: str,
    drawn: Sequence[tuple[str, curves.History]],
    public: bool,
) -> tuple[Case, torch.Tensor]:
    """Put curves into a case, in a random order. One may be wrong."""
    order = rng.permutation(len(drawn))
    histories = {
        f"curve_{place + 1:02}": {
            key: torch.tensor(values, dtype=torch.float64) for key, values in drawn[n][1].items()
        }
        for place, n in enumerate(order)
    }
    total = len(drawn)
    levels = (
        Level("most", 0.75, 0.5),
        Level("all but one", (total - 1) / total, 1.0),
    )
    case = Case(
        name, f"{about}: {total} curves", {"histories": histories}, public=public, levels=levels
    )
    return case, torch.tensor([curves.WORDS.index(drawn[n][0]) for n in order])


def telling(drawn: Sequence[tuple[str, curves.History]]) -> bool:
    """Say whether a contrast has twice what is easily missed: NaN, a last entry that misleads."""
    nan = sum(word == HIGH and any(map(isnan, h["train_loss"])) for word, h in drawn)
    up = sum(word == UNSTABLE and h["val_loss"][-1] > 1.3 * min(h["val_loss"]) for word, h in drawn)
    words = {word for word, _ in drawn}
    return (nan >= 2 or HIGH not in words) and (up >= 2 or UNSTABLE not in words)
