"""Per-region overlap: the area under a curve, with a weight of 1 for each region of a mask."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance

OVERLAP = Tolerance(rtol=1e-5, atol=1e-6)  # sums in float32 are exact enough


def map_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield maps, masks and a limit."""
    for name, about, shape, limit in (
        ("images", "4 images of 12 x 17", (4, 12, 17), 0.3),
        ("narrow", "5 images of 11 x 14, limit 0.05", (5, 11, 14), 0.05),
        ("whole", "3 images of 13 x 10, limit 1", (3, 13, 10), 1.0),
        ("single", "one image of 16 x 11", (1, 16, 11), 0.3),
    ):
        masks = draw_masks(rng, *shape, limit)
        yield case(name, about, **tensors(draw_maps(rng, masks), masks, limit))
    masks = draw_masks(rng, 4, 14, 11)
    maps = draw_maps(rng, masks)
    low, coarse = maps - 8 * masks * (rng.rand(*masks.shape) < 0.7), (maps / 1.5).round() * 1.5
    yield case("ties", "maps of a few values", 2, **tensors(coarse, masks))
    yield case("level", "maps of one value only", **tensors(np.full(masks.shape, 2.5), masks))
    yield case("misled", "the largest values are good", **tensors(low, masks))
    masks = draw_masks(rng, 4, 10, 13, filled=2)
    inputs = tensors(draw_maps(rng, masks), masks)
    yield case("filled", "one image is defective all over", **inputs)
    masks = draw_masks(rng, 3, 15, 12)
    inputs = tensors(draw_maps(rng, masks).astype(np.float32), masks)
    yield case("float32", "3 images, maps in float32", **inputs)
    masks = draw_masks(rng, 3, 11, 15)
    order = draw_maps(rng, masks).ravel().argsort(kind="stable")
    ranks = order.argsort().reshape(masks.shape)
    inputs = tensors(1 + 1e-9 * ranks + (ranks > 0.8 * ranks.max()), masks)
    yield case("near", "3 images, maps with values that differ by 1e-9", **inputs)
    masks = draw_masks(rng, 4, 13, 12)
    about = "maps with a few hundred values, the largest of them that of many pixels"
    yield case("capped", about, **tensors(draw_maps(rng, masks).clip(max=1.8), masks))
    masks = draw_masks(rng, 3, 12, 14, limit=1.0)
    low = draw_maps(rng, masks) - 8 * masks * (rng.rand(*masks.shape) < 0.3)
    yield case("low", "the smallest values are defective, limit 1", **tensors(low, masks, 1.0))


def draw_masks(
    rng: Draws, N: int, H: int, W: int, limit: float = 0.3, filled: int | None = None
) -> np.ndarray:
    """Draw regions of unequal sizes; if there are several images, the last one is good.

    Some pixels touch only at corners. Regions end in an image's last row, and begin in the
    first row of the next one. No false-positive rate equals the limit: the curve may
    rise vertically there.
    """
    while True:
        masks = np.zeros((N, H, W), bool)
        for n, mask in enumerate(masks[: max(N - 1, 1)]):
            column = rng.randint(1, 4)
            mask[H - 2 :, column : column + 3] = True
            mask[0, column + 1 : column + 3] = True
            mask[range(4, 7), range(column, column + 3)] = True  # a diagonal
            mask[H - 1, W - 1] = True  # a region of one pixel
            if n % 2 == 0:
                top, height, width = rng.randint(2, 4), rng.randint(2, 5), rng.randint(2, 4)
                mask[top : top + height, W - 4 : W - 4 + width] = True
        if filled is not None:
            masks[filled] = True
        false_alarms = limit * (~masks).sum()
        if limit == 1 or abs(false_alarms - round(false_alarms)) > 0.01:
            return masks


def draw_maps(rng: Draws, masks: np.ndarray) -> np.ndarray:
    """Draw values that are larger in most regions, by an amount that varies from row to row."""
    signal = 2.5 * rng.rand(*masks.shape[:2], 1) * masks
    return rng.exponential(size=masks.shape) + signal


def tensors(maps: np.ndarray, masks: np.ndarray, limit: float = 0.3) -> dict[str, Any]:
    """Turn NumPy arrays into inputs."""
    return {"maps": torch.tensor(maps), "masks": torch.tensor(masks), "limit": limit}


@check(
    "region_overlap_values", "per-region overlap (PRO)", {"PRO": "return"}, map_cases,
    tolerance=OVERLAP, pure=True,
)  # fmt: skip
def overlap(maps: torch.Tensor, masks: torch.Tensor, limit: float) -> Answers:
    """Go through all thresholds, one after the other, and add up trapezoids."""
    pieces = [(n, piece) for n, mask in enumerate(masks.numpy()) for piece in flooded(mask)]
    values, good = maps.double().numpy(), ~masks.numpy()
    points = [(0.0, 0.0)]
    for threshold in np.unique(values)[::-1]:
        called = values >= threshold
        shares = [called[n][tuple(zip(*piece, strict=True))].mean() for n, piece in pieces]
        points.append(((called & good).sum() / good.sum(), np.mean(shares)))
    total = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 < limit and x0 < x1:
            width = min(x1, limit) - x0
            total += width * (y0 + (y1 - y0) * width / (x1 - x0) / 2)
    return {"PRO": total / limit}


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
