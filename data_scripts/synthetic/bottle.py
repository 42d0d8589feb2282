"""The mouth of a brown bottle seen from above, and what can be wrong with it."""

from dataclasses import dataclass

import numpy as np

from data_scripts.synthetic.strokes import (
    Random,
    bump,
    clouds,
    cover,
    fibre,
    jagged,
    over,
    plane,
    turn,
)

EDGE, HOLE = 0.42, 0.245  # radii of the outer edge and of the opening
WHITE = (0.94, 0.94, 0.93)
# radius, red, green, blue: from the opening's dark to the outer edge
RINGS = np.array([
    (0.000, 0.13, 0.08, 0.05), (0.100, 0.16, 0.09, 0.05), (0.195, 0.22, 0.13, 0.07),
    (0.235, 0.10, 0.06, 0.04), (0.245, 0.12, 0.07, 0.04), (0.250, 0.56, 0.37, 0.20),
    (0.262, 0.34, 0.20, 0.10), (0.300, 0.25, 0.14, 0.07), (0.340, 0.17, 0.10, 0.06),
    (0.348, 0.42, 0.27, 0.15), (0.358, 0.40, 0.26, 0.15), (0.366, 0.12, 0.08, 0.05),
    (0.400, 0.07, 0.05, 0.04), (0.414, 0.24, 0.16, 0.10), (0.430, 0.10, 0.07, 0.05),
])  # fmt: skip
# radius, width and brightness of the rings that mirror the lamps
MIRRORS = ((0.252, 0.008, 0.75), (0.300, 0.030, 0.30), (0.353, 0.008, 0.55), (0.390, 0.018, 0.30))
# both as tables over the radius in steps of 1 / FINE
FINE = 4096
RADII = np.arange(FINE, dtype=np.float32) / FINE
GLASS = np.stack([np.interp(RADII, RINGS[:, 0], RINGS[:, i]) for i in (1, 2, 3)]).astype(np.float32)
MIRRORED = np.stack([bright * bump((RADII - at) / width) for at, width, bright in MIRRORS])


@dataclass(frozen=True)
class Bottle:
    """A painted bottle (3, size, size), and at each pixel x, y and r from its centre."""

    image: np.ndarray
    x: np.ndarray
    y: np.ndarray
    r: np.ndarray


def paint(random: Random, defect: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the image (3, size, size) without and with the defect."""
    bottle = good(random, size)
    return bottle.image, DEFECTS[defect](random, bottle)


def good(random: Random, size: int) -> Bottle:
    """Paint a bottle; place, size, lamps and the glass's clouds differ from one to the next."""
    x, y = plane(size)
    scale = random.uniform(0.985, 1.015)
    x, y = (x - random.uniform(-0.02, 0.02)) / scale, (y - random.uniform(-0.02, 0.02)) / scale
    r = np.sqrt(x * x + y * y)
    at = (r * FINE).astype(np.intp)
    sheen = 1 + 0.22 * clouds(random, size, 24) + 0.15 * clouds(random, size, 7)
    light = _reflections(random, x, y, r, at)
    inside = cover(r - EDGE)
    glass = [(table.take(at) * sheen + light - white) * inside + white
             for table, white in zip(GLASS, WHITE, strict=True)]  # fmt: skip
    return Bottle(np.stack(glass), x, y, r)


def _reflections(random: Random, x: np.ndarray, y: np.ndarray, r: np.ndarray,
                 at: np.ndarray) -> np.ndarray:  # fmt: skip
    """Return the brightness that the lamps add, (size, size)."""
    light = np.zeros_like(r)
    rotation = random.uniform(-0.5, 0.5)
    for lamp in (-2.2, -0.7, 0.9, 2.6):
        angle = lamp + rotation + random.uniform(-0.15, 0.15)
        towards = (float(np.cos(angle)) * x + float(np.sin(angle)) * y) / (r + 1e-6)
        strength = random.uniform(0.4, 1.0) * bump((1 - towards) / random.uniform(0.08, 0.35))
        rings = random.uniform(0.6, 1.1, len(MIRRORS)).astype(np.float32) @ MIRRORED
        light += strength * rings.take(at)
    return light


def _broken(random: Random, bottle: Bottle, length: float, depth: float) -> np.ndarray:
    """Break a jagged piece out of the rim: `length` along it, `depth` across."""
    u, v = turn(bottle.x, bottle.y, random.uniform(0, 2 * np.pi))
    u = u - random.choice([HOLE + 0.4 * depth, 0.34, EDGE - 0.4 * depth])
    piece = jagged(random, u * (length / depth), v, length, rough=0.6)
    piece = np.maximum(piece, np.maximum(HOLE - bottle.r, bottle.r - EDGE))
    # what is seen in the gap: pale broken glass, the white table or the dark inside
    glass = np.array(
        [(0.62, 0.45, 0.30), WHITE, (0.03, 0.02, 0.02)][random.choice(3, p=[0.5, 0.2, 0.3])]
    )
    inside = over(bottle.image, glass, cover(piece) * random.uniform(0.5, 0.95))
    facets = 0.25 * clouds(random, len(bottle.r), 40) * cover(piece)
    splinter = bump(piece / random.uniform(0.006, 0.012)) * random.uniform(0.1, 0.6)
    return inside + facets + splinter * (bottle.r < EDGE) * (bottle.r > HOLE)


def _broken_large(random: Random, bottle: Bottle) -> np.ndarray:
    return _broken(random, bottle, random.uniform(0.10, 0.2), random.uniform(0.05, 0.09))


def _broken_small(random: Random, bottle: Bottle) -> np.ndarray:
    return _broken(random, bottle, random.uniform(0.027, 0.055), random.uniform(0.02, 0.037))


def _contamination(random: Random, bottle: Bottle) -> np.ndarray:
    """Put a lump, a fibre or a film into the bottle."""
    away, angle = random.uniform(0, 0.17), random.uniform(0, 2 * np.pi)
    x, y = bottle.x - away * float(np.cos(angle)), bottle.y - away * float(np.sin(angle))
    size = len(x)
    match random.choice(["lump", "fibre", "film"], p=[0.45, 0.25, 0.3]):
        case "lump":
            thing = cover(jagged(random, x, y, random.uniform(0.02, 0.07), 0.5), 0.006)
            strength = random.uniform(0.35, 0.9)
        case "fibre":
            length = random.uniform(0.06, 0.14)
            thing = cover(fibre(random, x, y, length, random.uniform(0.003, 0.006), 0.02), 0.004)
            strength = random.uniform(0.5, 0.95)
        case _:
            thing = cover(jagged(random, x, y, random.uniform(0.08, 0.15), 0.7), 0.02)
            thing = thing * (0.8 + 0.4 * clouds(random, size, 12)).clip(0, 1)
            strength = random.uniform(0.15, 0.4)
    colour = [(0.85, 0.83, 0.78), (0.75, 0.62, 0.30), (0.45, 0.55, 0.42)][random.randint(3)]
    return over(bottle.image, colour, thing * cover(bottle.r - HOLE) * strength)


DEFECTS = {
    "good": lambda random, bottle: bottle.image,
    "broken_large": _broken_large,
    "broken_small": _broken_small,
    "contamination": _contamination,
}
