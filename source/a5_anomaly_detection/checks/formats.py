"""Labels in the formats of COCO and YOLO."""

from collections.abc import Iterator
from functools import partial
from itertools import groupby

import numpy as np
import torch

from autograder.cases import Tolerance
from autograder.checks import Check, Kind, Mistake, public_and_hidden

Tensors = dict[str, torch.Tensor]
EXACT = Tolerance(rtol=1e-9, atol=1e-12)  # no float32 on the way


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks; `seed` draws the hidden cases."""
    yield Check(
        name="box_formats",
        title="boxes for COCO, for YOLO and back",
        records={name: f"return.{name}" for name in ("coco", "yolo", "read")},
        cases=public_and_hidden(box_cases, seed),
        oracle=rewritten,
        pure=True,
    )
    yield Check(
        name="run_length_values",
        title="run lengths of a mask",
        records={"lengths": "return"},
        cases=public_and_hidden(run_cases, seed),
        oracle=grouped,
        pure=True,
    )


def box_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield boxes, rows of a file in the YOLO format, and the size of the image."""
    for name, about, n, m, H, W in (
        ("wide", "5 boxes and 6 rows, image of 120 x 187", 5, 6, 120, 187),
        ("high", "3 boxes and 4 rows, image of 413 x 256", 3, 4, 413, 256),
        ("large", "4 boxes and 9 rows, image of 2160 x 3840", 4, 9, 2160, 3840),
        ("one", "one of each, image of 19 x 23", 1, 1, 19, 23),
        ("none", "no boxes, no rows", 0, 0, 30, 40),
    ):
        boxes, others = draw_boxes(rng, n, H, W), draw_boxes(rng, m, H, W)
        inputs = {"boxes": boxes, "rows": shares(others, H, W).round(decimals=6)}
        yield name, about, {**inputs, "height": H, "width": W}, 1, EXACT
    whole = torch.tensor([[0, 0, 33, 21]])
    inputs = {"boxes": whole, "rows": torch.tensor([[0.5, 0.5, 1.0, 1.0]]).double()}
    yield "whole", "the whole image of 21 x 33", {**inputs, "height": 21, "width": 33}, 1, EXACT


def draw_boxes(rng: np.random.RandomState, n: int, H: int, W: int) -> torch.Tensor:
    """Draw boxes (n, 4), xyxy, in an image of H x W."""
    corners = np.empty((n, 4), np.int64)
    for row in corners:
        row[[0, 2]] = np.sort(rng.choice(W + 1, 2, replace=False))
        row[[1, 3]] = np.sort(rng.choice(H + 1, 2, replace=False))
    return torch.tensor(corners)


def shares(boxes: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Write each box in the YOLO format, with Python's numbers."""
    rows = [
        ((x1 + x2) / (2 * width), (y1 + y2) / (2 * height), (x2 - x1) / width, (y2 - y1) / height)
        for x1, y1, x2, y2 in boxes.tolist()
    ]
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, 4)


def rewritten(boxes: torch.Tensor, rows: torch.Tensor, height: int, width: int) -> Tensors:
    """Work with Python's numbers, one box after the other."""
    coco = [(x1, y1, x2 - x1, y2 - y1) for x1, y1, x2, y2 in boxes.tolist()]
    read = [
        [round((centre + sign * size / 2) * side) for sign in (-1, 1) for centre, size, side in
         ((x, across, width), (y, down, height))]
        for x, y, across, down in rows.tolist()
    ]  # fmt: skip
    whole = [torch.tensor(part, dtype=torch.int64).reshape(-1, 4) for part in (coco, read)]
    return {"coco": whole[0], "yolo": shares(boxes, height, width), "read": whole[1]}


# Run lengths


