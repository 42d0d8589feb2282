"""Per-region overlap, and the connected pieces of a mask."""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import numpy as np
import torch

from autograder.cases import Tolerance
from autograder.checks import Check, Kind, Mistake, number, public_and_hidden

Tensors = dict[str, torch.Tensor]
OVERLAP = Tolerance(rtol=1e-5, atol=1e-6)  # sums in float32 are exact enough


def checks(seed: int) -> Iterator[Check]:
    """Yield the check; `seed` draws the hidden cases."""
    yield Check(
        name="region_overlap_values",
        title="per-region overlap (PRO)",
        records={"PRO": "return"},
        cases=public_and_hidden(map_cases, seed),
        oracle=overlap,
        pure=True,
    )


def map_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield maps, masks and a limit."""
    for name, about, shape, limit in (
        ("images", "4 images of 12 x 17", (4, 12, 17), 0.3),
        ("narrow", "5 images of 11 x 14, limit 0.05", (5, 11, 14), 0.05),
        ("whole", "3 images of 13 x 10, limit 1", (3, 13, 10), 1.0),
        ("single", "one image of 16 x 11", (1, 16, 11), 0.3),
    ):
        masks = draw_masks(rng, *shape, limit)
        yield name, about, overlapping(draw_maps(rng, masks), masks, limit), 1, OVERLAP
    masks = draw_masks(rng, 4, 14, 11, 0.3)
    maps = draw_maps(rng, masks)
    level, low = np.full(masks.shape, 2.5), maps - 8 * masks * (rng.rand(*masks.shape) < 0.7)
    coarse = (maps / 1.5).round() * 1.5
    yield "ties", "maps of a few values", overlapping(coarse, masks, 0.3), 2, OVERLAP
    yield "level", "maps of one value only", overlapping(level, masks, 0.3), 1, OVERLAP
    yield "misled", "the largest values are good", overlapping(low, masks, 0.3), 1, OVERLAP
    masks = draw_masks(rng, 4, 10, 13, 0.3, filled=2)
    inputs = overlapping(draw_maps(rng, masks), masks, 0.3)
    yield "filled", "one image is defective all over", inputs, 1, OVERLAP
    masks = draw_masks(rng, 3, 15, 12, 0.3)
    inputs = overlapping(draw_maps(rng, masks), masks, 0.3)
    inputs["maps"] = inputs["maps"].float()
    yield "float32", "3 images, maps in float32", inputs, 1, OVERLAP
    masks = draw_masks(rng, 3, 11, 15, 0.3)
    ranks = draw_maps(rng, masks).ravel().argsort().argsort().reshape(masks.shape)
    inputs = overlapping(1 + 1e-9 * ranks, masks, 0.3)
    yield "near", "3 images, maps whose values differ by 1e-9", inputs, 1, OVERLAP


def draw_masks(
    rng: np.random.RandomState, N: int, H: int, W: int, limit: float, filled: int | None = None
) -> np.ndarray:
    """Draw regions of unequal sizes; of several images, the last one is good.

    Some pixels touch only at corners. Regions end in an image's last row, and begin in the
    first row of the next one. No false-positive rate is the limit: there a curve may go
    straight up.
    """
    while True:
        masks = np.zeros((N, H, W), bool)
        for n, mask in enumerate(masks[: max(N - 1, 1)]):
            column = rng.randint(1, 4)
            mask[H - 2 :, column : column + 3] = True
            mask[0, column + 1 : column + 3] = True
            mask[range(4, 7), range(column, column + 3)] = True  # a diagonal
            if n % 2 == 0:
                top, height, width = rng.randint(2, 4), rng.randint(2, 5), rng.randint(2, 4)
                mask[top : top + height, W - 4 : W - 4 + width] = True
        if filled is not None:
            masks[filled] = True
        false_alarms = limit * (~masks).sum()
        if limit == 1 or abs(false_alarms - round(false_alarms)) > 0.01:
            return masks


def draw_maps(rng: np.random.RandomState, masks: np.ndarray) -> np.ndarray:
    """Draw values that are larger in most regions, by an amount of their own."""
    signal = 2.5 * rng.rand(*masks.shape[:2], 1) * masks
    return rng.exponential(size=masks.shape) + signal


def overlapping(maps: np.ndarray, masks: np.ndarray, limit: float) -> dict:
    """Make inputs of NumPy's arrays."""
    return {"maps": torch.tensor(maps), "masks": torch.tensor(masks), "limit": limit}


def overlap(maps: torch.Tensor, masks: torch.Tensor, limit: float) -> Tensors:
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
    return {"PRO": number(total / limit)}


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


PRO = partial(Mistake, cell="region_overlap", checks=("region_overlap_values",))
WEIGHTS = "weights.append(mask / areas[labels])"
GOOD = "good = (~masks).flatten()[order].double()"
CUT = "    x, y = torch.cat([curve[:, curve[0] < limit], end[:, None]], dim=1)\n"
RETURNED = "return (torch.trapezoid(y, x) / limit).item()"
BEGUN = "curve = F.pad(torch.stack([rate, overlap])[:, last], (1, 0))"
LAST = "last = torch.cat([values[1:] != values[:-1], torch.tensor([True])])"

