"""Labels in the formats of COCO and YOLO."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance

EXACT = Tolerance(rtol=1e-9, atol=1e-12)  # no float32 on the way


def box_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield boxes, rows of a file in the YOLO format, and the size of the image."""
    for name, about, n, m, H, W in (
        ("wide", "5 boxes and 6 rows, image of 120 x 187", 5, 6, 120, 187),
        ("high", "3 boxes and 4 rows, image of 413 x 256", 3, 4, 413, 256),
        ("large", "4 boxes and 9 rows, image of 2160 x 3840", 4, 9, 2160, 3840),
        ("one", "one of each, image of 19 x 23", 1, 1, 19, 23),
        ("none", "no boxes, no rows", 0, 0, 30, 40),
    ):
        boxes, others = draw_boxes(rng, n, H, W), draw_boxes(rng, m, H, W)
        rows = shares(others, H, W).round(decimals=6)
        yield case(name, about, boxes=boxes, rows=rows, height=H, width=W)
    boxes, rows = torch.tensor([[0, 0, 33, 21]]), torch.tensor([[0.5, 0.5, 1.0, 1.0]]).double()
    about = "the whole image of 21 x 33"
    yield case("whole", about, boxes=boxes, rows=rows, height=21, width=33)


def draw_boxes(rng: Draws, n: int, H: int, W: int) -> torch.Tensor:
    """Draw boxes (n, 4), xyxy, in an image of H x W."""
    corners = np.empty((n, 4), np.int64)
    for row in corners:
        row[[0, 2]] = np.sort(rng.choice(W + 1, 2, replace=False))
        row[[1, 3]] = np.sort(rng.choice(H + 1, 2, replace=False))
    return torch.tensor(corners)


def shares(boxes: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Write each box in the YOLO format, with Python numbers."""
    rows = [
        ((x1 + x2) / (2 * width), (y1 + y2) / (2 * height), (x2 - x1) / width, (y2 - y1) / height)
        for x1, y1, x2, y2 in boxes.tolist()
    ]
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, 4)


@check(
    "box_formats", "boxes for COCO, for YOLO and back",
    {name: f"return.{name}" for name in ("coco", "yolo", "read")}, box_cases, tolerance=EXACT,
    pure=True,
)  # fmt: skip
def rewritten(boxes: torch.Tensor, rows: torch.Tensor, height: int, width: int) -> Answers:
    """Work with Python numbers, one box after the other."""
    coco = [(x1, y1, x2 - x1, y2 - y1) for x1, y1, x2, y2 in boxes.tolist()]
    read = [
        [round((centre + sign * size / 2) * side) for sign in (-1, 1) for centre, size, side in
         ((x, across, width), (y, down, height))]
        for x, y, across, down in rows.tolist()
    ]  # fmt: skip
    whole = [torch.tensor(part, dtype=torch.int64).reshape(-1, 4) for part in (coco, read)]
    return {"coco": whole[0], "yolo": shares(boxes, height, width), "read": whole[1]}


# Run lengths


def run_cases(rng: Draws) -> Iterator[Sketch]:
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
        yield case(name, about, mask=torch.tensor(mask))
    mask = rng.rand(31, 37) < 0.01
    mask[:, 5:20], mask[:, 20:30] = False, True
    yield case("long", "31 x 37, with runs of hundreds of pixels", mask=torch.tensor(mask))
    for name, about, H, W, value in (
        ("empty", "6 x 10, all 0", 6, 10, False),
        ("full", "9 x 7, all 1", 9, 7, True),
    ):
        yield case(name, about, mask=torch.full((H, W), value))


@check(
    "run_length_values", "run lengths of a mask", {"lengths": "return"}, run_cases, pure=True,
)  # fmt: skip
def grouped(mask: torch.Tensor) -> Answers:
    """Go down the columns, and group equal neighbours."""
    H, W = mask.shape
    pixels = [bool(mask[row, column]) for column in range(W) for row in range(H)]
    runs = [len(list(run)) for _, run in groupby(pixels)]
    lengths = [0, *runs] if pixels[0] else runs
    return {"lengths": torch.tensor(lengths, dtype=torch.float64)}
