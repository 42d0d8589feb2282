"""Drawn source images to pretrain on: one textured shape on a textured ground.

Every image has three labels, 12 shapes × 12 textures × 10 colours = 1440 classes. An image is a
function of its number alone.
"""

import numpy as np

SIZE = 64
SHAPES = ("disc", "ring", "square", "frame", "triangle", "hexagon", "star", "flower", "cross",
          "bar", "crescent", "corner")  # fmt: skip
TEXTURES = ("plain", "stripes", "checks", "dots", "waves", "net", "grain", "clouds", "shade",
            "zigzag", "scratches", "specks")  # fmt: skip
COLOURS = {
    "red": (0.80, 0.12, 0.12),
    "orange": (0.95, 0.55, 0.10),
    "yellow": (0.92, 0.86, 0.20),
    "green": (0.15, 0.60, 0.20),
    "cyan": (0.15, 0.70, 0.75),
    "blue": (0.15, 0.25, 0.80),
    "violet": (0.50, 0.20, 0.70),
    "brown": (0.40, 0.24, 0.12),
    "black": (0.08, 0.08, 0.08),
    "white": (0.92, 0.92, 0.92),
}


def draw(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return image `number` (SIZE, SIZE, 3), float32 in 0..1, and labels (3,), int64."""
    random = np.random.RandomState(number)
    labels = np.array([random.randint(len(names)) for names in (SHAPES, TEXTURES, COLOURS)])
    shape, texture, colour = labels
    # the ground never has the figure's colour, or the outline would be lost
    ground = (colour + random.randint(1, len(COLOURS))) % len(COLOURS)
    # a ground of another texture would leave it open which of the two is meant
    image = _paint(random, TEXTURES[texture] if random.randint(2) else "plain", ground)
    inside = _cover(random, SHAPES[shape])[..., None]
    image = image + (_paint(random, TEXTURES[texture], colour) - image) * inside
    return image.clip(0, 1).astype(np.float32), labels


def _plane(random: np.random.RandomState, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates u, v (SIZE, SIZE) in units of `unit` pixels, turned about the centre."""
    x, y = np.meshgrid(*[(np.arange(SIZE, dtype=np.float32) - SIZE / 2) / unit] * 2)
    angle = random.uniform(0, 2 * np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * x - sin * y, sin * x + cos * y


def _cover(random: np.random.RandomState, shape: str) -> np.ndarray:
    """Return how much of each pixel the shape covers, (SIZE, SIZE) in 0..1."""
    radius = SIZE * random.uniform(0.2, 0.48)
    u, v = _plane(random, radius)
    u = u * random.uniform(0.85, 1.2) + random.uniform(-0.3, 0.3)
    v = v + random.uniform(-0.3, 0.3)
    return (0.5 - radius * _distance(shape, u, v)).clip(0, 1)


def _distance(shape: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return about the signed distance to the shape of radius 1: negative inside."""
    r, angle = np.hypot(u, v), np.arctan2(v, u)
    box = np.maximum(np.abs(u), np.abs(v))
    match shape:
        case "disc":
            return r - 1
        case "ring":
            return abs(r - 0.78) - 0.2
        case "square":
            return box - 0.8
        case "frame":
            return abs(box - 0.7) - 0.17
        case "triangle" | "hexagon":
            side = 2 * np.pi / (3 if shape == "triangle" else 6)
            return r * np.cos(angle % side - side / 2) - np.cos(side / 2) * 1.1
        case "star":
            return 0.6 * (r - 0.7 - 0.35 * np.cos(5 * angle))
        case "flower":
            return r - 0.7 - 0.3 * abs(np.cos(2 * angle))
        case "cross":
            return np.maximum(box - 0.95, np.minimum(np.abs(u), np.abs(v)) - 0.25)
        case "bar":
            return np.maximum(abs(u) - 1.1, abs(v) - 0.25)
        case "crescent":
            return np.maximum(r - 1, 0.85 - np.hypot(u - 0.5, v))
        case _:
            return np.maximum(box - 0.85, np.minimum(u, v) + 0.3)


def _paint(random: np.random.RandomState, texture: str, colour: int) -> np.ndarray:
    """Return a full image (SIZE, SIZE, 3) of a texture in shades of one colour."""
    base = np.array(list(COLOURS.values())[colour], np.float32) + random.normal(0, 0.05, 3)
    bright = base.mean() < random.uniform(0.2, 0.8)
    strength = random.uniform(0.25, 0.6) * (1 if bright else -1)
    return (base + strength * _pattern(random, texture)[..., None]).astype(np.float32)


def _pattern(random: np.random.RandomState, texture: str) -> np.ndarray:
    """Return a pattern (SIZE, SIZE), most of it in 0..1."""
    u, v = _plane(random, SIZE * random.uniform(0.06, 0.16))
    u, v = u + random.uniform(0, 1), v + random.uniform(0, 1)
    duty = random.uniform(0.3, 0.6)
    match texture:
        case "plain":
            return np.zeros_like(u)
        case "stripes":
            return _hard(u % 1 - duty)
        case "checks":
            return _hard(np.sin(np.pi * u) * np.sin(np.pi * v))
        case "dots":
            return _hard(0.3 - np.hypot(u % 1 - 0.5, v % 1 - 0.5))
        case "waves":
            return 0.5 + 0.5 * np.sin(4 * np.hypot(u, v))
        case "net":
            return _hard(0.12 - np.minimum(u % 1, v % 1))
        case "grain":
            return random.uniform(0, 1, u.shape)
        case "clouds":
            return _clouds(random)
        case "shade":
            return 0.5 + 0.08 * u
        case "zigzag":
            return _hard((u + 0.5 * abs(v % 1 - 0.5)) % 1 - duty)
        case "scratches":
            return _scratches(random)
        case _:
            return _clouds(random, cells=32) > 0.75


def _hard(x: np.ndarray) -> np.ndarray:
    """Return about a step at 0, soft over a pixel or so."""
    return (0.5 + 6 * x).clip(0, 1)


def _clouds(random: np.random.RandomState, cells: int = 8) -> np.ndarray:
    """Return smooth noise: random values at cells × cells places, interpolated."""
    at = np.linspace(0, cells - 1.001, SIZE)
    i, t = at.astype(int), (at % 1).astype(np.float32)
    values = random.uniform(0, 1, (cells, cells)).astype(np.float32)
    rows = values[i] + (values[i + 1] - values[i]) * t[:, None]
    return rows[:, i] + (rows[:, i + 1] - rows[:, i]) * t


def _scratches(random: np.random.RandomState) -> np.ndarray:
    """Return a dozen thin lines that cross the image at random."""
    lines = np.zeros((SIZE, SIZE), np.float32)
    for _ in range(12):
        u, v = _plane(random, 1.0)
        end = random.uniform(0.2, 0.6) * SIZE
        line = (1.2 - abs(v + random.uniform(-0.5, 0.5) * SIZE)).clip(0, 1) * (abs(u) < end)
        lines = np.maximum(lines, line)
    return lines
