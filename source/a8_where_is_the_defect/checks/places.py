"""Where it is: boxes; the formats of labels have a file of their own."""

from collections.abc import Iterator

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check


def mask_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield masks, and the least number of pixels."""
    rings, leaning = ring(rng), diagonals(rng)
    for name, about, mask, least in (
        ("pieces", "17 x 26 pixels", rng.rand(17, 26) < 0.12, 1),
        ("least", "19 x 14 pixels, pieces of 3 and more", rng.rand(19, 14) < 0.2, 3),
        ("hole", "a piece in the hole of another one", rings, 2),
        ("corners", "pieces that touch at corners", leaning, 1),
        ("thin", "a long thin piece whose box is large, pieces of 9 and more", leaning, 9),
        ("exactly", "pieces of exactly `least` pixels", blocks(rng), 4),
        ("full", "all true, 9 x 13", np.ones((9, 13), bool), 1),
        ("empty", "no pixel is true", np.zeros((11, 8), bool), 1),
        ("none_left", "all pieces are too small", np.eye(6, 10, k=1, dtype=bool), 7),
        ("row", "a single row", rng.rand(1, 23) < 0.5, 1),
        ("large", "20 x 300 pixels, most of them true", wide(rng), 2),
    ):
        yield case(name, about, mask=torch.tensor(mask), least=least)


def wide(rng: Draws) -> np.ndarray:
    """Draw a piece of thousands of pixels, and specks beyond the 255th column."""
    mask = np.zeros((20, 300), bool)
    mask[:, :270] = rng.rand(20, 270) < 0.97
    mask[1:19, 272:298] = rng.rand(18, 26) < 0.1
    return mask


def ring(rng: Draws) -> np.ndarray:
    """Draw a ring, a piece within it, one around a corner of it, and specks below."""
    mask = np.zeros((18, 25), bool)
    top, left = rng.randint(2, 5, size=2)
    mask[top : top + 9, left : left + 12] = True
    mask[top + 1 : top + 8, left + 2 : left + 10] = False
    mask[top + 3 : top + 6, left + 4 : left + 7] = True
    mask[0, left - 2 : left + 5] = mask[: top + 4, left - 2] = True  # boxes overlap
    mask[15:] = rng.rand(3, 25) < 0.2
    return mask


def diagonals(rng: Draws) -> np.ndarray:
    """Draw pieces that only corners hold together, and specks below.

    Two share y1 and x1; of two others in the first row, the later one has the smaller x1.
    """
    mask = np.zeros((21, 19), bool)
    for k in range(5):
        mask[k, [4 - k, 15 - k]] = True
    mask[0, [0, 12]] = True
    for k in range(9):
        mask[7 + k, 3 + k] = True
    mask[[7, 8, 9], [16, 17, 16]] = True
    mask[17:] = rng.rand(4, 19) < 0.15
    return mask


def blocks(rng: Draws) -> np.ndarray:
    """Draw pieces of 3, 4 and 5 pixels, each in a place of its own."""
    mask = np.zeros((15, 20), bool)
    shapes = ((1, 3), (2, 2), (1, 4), (4, 1), (5, 1), (3, 1))
    for place, k in enumerate(rng.permutation(len(shapes))):
        row, column = 1 + 7 * (place // 3), 1 + 6 * (place % 3) + rng.randint(2)
        height, width = shapes[k]
        mask[row : row + height, column : column + width] = True
    return mask


@check(
    "boxes_of_masks", "boxes (x1, y1, x2, y2) of the pieces of a mask", {"boxes": "return"},
    mask_cases, pure=True,
)  # fmt: skip
def boxed(mask: torch.Tensor, least: int) -> Answers:
    """Flood each piece, and take the least and the largest row and column."""
    found = []
    for piece in flooded(mask.numpy()):
        rows, columns = zip(*piece, strict=True)
        if len(piece) >= least:
            found.append((min(rows), min(columns), max(rows) + 1, max(columns) + 1))
    boxes = [(x1, y1, x2, y2) for y1, x1, y2, x2 in sorted(found)]
    return {"boxes": torch.tensor(boxes, dtype=torch.int64).reshape(-1, 4)}


def flooded(mask: np.ndarray) -> list[list[tuple[int, int]]]:
    """Find the pieces of a mask (H, W) by flooding: the pixels (row, column) of each."""
    left, pieces = {(int(row), int(column)) for row, column in np.argwhere(mask)}, []
    while left:
        start = min(left)
        left.remove(start)
        piece, waiting = [], [start]
        while waiting:
            row, column = waiting.pop()
            piece.append((row, column))
            around = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= around
            waiting += around
        pieces.append(piece)
    return pieces
