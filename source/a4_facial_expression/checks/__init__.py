"""Facial expressions: its checks, their cases, and the oracles that confirm them.

One file a section or two of the notebook: its checks, and the mistakes that they know.
"""

from collections.abc import Iterator

from autograder.checks import Check
from autograder.checks.a4_facial_expression import (
    attention,
    augmentation,
    card,
    imbalance,
    mathematics,
    measures,
    networks,
    opinions,
    predictions,
    training,
)

__all__ = ["MISTAKES", "checks"]

PARTS = (
    card,
    networks,
    augmentation,
    training,
    predictions,
    measures,
    imbalance,
    opinions,
    mathematics,
    attention,
)
MISTAKES = tuple(mistake for part in PARTS for mistake in part.MISTAKES)


def checks(seed: int, real: bool = False) -> Iterator[Check]:
    """Yield the checks of the assignment; `seed` draws the hidden cases."""
    for part in PARTS:
        yield from predictions.checks(seed, real) if part is predictions else part.checks(seed)
