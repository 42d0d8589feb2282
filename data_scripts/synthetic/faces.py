"""FER2013, drawn by code: 48 × 48 grey faces with seven expressions.

Goodfellow et al., "Challenges in representation learning" (2013), describe the real one. The
drawn one has its sizes, its class shares, and what makes it hard: weak expressions, every kind of
face, light and camera, and classes that overlap.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter

from data_scripts.synthetic.face_expressions import CLASSES, express
from data_scripts.synthetic.face_shapes import ABSENT, Person, Shape, behind, features, meet, vary

__all__ = ["CLASSES", "SIZE", "VERSION", "draw", "draw_collected", "draw_expressions"]

VERSION = 2  # of what draw_collected returns
STREAM = 1  # of random numbers: changed, every face is another one
SIZE = 48
FINE = 3  # drawn this many times larger, then reduced
# Images per class in the official training set.
OFFICIAL = np.array([3995, 436, 4097, 7215, 4830, 3171, 4965])
COPIED = 0.06  # of the faces of a split are in the training set too; 0.08 in the real data
RELABELLED = 0.08  # of the copies have another label there; 0.06 in the real data
CHUNK = 500  # faces whose polygons are in memory at a time


@dataclass(frozen=True)
class Pose:
    """Where N heads are in the picture, (N, 1) each: pixels of SIZE, radians, face widths."""

    x: np.ndarray
    y: np.ndarray
    scale: np.ndarray
    tilt: np.ndarray
    turn: np.ndarray
    nod: np.ndarray


def draw(
    train: int = 6_000, validation: int = 800, test: int = 800, seed: int = 0
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Return each split as images (N, 1, 48, 48) and labels (N,), both uint8.

    Classes have the shares of FER2013's training set. A split does not depend on the sizes of
    the others.
    """
    sizes = {"train": train, "validation": validation, "test": test}
    return {
        split: _draw_split(n, np.random.RandomState([seed, STREAM, number]))
        for number, (split, n) in enumerate(sizes.items())
    }