def run_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield masks that begin and end with either value."""
    for name, about, H, W, first, last in (
        ("zeros", "13 x 9, begins and ends with 0", 13, 9, False, False),
        ("ones", "8 x 15, begins and ends with 1", 8, 15, True, True),
        ("ends", "7 x 11, ends with 1", 7, 11, False, True),
        ("column", "22 x 1", 22, 1, True, False),
        ("row", "1 x 24", 1, 24, False, False),
    ):
        mask = rng.rand(H, W) < 0.4
        mask[0, 0], mask[-1, -1] = first, last
        yield name, about, {"mask": torch.tensor(mask)}
    mask = rng.rand(31, 37) < 0.01
    mask[:, 5:20], mask[:, 20:30] = False, True
    yield "long", "31 x 37, with runs of hundreds of pixels", {"mask": torch.tensor(mask)}
    for name, about, H, W, value in (
        ("empty", "6 x 10, all 0", 6, 10, False),
        ("full", "9 x 7, all 1", 9, 7, True),
    ):
        yield name, about, {"mask": torch.full((H, W), value)}


def grouped(mask: torch.Tensor) -> Tensors:
    """Go down the columns, and group equal neighbours."""
    H, W = mask.shape
    pixels = [bool(mask[row, column]) for column in range(W) for row in range(H)]
    runs = [len(list(run)) for _, run in groupby(pixels)]
    lengths = [0, *runs] if pixels[0] else runs
    return {"lengths": torch.tensor(lengths, dtype=torch.float64)}


FORMAT = partial(Mistake, checks=("box_formats",))
RUNS = partial(Mistake, cell="run_lengths", checks=("run_length_values",))
SHIFT = "before = torch.cat([torch.zeros(1, dtype=torch.int32), pixels[:-1]])"
ROUNDED = ".round().long()"
IN_PLACE = "boxes[:, 2:] -= boxes[:, :2]\n    return boxes.clone()"

MISTAKES = (
    FORMAT(
        name="corners_for_coco",
        cell="to_coco",
        change={"x2 - x1, y2 - y1": "x2, y2"},
        share=0.5,
        hint="COCO's last two numbers are width and height, not x2 and y2.",
    ),
    FORMAT(
        name="sizes_one_too_large",
        cell="to_coco",
        change={"x2 - x1, y2 - y1": "x2 - x1 + 1, y2 - y1 + 1"},
        share=0.6,
        hint="COCO's width is one too large. Here x2 lies behind the box, so x2 - x1 is its width.",
    ),
    FORMAT(
        name="boxes_overwritten",
        cell="to_coco",
        change={
            "return torch.stack([x1, y1, x2 - x1, y2 - y1], dim=1)": IN_PLACE,
        },
        share=0.5,
        hint="the boxes themselves were changed by an operation in place. Make new ones.",
    ),
    FORMAT(
        name="corner_for_the_centre",
        cell="to_yolo",
        change={"(x1 + x2) / 2": "x1", "(y1 + y2) / 2": "y1"},
        share=0.5,
        hint="YOLO's first two numbers are the centre of the box, not its first corner.",
    ),
    FORMAT(
        name="pixels_for_yolo",
        cell="to_yolo",
        change={
            "across[0] / width, down[0] / height": "across[0], down[0]",
            "across[1] / width, down[1] / height": "across[1], down[1]",
        },
        share=0.5,
        hint="YOLO's numbers are shares of the image: divide x and width by its width, y and "
        "height by its height.",
    ),
    FORMAT(
        name="height_for_width",
        cell="to_yolo",
        change={
            "down[0] / height, across[1] / width": "down[0] / width, across[1] / height",
        },
        share=0.5,
        hint="a y was divided by the width, or a width by the height. All that is horizontal "
        "is divided by the image's width.",
    ),
    FORMAT(
        name="yolo_in_float32",
        cell="to_yolo",
        change={"boxes.double().unbind": "boxes.unbind"},
        share=0.7,
        hint="YOLO's numbers are float32, which an int64 tensor becomes when it is divided. Use "
        ".double() first.",
    ),
    FORMAT(
        name="centre_in_whole_pixels",
        cell="to_yolo",
        change={"(x1 + x2) / 2": "(x1 + x2) // 2", "(y1 + y2) / 2": "(y1 + y2) // 2"},
        share=0.6,
        hint="the centre was rounded down to a whole pixel. Divide by 2 with /, not with //.",
    ),
    FORMAT(
        name="rounded_in_float32",
        cell="to_yolo",
        change={"torch.stack(columns, dim=1)": "torch.stack(columns, dim=1).float().double()"},
        share=0.7,
        hint="YOLO's numbers went through float32. Compute in float64 from the beginning.",
    ),
    FORMAT(
        name="rounded_before_the_corners",
        cell="from_yolo",
        change={
            "rows.unbind(dim=1)": "(rows * torch.tensor([width, height, width, height])).round()"
            ".unbind(dim=1)",
            "(torch.stack(corners, dim=1) * scale)": "torch.stack(corners, dim=1)",
        },
        share=0.5,
        hint="centre and size were rounded before the corners were computed, which moves them by "
        "up to a pixel. Round once, at the end.",
    ),
    FORMAT(
        name="corners_cut_off",
        cell="from_yolo",
        change={ROUNDED: ".long()"},
        share=0.5,
        hint="16.9999 became 16: .long() cuts off. Round first.",
    ),
    FORMAT(
        name="centre_for_the_corner",
        cell="from_yolo",
        change={
            "x - across / 2, y - down / 2": "x, y",
            "x + across / 2, y + down / 2": "x + across, y + down",
        },
        share=0.5,
        hint="the centre was taken for the first corner. Corners lie half a width and half a "
        "height to either side of it.",
    ),
    RUNS(
        name="runs_row_by_row",
        change={"mask.T.flatten()": "mask.flatten()"},
        share=0.4,
        hint="the mask was read row by row. COCO reads it column by column: transpose it.",
    ),
    RUNS(
        name="begins_with_what_is_there",
        change={SHIFT: "before = torch.cat([pixels[:1], pixels[:-1]])"},
        share=0.5,
        hint="if the mask begins with a one, the first length is 0: the first number always "
        "counts zeros.",
    ),
    RUNS(
        name="last_run_missing",
        change={"[0, *starts, len(pixels)]": "[0, *starts]"},
        share=0.5,
        hint="the last run is missing: the lengths have to add up to H · W.",
    ),
    RUNS(
        name="where_instead_of_how_long",
        change={"edges.diff()": "edges[:-1]"},
        share=0.4,
        hint="these are the places where runs begin. Their lengths are asked for.",
    ),
)
