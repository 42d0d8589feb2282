"""The data: its counts, and faces that are in two splits."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance

Copies = Sequence[tuple[tuple[int, ...], tuple[int, ...]]]
RATIO = Tolerance(rtol=1e-5, atol=1e-6)  # a division in float32 will do
INSIDE = (slice(None), slice(1, -1), slice(1, -1))  # of an image (1, H, W): without the border


# Counts


def label_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield labels; some classes do not occur, at the end and in between."""
    for name, about, counts in (
        ("faces", "seven classes, all there", rng.randint(5, 60, size=7)),
        ("last_missing", "the last two classes do not occur", [*rng.randint(4, 30, size=4), 0, 0]),
        ("first_missing", "classes 0 and 2 do not occur", [0, 17, 0, *rng.randint(2, 9, size=2)]),
        ("rare", "one label of a class", [1, int(rng.randint(40, 90)), 23]),
        ("one_class", "only one class occurs", [0, 0, 12, 0]),
        ("single", "a single label", [0, 1, 0]),
    ):
        y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        yield case(name, about, y=torch.tensor(y, dtype=torch.int64), num_classes=len(counts))


@check(
    "card_counts", "labels of each class, and the imbalance ratio",
    {"counts": "return.0", "ratio": "return.1"}, label_cases, tolerance=RATIO, pure=True,
)  # fmt: skip
def counted(y: torch.Tensor, num_classes: int) -> Answers:
    """Count label by label, in Python."""
    found = [y.tolist().count(label) for label in range(num_classes)]
    there = sorted(n for n in found if n)
    return {"counts": torch.tensor(found), "ratio": there[-1] / there[0]}


# Duplicates


def image_set_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield two sets of images with a border of one pixel that is cropped off."""
    for name, about, sizes, copies, weight in (
        ("some", "a few copies, in any order", (9, 8),
         [((1,), (5,)), ((4,), (0,)), ((8,), (3,))], 1),
        ("several", "images that occur several times", (11, 11),
         [((7, 2), (6, 1)), ((9, 3, 5), (4,)), ((8,), (7, 0, 2))], 4),
        ("none", "no copies, but the same pixels in another order", (6, 5), [], 2),
        ("same_place", "copies at the same place and elsewhere", (8, 8),
         [((2,), (2,)), ((5,), (5,)), ((0,), (6,))], 1),
        ("single", "one image against seven", (1, 7), [((0,), (3, 1))], 1),
        ("many", "140 and 90 images", (140, 90), [((n,), (n,)) for n in range(25)], 1),
        ("large", "images of 48 × 48", (4, 6), [((2,), (0,))], 2),
    ):  # fmt: skip
        pixels = (50, 50) if name == "large" else (5, 7)
        first, second = drawn_sets(rng, sizes, copies, pixels)
        orders = rng.permutation(sizes[0]), rng.permutation(sizes[1])
        if name == "same_place":
            orders = orders[0], orders[0]
        first, second = first[orders[0]], second[orders[1]]
        yield case(name, about, weight, first=as_bytes(first), second=as_bytes(second))


def drawn_sets(
    rng: Draws, sizes: tuple[int, int], copies: Copies, pixels: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw two sets, with copies of an image at places of the first and of the second.

    Of the rest, some have the same pixels in another order, so that no sum and no histogram
    tells them apart, or differ in a single pixel: the first, the last, or the one in the middle.
    """
    H, W = pixels
    first, second = (rng.randint(0, 256, size=(n, 1, H, W)) for n in sizes)
    for here, there in copies:
        for images, places in ((first, here), (second, there)):
            for place in places:
                images[place][INSIDE] = first[here[0]][INSIDE]
    taken = {j for _, there in copies for j in there}
    moved, rolled, middle, last, begin = sorted(set(range(sizes[1])) - taken)[:5]
    for j, axis in ((moved, 1), (rolled, 2)):
        second[j][INSIDE] = np.roll(first[0][INSIDE], 1, axis=axis)
    for j, place in ((middle, (H // 2, W // 2)), (last, (H - 2, W - 2)), (begin, (1, 1))):
        second[j][INSIDE] = first[0][INSIDE]
        second[j, 0, *place] ^= 1
    return first, second


def as_bytes(images: np.ndarray) -> torch.Tensor:
    """Write images as uint8."""
    return torch.tensor(images, dtype=torch.uint8)


@check(
    "duplicate_pairs", "pairs of identical images", {"pairs": "return"}, image_set_cases, pure=True,
)  # fmt: skip
def compared(first: torch.Tensor, second: torch.Tensor) -> Answers:
    """Compare every image with every other one, pixel by pixel."""
    one, other = (part[:, 0, 1:-1, 1:-1].flatten(1) for part in (first, second))
    return {"pairs": (one[:, None] == other[None]).all(dim=2).nonzero()}