def draw_collected(
    train: int = 6_000, validation: int = 800, test: int = 800, seed: int = 0
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Draw as `draw` does, with what happens to sets that are collected from the web.

    Some faces of the training split appear in another split too, a few with another label.
    """
    splits = draw(train, validation, test, seed)
    for number, split in enumerate(("validation", "test")):
        _copy_some(splits["train"], splits[split], np.random.RandomState([seed, STREAM, 9, number]))
    return splits


def _copy_some(
    source: tuple[torch.Tensor, torch.Tensor],
    target: tuple[torch.Tensor, torch.Tensor],
    rng: np.random.RandomState,
) -> None:
    """Replace faces of a split by copies; its labels stay, and so do its class shares."""
    copies = rng.choice(len(target[1]), round(COPIED * len(target[1])), replace=False)
    relabelled = round(RELABELLED * len(copies))
    for place, row in enumerate(copies):
        same = (source[1] == target[1][row]).numpy()
        wanted = np.flatnonzero(same if place >= relabelled else ~same)
        if len(wanted):
            target[0][row] = source[0][rng.choice(wanted)]


def _draw_split(n: int, rng: np.random.RandomState) -> tuple[torch.Tensor, torch.Tensor]:
    labels = rng.permutation(np.repeat(np.arange(len(CLASSES)), _shares(n)))
    return draw_expressions(labels, rng), torch.from_numpy(labels.astype(np.uint8))


def draw_expressions(labels: np.ndarray, rng: np.random.RandomState) -> torch.Tensor:
    """Return a face for each label (N,), integers in 0..6, as images (N, 1, 48, 48), uint8."""
    starts = range(0, len(labels), CHUNK)
    pictures = [_photograph(_draw_faces(labels[i : i + CHUNK], rng), rng) for i in starts]
    return torch.from_numpy(
        np.concatenate([np.zeros((0, SIZE, SIZE), np.uint8), *pictures])[:, None]
    )


def _shares(n: int) -> np.ndarray:
    """Return the number of images of each class, summing to n, by largest remainder."""
    exact = n * OFFICIAL / OFFICIAL.sum()
    counts = np.floor(exact).astype(int)
    largest = np.argsort(counts - exact, kind="stable")[: n - counts.sum()]
    counts[largest] += 1
    return counts


def _draw_faces(labels: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Return a drawing for each label, (N, 48, 48) uint8."""
    n = len(labels)
    person, pose = meet(n, rng), _stand(n, rng)
    scenery = _scenery(n, rng)
    soft = scenery + [_place(shape, pose) for shape in behind(person)]
    sharp = [_place(shape, pose) for shape in features(person, express(labels, rng))]
    sharp += [_place(shape, pose) for shape in _in_front(person, rng)]
    layers = [_as_lists(soft), _as_lists(sharp)]
    tone = rng.randint(15, 245, n).tolist()
    return np.stack([_render(tone[i], [layer[i] for layer in layers]) for i in range(n)])


def _stand(n: int, rng: np.random.RandomState) -> Pose:
    """Draw n poses: heads near the middle of the picture, mostly upright and from the front."""
    about = partial(vary, n=n, rng=rng)
    middle = SIZE / 2
    return Pose(
        x=about(middle, 2.4),
        y=about(middle - 1, 2.2),
        scale=about(18.5, 2.0),
        tilt=about(0, 0.2),
        turn=about(0, 0.15),
        nod=about(0, 0.05),
    )


def _place(shape: Shape, pose: Pose) -> Shape:
    """Turn, tilt, scale and shift a shape from the plane of the face to the drawing's pixels."""
    x, y = shape.points[..., 0], shape.points[..., 1]
    if not shape.fixed:
        x = x + pose.turn * (1 - x**2).clip(0)
        y = y + pose.nod * (1 - y**2).clip(0)
    cos, sin = np.cos(pose.tilt), np.sin(pose.tilt)
    across = pose.x + pose.scale * (cos * x - sin * y)
    down = pose.y + pose.scale * (sin * x + cos * y)
    return Shape(FINE * np.stack([across, down], axis=-1), shape.grey)


def _scenery(n: int, rng: np.random.RandomState) -> list[Shape]:
    """Two large quadrilaterals behind a head, or one, or none, in the drawing's pixels."""
    shapes = []
    for _ in range(2):
        corner = rng.uniform(-0.3, 1.3, (n, 1, 2))
        offsets = rng.uniform(-0.8, 0.8, (n, 4, 2))
        grey = np.where(rng.random_sample((n, 1)) < 0.5, rng.uniform(10, 250, (n, 1)), ABSENT)
        shapes.append(Shape(FINE * SIZE * (corner + offsets), grey))
    return shapes


def _in_front(person: Person, rng: np.random.RandomState) -> list[Shape]:
    """A hand on the chin or the cheek, a lock of hair over one eye: each on a few faces."""
    n = len(person.skin)
    side = np.where(rng.random_sample((n, 1)) < 0.5, -1.0, 1.0)
    has_hand = rng.random_sample((n, 1)) < 0.08
    has_lock = (rng.random_sample((n, 1)) < 0.07) & ~person.bald
    reach = rng.uniform(0.45, 1.0, (n, 1))
    fingers = [
        Shape(
            _finger(side, reach - 0.08 * k, 0.75 + 0.17 * k),
            np.where(has_hand, person.skin * (0.87 + 0.05 * k), ABSENT),
        )
        for k in range(3)
    ]
    return [*fingers, Shape(_lock(side), np.where(has_lock, person.hair, ABSENT), fixed=True)]


def _lock(side: np.ndarray) -> np.ndarray:
    """Hair from the parting down over an eye to the cheek."""
    x = np.array([1.1, 0.0, 0.1, 0.35, 0.75, 1.05])
    y = np.array([-1.1, -1.15, -0.75, -0.3, 0.1, 0.5])
    return np.stack(np.broadcast_arrays(side * x, y), axis=-1)


def _finger(side: np.ndarray, reach: np.ndarray, y: float) -> np.ndarray:
    """A finger from beside the face, at height y, past its edge by `reach`."""
    x = side * np.concatenate([1.7 + 0 * reach, 1.05 - reach, 0.98 - reach, 1.05 - reach], axis=1)
    x = np.concatenate([x, side * 1.7], axis=1)
    return np.stack([x, np.broadcast_to([y + 0.5, y, y + 0.08, y + 0.17, y + 0.8], x.shape)], -1)


def _as_lists(shapes: list[Shape]) -> list[list[tuple[list[float], int]]]:
    """Return, for each face, its polygons as Pillow takes them, and their greys."""
    points = [shape.points.reshape(len(shape.points), -1).tolist() for shape in shapes]
    greys = [shape.grey.clip(ABSENT, 250).astype(int)[:, 0].tolist() for shape in shapes]
    faces = zip(zip(*points, strict=True), zip(*greys, strict=True), strict=True)
    return [
        [(xy, grey) for xy, grey in zip(polygons, tones, strict=True) if grey >= 0]
        for polygons, tones in faces
    ]


def _render(background: int, layers: list[list[tuple[list[float], int]]]) -> np.ndarray:
    """Draw a face: the soft layer, blurred like skin and hair, then the sharp one; (48, 48)."""
    soft, sharp = layers
    picture = Image.new("L", (SIZE * FINE, SIZE * FINE), background)
    pen = ImageDraw.Draw(picture)
    for polygon, grey in soft:
        pen.polygon(polygon, fill=grey)
    picture = picture.filter(ImageFilter.BoxBlur(FINE))
    pen = ImageDraw.Draw(picture)
    for polygon, grey in sharp:
        pen.polygon(polygon, fill=grey)
    return np.asarray(picture.reduce(FINE))


def _photograph(drawings: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Light from a side, contrast, focus and grain of the camera: (N, 48, 48) uint8, in and out."""
    n = len(drawings)

    def between(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, (n, 1, 1)).astype(np.float32)

    image = drawings.astype(np.float32) / 255
    ramp = np.linspace(-1, 1, SIZE, dtype=np.float32)
    image *= 1 + between(-0.45, 0.45) * ramp + between(-0.25, 0.25) * ramp[:, None]
    image = _defocus(image, between(-0.7, 1.0).clip(0))
    image = (image - 0.5) * between(0.75, 1.5) + between(0.42, 0.6)
    image += between(0.07, 0.22) ** 2 * rng.standard_normal(image.shape).astype(np.float32)
    return (255 * image).round().clip(0, 255).astype(np.uint8)


def _defocus(image: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Mix in the mean of the 3 × 3 neighbours, by an amount from 0 to 1."""
    edge = np.pad(image, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = edge[:, :-2] + edge[:, 1:-1] + edge[:, 2:]
    mean = (rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9
    return image + amount * (mean - image)
