"""A stand-in for CIFAR-10, drawn by code: ten classes of objects in changing scenes.

It is not as rich as photographs, but it teaches the same: a linear classifier is poor, two
layers are better and overfit, convolutions are better still, and none is perfect.
"""

import numpy as np
import torch
from PIL import Image, ImageDraw

from data_scripts.drawn import animals, scenes, vehicles
from data_scripts.drawn.shapes import Part, ellipse, limb, paint, pick

VERSION = 1
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
SIDE, FINER = 32, 3  # drawn three times finer, then reduced
BATCH = 50  # pictures that are photographed together: they fit in the processor's cache
ANIMALS = ("bird", "cat", "deer", "dog", "frog", "horse")
SILHOUETTES = tuple(getattr(animals if name in ANIMALS else vehicles, name) for name in CLASSES)

# How often each class is in each scene, in tenths: sky, sea, road, grass, wood, room, pale.
PLACES = np.array(
    [
        [4, 1, 2, 1, 0, 0, 2],
        [0, 1, 5, 1, 1, 0, 2],
        [2, 1, 0, 2, 3, 0, 2],
        [0, 0, 1, 2, 1, 4, 2],
        [1, 0, 0, 4, 3, 0, 2],
        [0, 1, 1, 3, 0, 3, 2],
        [0, 2, 1, 2, 2, 1, 2],
        [1, 0, 2, 4, 1, 0, 2],
        [1, 6, 1, 0, 0, 0, 2],
        [1, 0, 5, 1, 1, 0, 2],
    ]
)
TURN = {"airplane": 0.5, "frog": 0.35, "bird": 0.3}  # radians, standard deviation; others 0.1


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
        images[n] = picture(rng, int(label))
    for start in range(0, count, BATCH):
        images[start : start + BATCH] = photograph(rng, images[start : start + BATCH])
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels)


def picture(rng: np.random.RandomState, label: int) -> np.ndarray:
    """Return an object of the class in a scene, with clutter, (32, 32, 3)."""
    image = Image.new("RGB", (SIDE * FINER, SIDE * FINER))
    canvas = ImageDraw.Draw(image)
    half = SIDE * FINER / 2
    page = np.array([[half, 0.0], [0.0, half], [half, half]])
    scene = scenes.SCENES[np.repeat(np.arange(len(scenes.SCENES)), PLACES[label])[rng.randint(10)]]
    paint(canvas, scene(rng) + clutter(rng, rng.randint(4)), page)
    paint(canvas, SILHOUETTES[label](rng), placement(rng, CLASSES[label]))
    front = clutter(rng, int(rng.rand() < 0.3))
    if front:
        paint(canvas, front, page)
    return np.asarray(image.reduce(FINER))


def placement(rng: np.random.RandomState, name: str) -> np.ndarray:
    """Return the affine map (3, 2) to the canvas: flip, turn, stretch, shear, scale, shift."""
    half = SIDE * FINER / 2
    turn = rng.randn() * TURN.get(name, 0.1)
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


def photograph(rng: np.random.RandomState, images: np.ndarray) -> np.ndarray:
    """Return the pictures (N, 32, 32, 3) as a camera sees them: light, tint, blur and noise."""
    n = len(images)
    X = images.astype(np.float32)
    X += (blurred(X) - X) * rng.uniform(0, 0.9, size=(n, 1, 1, 1)).astype(np.float32)
    X = (X - 120) * rng.uniform(0.55, 1.1, size=(n, 1, 1, 1)).astype(np.float32) + 120
    ramp = np.linspace(-1, 1, SIDE, dtype=np.float32)
    down, across = rng.normal(0, 14, size=(2, n, 1, 1, 1)).astype(np.float32)
    X += down * ramp[:, None, None] + across * ramp[:, None]
    X += rng.normal(0, 22, size=(n, 1, 1, 1)) + rng.normal(0, 8, size=(n, 1, 1, 3))
    grain = (
        np.frombuffer(rng.bytes(2 * X.size), np.int8).reshape(2, *X.shape).sum(0, dtype=np.int16)
    )
    X += grain * rng.uniform(0.02, 0.1, size=(n, 1, 1, 1)).astype(np.float32)
    return X.clip(0, 255).astype(np.uint8)


def blurred(X: np.ndarray) -> np.ndarray:
    """Return the images (N, H, W, C), each pixel averaged with its neighbours (weights 1 2 1)."""
    padded = np.pad(X, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    return (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4
