"""What a face does: seven expressions as regions of ten facial movements.

The movements are after the action units of the Facial Action Coding System (Ekman & Friesen,
1978); which expression moves what is after Du, Tao & Martinez (PNAS 2014), table 1.
"""

from dataclasses import dataclass

import numpy as np

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@dataclass(frozen=True)
class Expression:
    """Movements of N faces, (N, 1) each: 0 at rest, about 1 (or -1, the other way) when strong."""

    brow_raise: np.ndarray
    brow_slant: np.ndarray  # inner ends up: worry; down: a frown
    eye_open: np.ndarray
    squint: np.ndarray  # the lower lid up
    nose_wrinkle: np.ndarray
    lip_raise: np.ndarray
    mouth_open: np.ndarray
    mouth_wide: np.ndarray
    corners_up: np.ndarray
    teeth: np.ndarray


# A full expression, in the order of the fields above.
FULL = {
    "angry": (-0.85, -1.15, 0.1, 0.4, 0.35, 0.3, 0.25, 0.1, -0.4, 0.7),
    "disgust": (-0.6, -0.7, -0.5, 0.7, 1.0, 0.9, 0.25, 0.0, -0.45, 0.6),
    "fear": (0.75, 0.65, 0.9, -0.1, 0.0, 0.1, 0.75, 0.1, -0.3, 0.5),
    "happy": (0.0, 0.0, -0.25, 0.8, 0.0, 0.2, 0.45, 1.0, 1.3, 1.0),
    "sad": (0.0, 0.8, -0.5, 0.1, 0.0, 0.0, 0.0, -0.2, -0.8, 0.0),
    "surprise": (1.1, -0.1, 1.0, -0.3, 0.0, 0.0, 1.15, -0.6, 0.0, 0.1),
    "neutral": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
}
# What the same face does by itself: standard deviations, in the same order. A neutral face may
# look sad and a frown may be the sun.
SPREAD = (0.32, 0.32, 0.28, 0.28, 0.2, 0.2, 0.17, 0.28, 0.26, 0.3)
WEAKEST = 0.3


def express(labels: np.ndarray, rng: np.random.RandomState) -> Expression:
    """Draw one expression for each label (N,): a weak to full one of its class, and a spread."""
    full = np.array([FULL[name] for name in CLASSES])[labels]
    intensity = WEAKEST + (1 - WEAKEST) * rng.beta(1.8, 1.4, (len(labels), 1))
    movements = intensity * full + np.array(SPREAD) * rng.standard_normal(full.shape)
    return Expression(*np.split(movements, movements.shape[1], axis=1))
