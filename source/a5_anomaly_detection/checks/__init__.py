"""Anomaly detection: its checks, their cases, and the oracles that confirm them.

One file a section or two of the notebook: its checks, and the mistakes that they know.
"""

from collections.abc import Iterator

from autograder.checks import Check
from autograder.checks.a5_anomaly_detection import (
    card,
    classify,
    detector,
    formats,
    gaussians,
    long_tail,
    measures,
    memory,
    places,
    reconstruction,
    regions,
    segmentation,
    synthetic,
)

__all__ = ["MISTAKES", "checks"]

PARTS = (
    card,
    classify,
    long_tail,
    reconstruction,
    gaussians,
    memory,
    detector,
    measures,
    regions,
    places,
    formats,
    segmentation,
    synthetic,
)
MISTAKES = tuple(mistake for part in PARTS for mistake in part.MISTAKES)


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks of the assignment; `seed` draws the hidden cases."""
    for part in PARTS:
        yield from part.checks(seed)
