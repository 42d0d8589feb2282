"""Curves of training: drawn by closed forms, one of seven diagnoses each, and real ones.

`draw(word, seed)` gives as many examples as you like. Every curve differs from the other
stories by the margins in the a2 notebook, and tests check them. `real()` gives the curves of
real training runs.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from autograder.notebook.cases import load_public

WORDS = (
    "underfitting",
    "overfitting",
    "learning rate too high",
    "learning rate too low",
    "unstable validation",
    "healthy",
    "flat from the start",
)
History = dict[str, list[float]]


def draw(word: str, seed: int, epochs: int | None = None) -> History:
    """Draw the history of a training run whose diagnosis is one of WORDS.

    Returns lists with one entry per epoch (16 to 60, unless `epochs` is given):
    train_loss, val_loss, train_acc, val_acc. Losses may be infinite or NaN, accuracies are in
    0..1. Raises KeyError for any other word.
    """
    rng = np.random.RandomState([WORDS.index(word) if word in WORDS else 0, seed])
    count = epochs or rng.randint(16, 61)
    classes = (2, 3, 5, 10, 20, 100)[rng.randint(6)]
    curves = KINDS[word](rng, np.linspace(0, 1, count), classes)
    return {name: [round(float(v), 5) for v in values] for name, values in curves.items()}


def resnet152() -> History:
    """Draw the curves of a ResNet-152 that was trained on 1,000 faces.

    Training accuracy goes to 1.0 while validation hovers at 0.85 and jumps about; training
    loss keeps falling while validation loss turns and rises.
    """
    rng = np.random.RandomState(152)
    t = np.linspace(0, 1, 50)
    jumps = rng.choice([-1, 1], size=50) * rng.uniform(0.01, 0.03, size=50)
    val_acc = 0.5 + 0.35 * (1 - np.exp(-12 * t)) + jumps
    val_loss = 0.42 + 0.3 * np.exp(-15 * t) + 0.5 * np.clip(t - 0.2, 0, None)
    curves = {
        "train_loss": 0.69 * np.exp(-6 * t) + 0.004,
        "val_loss": val_loss * (1 + jumps),
        "train_acc": 1 - 0.48 * np.exp(-7 * t),
        "val_acc": val_acc,
    }
    return {name: [round(float(v), 5) for v in values] for name, values in curves.items()}


def real() -> list[tuple[str, History]]:
    """Return the real training runs of the public check: a word and a history each."""
    case = load_public(Path(__file__).parents[1])["real_diagnoses"].cases[0]
    assert case.expected is not None and case.expected.leaves["answers"].tensor is not None
    answers = case.expected.leaves["answers"].tensor.tolist()
    histories = [
        {name: values.tolist() for name, values in tensors.items()}
        for tensors in case.inputs["histories"].values()
    ]
    return [(WORDS[answer], history) for answer, history in zip(answers, histories, strict=True)]


def rising(t: np.ndarray, chance: float, top: float, speed: float) -> np.ndarray:
    """Return accuracies that climb from chance towards the top."""
    return chance + (top - chance) * (1 - np.exp(-speed * t))


def falling(t: np.ndarray, start: float, end: float, speed: float) -> np.ndarray:
    """Return losses that fall from the start towards the end."""
    return end + (start - end) * np.exp(-speed * t)


def packed(
    rng: np.random.RandomState, losses: tuple, accuracies: tuple, noise: float = 0.004
) -> dict[str, np.ndarray]:
    """Return the four curves, each with a little noise of its own; accuracies stay in 0..1."""
    curves = {}
    for part, loss, accuracy in zip(("train", "val"), losses, accuracies, strict=True):
        curves[f"{part}_loss"] = loss * (1 + noise * rng.uniform(-1, 1, size=len(loss)))
        shaken = accuracy + noise * rng.uniform(-1, 1, size=len(accuracy))
        curves[f"{part}_acc"] = np.clip(shaken, 0, 1)
    return curves


def healthy(rng: np.random.RandomState, t: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """Draw curves that end low and close to each other."""
    start, chance, speed = np.log(classes), 1 / classes, rng.uniform(5, 8)
    top, gap = rng.uniform(0.85, 0.96), rng.uniform(0.01, 0.04)
    train = falling(t, start, start * rng.uniform(0.1, 0.25), speed)
    val = train + start * gap * (1 - np.exp(-speed * t))
    return packed(
        rng, (train, val), (rising(t, chance, top, speed), rising(t, chance, top - gap, speed))
    )


def underfitting(rng: np.random.RandomState, t: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """Draw curves that flatten out early, at a high level."""
    classes = max(classes, 3)
    start, chance, speed = np.log(classes), 1 / classes, rng.uniform(9, 16)
    top, gap = chance + rng.uniform(0.08, 0.2), rng.uniform(0, 0.015)
    train = falling(t, start, start * rng.uniform(0.6, 0.8), speed)
    val = train * rng.uniform(1.0, 1.02)
    return packed(
        rng, (train, val), (rising(t, chance, top, speed), rising(t, chance, top - gap, speed))
    )


def overfitting(rng: np.random.RandomState, t: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """Draw training curves that become perfect, and a validation loss that turns."""
    start, chance, speed = np.log(classes), 1 / classes, rng.uniform(6, 9)
    top = rng.uniform(max(0.45, chance + 0.1), 0.78)
    turn, rise = rng.uniform(0.2, 0.35), rng.uniform(0.8, 2.5)
    train = falling(t, start, 0.01 * start, speed)
    low = start * rng.uniform(0.45, 0.65)
    val = falling(t, start, low, 3 * speed) + low * rise * np.clip(t - turn, 0, None)
    val_acc = rising(t, chance, top, 2 * speed) - 0.04 * np.clip(t - turn, 0, None)
    noise = rng.uniform(0.003, 0.015)
    curves = packed(rng, (train, val), (rising(t, chance, 0.995, speed), val_acc), noise)
    return curves | {"train_acc": rising(t, chance, 0.995, speed)}


def too_high(rng: np.random.RandomState, t: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """Draw losses that end above their beginning, in one of three forms."""
    start, chance = np.log(classes), 1 / classes
    form = rng.randint(3)
    if form == 0:  # it explodes, and becomes infinite or NaN
        train = start * np.exp(rng.uniform(8, 30) * t)
        train[int(len(t) * rng.uniform(0.3, 0.6)) :] = rng.choice([np.inf, np.nan])
    elif form == 1:  # it jumps about above where it began
        train = start * rng.uniform(1.15, 2.5, size=len(t))
        train[0] = start
    else:  # the first steps end far away, where nothing is learned any more
        train = start * (1.05 + rng.uniform(0.2, 4) * (1 - np.exp(-15 * t)))
        train[0] = start
    flat = np.full(len(t), chance)
    return packed(rng, (train, train * rng.uniform(0.99, 1.03)), (flat, flat), 0.01)


def too_low(rng: np.random.RandomState, t: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """Draw curves that are still falling or rising, nearly straight."""
    start, chance = np.log(classes), 1 / classes
    bend = rng.uniform(0.95, 1.2)  # nearly a straight line
    train = start * (1 - rng.uniform(0.2, 0.4) * t**bend)
    acc = chance + rng.uniform(0.08, 0.2) * t**bend
    val = train * rng.uniform(1.0, 1.02)
    return packed(rng, (train, val), (acc, acc - rng.uniform(0, 0.01) * t), 0.002)


def unstable(rng: np.random.RandomState, t: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """Draw a healthy training run whose validation jumps from epoch to epoch."""
    start, chance, speed = np.log(classes), 1 / classes, rng.uniform(5, 8)
    top, size = rng.uniform(0.88, 0.96), rng.uniform(0.07, 0.11)
    train = falling(t, start, start * rng.uniform(0.1, 0.2), speed)
    curves = packed(rng, (train, train * 1.05), (rising(t, chance, top, speed),) * 2)
    # up and down in pairs, so that the level does not drift
    signs = np.concatenate([rng.permutation([-1, 1]) for _ in range((len(t) + 1) // 2)])[: len(t)]
    jumps = signs * size * rng.uniform(0.6, 1.0, size=len(t))
    curves["val_acc"] = np.clip(rising(t, chance, top - 0.04, speed) - 0.01 + jumps, 0, 1)
    curves["val_loss"] = (train + 0.04 * start) * (1 - 4 * jumps)
    return curves


def flat(rng: np.random.RandomState, t: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """Draw losses that stay where they begin: nothing is learned, and nothing explodes."""
    chance, noise = 1 / classes, rng.uniform(0.0002, 0.0015)
    train = np.log(classes) * (1 - rng.uniform(0, 0.005) * t)
    val = train * rng.uniform(0.999, 1.003)
    acc = np.full(len(t), chance)
    return packed(rng, (train, val), (acc, acc), noise)


KINDS: dict[str, Callable[..., dict[str, np.ndarray]]] = {
    "underfitting": underfitting,
    "overfitting": overfitting,
    "learning rate too high": too_high,
    "learning rate too low": too_low,
    "unstable validation": unstable,
    "healthy": healthy,
    "flat from the start": flat,
}
