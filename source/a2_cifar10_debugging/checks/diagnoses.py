"""Curves to diagnose: closed forms, and real training runs.

A case of closed forms mixes two diagnoses that are easily confused, or all of them. A case of real
runs holds runs of settings that nobody has seen. The name of a case gives no answer away: a
submission can read it.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from math import floor, isfinite, isnan

import torch

from autograder.authoring.checks import Draws, Sketch, case, check
from autograder.notebook.cases import Level

from ..lesson import curves
from . import stories

UNDER, OVER, HIGH, LOW, UNSTABLE, HEALTHY, FLAT = curves.WORDS
CONTRASTS = (
    ("high", "too high a learning rate, or underfitting", (HIGH, UNDER)),
    ("low", "too low a learning rate, or underfitting", (LOW, UNDER)),
    ("gap", "overfitting or healthy", (OVER, HEALTHY)),
    ("jumps", "unstable validation or healthy", (UNSTABLE, HEALTHY)),
    ("both", "overfitting or unstable validation", (OVER, UNSTABLE)),
    ("still", "flat, or a learning rate that is too low or too high", (FLAT, LOW, HIGH)),
)
REAL = 10  # real runs of a word in a case
AGREEMENT = Level("half", 0.6, 0.5), Level("most", 0.8, 1.0)
Diagnosed = tuple[str, curves.History]  # a word, and curves that deserve it


def curve_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield histories."""
    if rng.public:
        yield mixed(rng, "first", "one of each", diagnosed(rng, curves.WORDS, 1))
        yield mixed(rng, "second", "two of each", diagnosed(rng, curves.WORDS, 2))
        yield mixed(rng, "traps", "curves that a hasty rule gets wrong", [*traps()])
        return
    for name, about, words in CONTRASTS:
        while not telling(drawn := diagnosed(rng, words, 4)):
            pass
        yield mixed(rng, name, about, drawn)
    drawn = [*diagnosed(rng, curves.WORDS, 2), (OVER, curves.resnet152())]
    yield mixed(rng, "all", "all seven, and a ResNet-152", drawn)


def diagnosed(rng: Draws, words: Sequence[str], count: int) -> list[Diagnosed]:
    """Draw `count` curves for each word."""
    seeds = ((word, int(rng.randint(1000, 2**31))) for word in words for _ in range(count))
    return [(word, curves.draw(word, seed)) for word, seed in seeds]


def telling(drawn: Sequence[Diagnosed]) -> bool:
    """Say whether a contrast has two of each trap: NaN, and a last entry that misleads."""
    nan = sum(word == HIGH and any(map(isnan, h["train_loss"])) for word, h in drawn)
    up = sum(word == UNSTABLE and h["val_loss"][-1] > 1.3 * min(h["val_loss"]) for word, h in drawn)
    words = {word for word, _ in drawn}
    return (nan >= 2 or HIGH not in words) and (up >= 2 or UNSTABLE not in words)


def traps() -> Iterator[Diagnosed]:
    """Yield words and curves: the first two that show each trap."""
    for word, trapped in (
        (HIGH, lambda h: any(map(isnan, h["train_loss"]))),
        (HEALTHY, lambda h: len(h["val_acc"]) <= 17),  # its climb looks like jumps
        (UNSTABLE, lambda h: h["val_acc"][-1] < h["val_acc"][-2] - 0.13),
        (UNSTABLE, lambda h: h["val_loss"][-1] > 1.5 * min(h["val_loss"])),
        (HIGH, lambda h: all(map(isfinite, h["train_loss"]))),
        (OVER, lambda h: stories.end(h["train_loss"]) > 1.15 * min(h["train_loss"])),  # near 0
    ):
        drawn = (curves.draw(word, seed) for seed in range(2, 1000))
        for history in islice(filter(trapped, drawn), 2):
            yield word, history


def real_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield histories of real runs: at most REAL of each word, so that no word is most of them."""
    words: dict[str, list[curves.History]] = {word: [] for word in curves.WORDS}
    for word, run in stories.told(held_out=not rng.public):
        words[word].append(dict(run.history))
    drawn = [
        (word, histories[n])
        for word, histories in words.items()
        for n in rng.permutation(len(histories))[:REAL]
    ]
    yield shuffled(rng, "real", "real runs", drawn, AGREEMENT)


def mixed(rng: Draws, name: str, about: str, drawn: Sequence[Diagnosed]) -> Sketch:
    """Put closed forms into a case. One may be wrong."""
    total = len(drawn)
    all_but_one = floor(1000 * (total - 1) / total) / 1000  # as a share that is short to write
    levels = Level("most", 0.75, 0.5), Level("all but one", all_but_one, 1.0)
    return shuffled(rng, name, about, drawn, levels)


def shuffled(
    rng: Draws, name: str, about: str, drawn: Sequence[Diagnosed], levels: Sequence[Level]
) -> Sketch:
    """Put curves into a case, in a random order."""
    histories, words = {}, []
    for place, n in enumerate(rng.permutation(len(drawn)), 1):
        word, history = drawn[n]
        histories[f"curve_{place:02}"] = {
            name: torch.tensor(values, dtype=torch.float64) for name, values in history.items()
        }
        words.append(curves.WORDS.index(word))
    answer = {"answers": torch.tensor(words)}
    inputs = {"histories": histories, "words": list(curves.WORDS)}
    return case(name, f"{about}: {len(drawn)} curves", levels=levels, answer=answer, **inputs)


diagnoses = check(
    "diagnoses", "what the curves say", {"answers": "return"}, curve_cases, criterion="accuracy"
)
real_diagnoses = check(
    "real_diagnoses", "what curves of real runs say", {"answers": "return"}, real_cases,
    criterion="accuracy",
)  # fmt: skip
