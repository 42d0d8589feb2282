"""What a camera does to a drawing: blur, contrast, light from a side, tint and grain."""

import numpy as np


def photograph(rng: np.random.RandomState, images: np.ndarray) -> np.ndarray:
    """Return the pictures (N, H, W, 3), uint8, as a camera would have taken them."""
    n = len(images)
    X = images.astype(np.float32)
    X += (blurred(X) - X) * rng.uniform(0, 0.9, size=(n, 1, 1, 1)).astype(np.float32)
    X = (X - 120) * rng.uniform(0.55, 1.1, size=(n, 1, 1, 1)).astype(np.float32) + 120
    down, across = rng.normal(0, 14, size=(2, n, 1, 1, 1)).astype(np.float32)
    X += down * np.linspace(-1, 1, X.shape[1], dtype=np.float32)[:, None, None]
    X += across * np.linspace(-1, 1, X.shape[2], dtype=np.float32)[:, None]
    X += rng.normal(0, 22, size=(n, 1, 1, 1)) + rng.normal(0, 8, size=(n, 1, 1, 3))
    # The sum of two bytes is nearly normal, and a tenth of the time of normal numbers.
    grain = np.frombuffer(rng.bytes(2 * X.size), np.int8).reshape(2, *X.shape)
    X += grain.sum(axis=0, dtype=np.int16) * rng.uniform(0.02, 0.1, size=(n, 1, 1, 1)).astype(
        np.float32
    )
    return X.clip(0, 255).astype(np.uint8)


def blurred(X: np.ndarray) -> np.ndarray:
    """Return the images (N, H, W, C), each pixel averaged with its neighbours (weights 1 2 1)."""
    padded = np.pad(X, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    return (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4
