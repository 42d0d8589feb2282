"""Places where drawn objects stand: sky, sea, road, grass, wood, room and pale ground."""

from collections.abc import Callable

import numpy as np

from data_scripts.synthetic.shapes import Colour, Part, box, ellipse, limb, pick, polygon, shade

Scene = Callable[[np.random.RandomState], list[Part]]

SKY = ((110, 160, 215), (160, 190, 220), (190, 195, 200), (225, 190, 160), (70, 90, 130))
SEA = ((50, 95, 140), (80, 130, 150), (40, 65, 90), (110, 130, 140))
GRASS = ((90, 135, 55), (130, 150, 70), (150, 140, 80), (60, 95, 45))
WOOD = ((45, 75, 40), (70, 85, 50), (90, 75, 50), (35, 50, 35))
STONE = ((120, 120, 122), (90, 90, 95), (150, 145, 138), (175, 165, 150))
WALL = (
    (205, 190, 165),
    (170, 150, 130),
    (150, 165, 175),
    (190, 130, 110),
    (110, 95, 85),
    (225, 222, 215),
)
PALE = ((225, 228, 232), (215, 195, 150), (190, 180, 165))


def layers(top: Colour, horizon: float, ground: Colour) -> list[Part]:
    """Return two grounds that meet at the horizon (y, -1..1), each in bands that grow lighter."""
    parts = []
    for n, light in enumerate((0.9, 1.0, 1.1)):
        y = -1.3 + (horizon + 1.3) * n / 3
        parts.append(box(shade(top, light), -1.3, y, 1.3, horizon))
    for n, light in enumerate((1.1, 1.0, 0.88)):
        y = horizon + (1.3 - horizon) * n / 3
        parts.append(box(shade(ground, light), -1.3, y, 1.3, 1.3))
    return parts


def sky(rng: np.random.RandomState) -> list[Part]:
    """Return a sky with clouds."""
    parts = layers(pick(rng, SKY), rng.uniform(0.3, 1.2), pick(rng, SKY))
    for x, y, size, light in rng.uniform(size=(rng.randint(5), 4)) * (2, 2, 0.5, 0.4) + (
        -1,
        -1,
        0.2,
        0.8,
    ):
        parts.append(ellipse(shade((210, 212, 216), light), x, y, size * 1.5, size * 0.5))
    return parts


def sea(rng: np.random.RandomState) -> list[Part]:
    """Return sky over water with waves, sometimes with a coast between them."""
    water, horizon = pick(rng, SEA), rng.uniform(-0.4, 0.5)
    parts = layers(pick(rng, SKY), horizon, water)
    if rng.rand() < 0.4:
        left, height = rng.uniform(-1.2, 0.6), rng.uniform(0.1, 0.4)
        coast = ((left, horizon), (left + 0.4, horizon - height), (left + 1.2, horizon))
        parts.append(polygon(pick(rng, WOOD), *coast))
    for x, y, light in rng.uniform(size=(4, 3)) * (2, 1 - horizon, 0.5) + (-1, horizon, 0.8):
        parts.append(limb(shade(water, light), (x - 0.25, y), (x + 0.25, y), 0.06))
    return parts


def road(rng: np.random.RandomState) -> list[Part]:
    """Return a street: houses or trees at its far side, tarmac with a line before them."""
    tarmac, horizon = pick(rng, STONE), rng.uniform(-0.2, 0.4)
    parts = layers(pick(rng, SKY), horizon, tarmac)
    for left in np.arange(-1.3, 1.2, 0.65):
        top, colour = horizon - rng.uniform(0.0, 0.9), pick(rng, WALL + WOOD)
        parts.append(box(colour, left, top, left + rng.uniform(0.4, 0.7), horizon))
    parts.append(
        limb(shade(tarmac, 1.35), (-1.3, rng.uniform(0.6, 1)), (1.3, rng.uniform(0.6, 1)), 0.07)
    )
    return parts


def grass(rng: np.random.RandomState) -> list[Part]:
    """Return a meadow under sky or wood, with tufts."""
    green, horizon = pick(rng, GRASS), rng.uniform(-1.2, 0.4)
    parts = layers(pick(rng, SKY + WOOD), horizon, green)
    for x, y, light in rng.uniform(size=(5, 3)) * (2, 1 - horizon, 0.6) + (-1, horizon, 0.7):
        parts.append(ellipse(shade(green, light), x, y, 0.25, 0.08))
    return parts


def wood(rng: np.random.RandomState) -> list[Part]:
    """Return trunks and leaves over dark ground."""
    parts = layers(pick(rng, WOOD), rng.uniform(-0.2, 0.8), pick(rng, WOOD + GRASS))
    for x, lean, width in rng.uniform(-1, 1, size=(3, 3)):
        trunk = pick(rng, ((80, 60, 45), (50, 42, 36), (140, 125, 105)))
        parts.append(limb(trunk, (x, -1.3), (x + lean * 0.2, 0.7), 0.2 + width * 0.12))
    for x, y, size in rng.uniform(-1, 1, size=(4, 3)):
        parts.append(ellipse(pick(rng, WOOD + GRASS), x, y, 0.35 + size * 0.15, 0.25))
    return parts


def room(rng: np.random.RandomState) -> list[Part]:
    """Return a wall and a floor or cloth, with some furniture."""
    parts = layers(pick(rng, WALL), rng.uniform(-0.3, 0.9), pick(rng, WALL + STONE))
    for _ in range(rng.randint(1, 4)):
        left, top, width, height = rng.uniform(size=4) * (2, 1.6, 0.9, 0.9) + (-1.2, -1.2, 0.2, 0.2)
        parts.append(box(pick(rng, WALL + WOOD + SEA), left, top, left + width, top + height))
    return parts


def pale(rng: np.random.RandomState) -> list[Part]:
    """Return sand, snow or a studio's screen."""
    parts = layers(pick(rng, PALE), rng.uniform(-0.5, 0.8), pick(rng, PALE))
    for x, y, size in rng.uniform(-1, 1, size=(2, 3)):
        parts.append(ellipse(pick(rng, PALE), x, y, 0.5 + size * 0.3, 0.2))
    return parts
