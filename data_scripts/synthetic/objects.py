"""A stand-in for CIFAR-10, drawn by code: ten classes of objects in changing scenes.

It is not as rich as photographs, but it teaches the same: a linear classifier is poor, two
layers are better and overfit, convolutions are better still, and none is perfect.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw

from data_scripts.synthetic import animals, scenes, vehicles
from data_scripts.synthetic.camera import photograph
from data_scripts.synthetic.scenes import Scene, grass, pale, road, room, sea, sky, wood
from data_scripts.synthetic.shapes import Part, ellipse, limb, paint, pick


@dataclass(frozen=True)
class Kind:
    """How a class looks, the ten scenes one of which it is in, and how far it turns (radians)."""

    silhouette: Callable[[np.random.RandomState], list[Part]]
    scenes: list[Scene]
    turn: float = 0.1  # standard deviation


VERSION = 1
KINDS = {
    "airplane": Kind(
        vehicles.airplane, 4 * [sky] + [sea] + 2 * [road] + [grass] + 2 * [pale], turn=0.5
    ),
    "automobile": Kind(vehicles.automobile, [sea] + 5 * [road] + [grass, wood] + 2 * [pale]),
    "bird": Kind(animals.bird, 2 * [sky] + [sea] + 2 * [grass] + 3 * [wood] + 2 * [pale], turn=0.3),
    "cat": Kind(animals.cat, [road] + 2 * [grass] + [wood] + 4 * [room] + 2 * [pale]),
    "deer": Kind(animals.deer, [sky] + 4 * [grass] + 3 * [wood] + 2 * [pale]),
    "dog": Kind(animals.dog, [sea, road] + 3 * [grass] + 3 * [room] + 2 * [pale]),
    "frog": Kind(
        animals.frog, 2 * [sea] + [road] + 2 * [grass] + 2 * [wood] + [room] + 2 * [pale], turn=0.35
    ),
    "horse": Kind(animals.horse, [sky] + 2 * [road] + 4 * [grass] + [wood] + 2 * [pale]),
    "ship": Kind(vehicles.ship, [sky] + 6 * [sea] + [road] + 2 * [pale]),
    "truck": Kind(vehicles.truck, [sky] + 5 * [road] + [grass, wood] + 2 * [pale]),
}
CLASSES = tuple(KINDS)
SIDE, FINER = 32, 3  # drawn three times finer, then reduced
BATCH = 50  # pictures that are photographed together: they fit in the processor's cache


def draw(
    train: int = 10_000, test: int = 2_000, seed: int = 0
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Return "train" and "test": images (N, 3, 32, 32) and labels (N,), both uint8, in 0..9.

    Classes are balanced, the order is shuffled.
    """
    rng = np.random.RandomState(seed)
    return {"train": split(rng, train), "test": split(rng, test)}


def split(rng: np.random.RandomState, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `count` images and labels."""
    labels = rng.permutation(np.arange(count) % len(CLASSES)).astype(np.uint8)
    images = np.empty((count, SIDE, SIDE, 3), np.uint8)
    for n, label in enumerate(labels):
        images[n] = picture(rng, KINDS[CLASSES[label]])
    for start in range(0, count, BATCH):
        images[start : start + BATCH] = photograph(rng, images[start : start + BATCH])
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels)


def picture(rng: np.random.RandomState, kind: Kind) -> np.ndarray:
    """Return an object of this kind in a scene, with clutter, (32, 32, 3), uint8."""
    image = Image.new("RGB", (SIDE * FINER, SIDE * FINER))
    canvas = ImageDraw.Draw(image)
    half = SIDE * FINER / 2
    page = np.array([[half, 0.0], [0.0, half], [half, half]])
    scene = kind.scenes[rng.randint(len(kind.scenes))]
    paint(canvas, scene(rng) + clutter(rng, rng.randint(4)), page)
    paint(canvas, kind.silhouette(rng), placement(rng, kind.turn))
    if rng.rand() < 0.3:
        paint(canvas, clutter(rng, 1), page)
    return np.asarray(image.reduce(FINER))


def placement(rng: np.random.RandomState, spread: float) -> np.ndarray:
    """Return the affine map (3, 2) to the canvas: flip, turn, stretch, shear, scale, shift."""
    half = SIDE * FINER / 2
    turn = rng.randn() * spread
    cos, sin = np.cos(turn), np.sin(turn)
    flip = 1.0 if rng.rand() < 0.5 else -1.0
    shape = np.array(
        [[flip * rng.uniform(0.8, 1.05), 0.0], [rng.randn() * 0.08, rng.uniform(0.85, 1.1)]]
    )
    linear = shape @ np.array([[cos, sin], [-sin, cos]]) * half * rng.uniform(0.62, 1.0)
    return np.vstack([linear, half * (1 + rng.uniform(-0.2, 0.2, size=2))])


def clutter(rng: np.random.RandomState, count: int) -> list[Part]:
    """Return small things that tell nothing about the class, in the page's units (-1..1)."""
    parts = []
    for x, y, size, tilt in rng.uniform(-1, 1, size=(count, 4)):
        colour = pick(rng, scenes.WALL + scenes.WOOD + vehicles.PAINT)
        if tilt < 0:
            parts.append(ellipse(colour, x, y, 0.15 + 0.1 * size, 0.12, tilt * 3))
        else:
            parts.append(limb(colour, (x, y), (x + size * 0.6, y + tilt - 0.5), 0.1))
    return parts