MISTAKES = (
    PRO(
        name="corners_part_regions",
        change={"ndimage.label(mask, structure=np.ones((3, 3)))": "ndimage.label(mask)"},
        share=0.6,
        hint="pixels that touch at a corner were taken for two regions. They are one: "
        "structure=np.ones((3, 3)).",
    ),
    PRO(
        name="regions_across_images",
        change={"in masks.numpy():": "in masks.numpy().reshape(1, -1, masks.shape[2]):"},
        share=0.5,
        hint="regions grew from one image into the next one. Label each image by itself.",
    ),
    PRO(
        name="regions_reach_the_next_image",
        change={
            "in masks.numpy():": "in [masks.numpy()]:",
            "np.ones((3, 3))": "np.ones((3, 3, 3))",
        },
        share=0.5,
        hint="all masks were labelled at once, as one solid, so regions of neighbouring images "
        "became one. Label each image by itself.",
    ),
    PRO(
        name="maps_in_float32",
        change={"maps.flatten()": "maps.float().flatten()"},
        share=0.7,
        hint="values that differ by 1e-9 were taken for equal. Keep the maps in float64.",
    ),
    PRO(
        name="flat_to_the_limit",
        change={"np.interp(limit, *curve)": "curve[1][curve[0] < limit][-1]"},
        share=0.5,
        hint="up to the limit the curve was continued at the height of its last point. It goes on "
        "in a straight line to the next point: interpolate at the limit.",
    ),
    PRO(
        name="pixels_count_alike",
        change={WEIGHTS: "weights.append(mask * 1.0)", "regions += count": "regions += mask.sum()"},
        share=0.3,
        hint="all defective pixels count the same here: that is the ROC curve of the pixels. Take "
        "the share of each region first, then the mean over regions.",
    ),
    PRO(
        name="images_count_alike",
        change={
            WEIGHTS: "weights.append(mask / areas[labels] / max(count, 1))",
            "regions += count": "regions += count > 0",
        },
        share=0.5,
        hint="the mean was taken within each image first. Take one mean over all regions of all "
        "images.",
    ),
    PRO(
        name="good_images_left_out",
        change={
            GOOD: "good = (~masks & masks.any(2).any(1)[:, None, None]).flatten()[order].double()"
        },
        share=0.5,
        hint="the good pixels of good images are missing in the false-positive rate. All good "
        "pixels of all images count.",
    ),
    PRO(
        name="rate_of_all_pixels",
        change={"good.cumsum(dim=0) / good.sum()": "good.cumsum(dim=0) / len(good)"},
        share=0.5,
        hint="false alarms were divided by the number of all pixels. Divide by that of the good "
        "pixels.",
    ),
    PRO(
        name="not_divided_by_the_limit",
        change={"(torch.trapezoid(y, x) / limit)": "torch.trapezoid(y, x)"},
        share=0.5,
        hint="this is the area up to the limit. Divide by the limit, so that 1 is the best.",
    ),
    PRO(
        name="not_cut_at_the_limit",
        change={CUT: "    x, y = curve[:, curve[0] < limit]\n"},
        share=0.5,
        hint="the area ends at the last point below the limit. Cut the line to the next point at "
        "the limit, and add that piece.",
    ),
    PRO(
        name="stretched_to_the_limit",
        change={
            CUT: "    x, y = curve[:, curve[0] < limit]\n",
            RETURNED: "return (torch.trapezoid(y, x) / x.max().clamp(min=1e-9)).item()",
        },
        share=0.5,
        hint="the curve was stopped below the limit and divided by where it stopped. Cut it at the "
        "limit and divide by the limit.",
    ),
    PRO(
        name="overlap_limit_ignored",
        change={CUT: "    x, y = curve\n", "(y, x) / limit)": "(y, x))"},
        share=0.3,
        hint="this is the area of the whole curve. Stop at the limit, and divide by it.",
    ),
    PRO(
        name="begins_too_late",
        change={BEGUN: "curve = torch.stack([rate, overlap])[:, last]"},
        share=0.5,
        hint="the curve has no point (0, 0): what lies before the largest value is missing.",
    ),
    PRO(
        name="ties_in_order_of_place",
        change={LAST: "last = torch.ones(len(values), dtype=torch.bool)"},
        share=0.6,
        hint="pixels of one value crossed the threshold one after the other. They cross it "
        "together, and only the last one of them is a point of the curve.",
    ),
    PRO(
        name="two_hundred_thresholds",
        change={
            "maps.flatten().sort": "((maps - maps.min()) / (maps.max() - maps.min()) * 200).floor()"
            ".flatten().sort"
        },
        share=0.5,
        hint="thresholds at equal steps pass over many values at once. Every distinct value of the "
        "maps is a threshold.",
    ),
)
