"""What the drawn parts are made of: signed distances (negative inside), soft edges, clouds.

Lengths are fractions of the image's side; planes are float32, colours (3,) in 0..1, images
(3, size, size). Every function draws the same numbers from `random` at every size.
"""

from functools import cache

import numpy as np

Random = np.random.RandomState


def plane(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x (size, size) and y (size, size) of the pixel centres, in -0.5..0.5."""
    at = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    x, y = np.meshgrid(at, at)
    return x, y


def turn(x: np.ndarray, y: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates in a frame that is turned by `angle`."""
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    return cos * x + sin * y, cos * y - sin * x


def cover(distance: np.ndarray, soft: float = 0.0, size: int | None = None) -> np.ndarray:
    """Return how much of each pixel lies inside, 0..1; the edge is a pixel or `soft` wide.

    `size` is the side of the whole image if `distance` is only a window of it.
    """
    edge = max(soft, 1 / (size or len(distance)))
    return (0.5 - distance / edge).clip(0, 1)


def bump(t: np.ndarray) -> np.ndarray:
    """Return a smooth hill: 1 at 0, 0 from ±1 on."""
    return (1 - t * t).clip(0) ** 2


def over(image: np.ndarray, colour: tuple | np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return the image with a colour painted over it."""
    ink = np.asarray(colour, np.float32).reshape(3, 1, 1)
    return image + (ink - image) * alpha


def jagged(random: Random, x: np.ndarray, y: np.ndarray, radius: float, rough: float,
           corners: int = 11) -> np.ndarray:  # fmt: skip
    """Return about the distance to a blob about the origin; `rough` 0 is a disc, 1 is splinters."""
    outline = radius * (1 + rough * random.uniform(-0.6, 0.4, corners))
    outline = np.append(outline, outline[0])
    angles = np.linspace(-np.pi, np.pi, corners + 1)
    return np.hypot(x, y) - np.interp(np.arctan2(y, x), angles, outline).astype(np.float32)


def fibre(random: Random, x: np.ndarray, y: np.ndarray, length: float, width: float,
          bend: float) -> np.ndarray:  # fmt: skip
    """Return about the distance to a wavy line through the origin, tapered to both ends."""
    phase, wave = random.uniform(0, 2 * np.pi), random.uniform(2, 5) / length
    u, v = turn(x, y, random.uniform(0, np.pi))
    middle = bend * (np.sin(wave * u + phase) - float(np.sin(phase)))
    slope = bend * wave * np.cos(wave * u + phase)
    across = abs(v - middle) / np.sqrt(1 + slope * slope)
    return np.maximum(across - width * (1 - (u / length) ** 2).clip(0), abs(u) - length)


def crack(random: Random, x: np.ndarray, y: np.ndarray, length: float, width: float,
          rough: float) -> np.ndarray:  # fmt: skip
    """Return about the distance to a zigzag along x through the origin, widest in the middle."""
    corners = np.linspace(-length, length, 12)
    middle = np.interp(x, corners, random.uniform(-rough, rough, 12)).astype(np.float32)
    opening = width * np.sqrt((1 - (x / length) ** 2).clip(0))
    return np.maximum(abs(y - middle) - opening, abs(x) - length)


def clouds(random: Random, size: int, cells: int) -> np.ndarray:
    """Return smooth noise (size, size), mostly in -1..1, with about `cells` hills in a row."""
    values = random.uniform(-1, 1, (cells, cells)).astype(np.float32)
    weights = _weights(size, cells)
    return weights @ values @ weights.T


@cache
def _weights(size: int, cells: int) -> np.ndarray:
    """Return the weights (size, cells) that interpolate `cells` values smoothly.

    A mean of values is nearer to 0 than they are; 1.5 makes up for it.
    """
    at = np.linspace(0, cells - 1, size, dtype=np.float32)[:, None]
    weights = bump((at - np.arange(cells, dtype=np.float32)) / 1.6)
    return weights / weights.sum(axis=1, keepdims=True) * np.float32(1.5)
