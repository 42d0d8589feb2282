"""Where it is: thresholds and boxes; the formats of labels have a file of their own."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from autograder.cases import FLOAT32
from autograder.checks import Check, Kind, Mistake, number, public_and_hidden
from autograder.checks.a5_anomaly_detection.regions import flooded

Tensors = dict[str, torch.Tensor]


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks; `seed` draws the hidden cases."""
    yield Check(
        name="false_alarm_values",
        title="threshold for a rate of false alarms",
        records={"threshold": "return"},
        cases=public_and_hidden(score_cases, seed),
        oracle=tried,
        pure=True,
    )
    yield Check(
        name="boxes_of_masks",
        title="boxes (x1, y1, x2, y2) of the pieces of a mask",
        records={"boxes": "return"},
        cases=public_and_hidden(mask_cases, seed),
        oracle=boxed,
        pure=True,
    )


# Thresholds


def score_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield scores and a rate. rate * N is far from whole, or exact in floating point."""
    for name, about, scores, rate in (
        ("images", "37 images, 3.7 of them may", rng.gamma(5, 2, 37), 0.1),
        ("exact", "12 images, 3 of them may", 10 + rng.randn(12), 0.25),
        ("few", "26 images, 0.26 of them may", rng.randn(26), 0.01),
        ("never", "19 images, none of them may", rng.randn(19) - 4, 0.0),
        ("most", "15 images, 13.5 of them may", rng.randn(15), 0.9),
        ("ties", "40 images, 8.4 of them may; five values",
         rng.permutation(np.repeat([1.5, 2.0, 4.0, 4.5, 7.0], [17, 8, 5, 6, 4])), 0.21),
        ("ties_above", "31 images, 4.65 of them may; the six largest are equal",
         rng.permutation([*rng.rand(25), *[3.25] * 6]), 0.15),
        ("single", "a single image", rng.randn(1), 0.3),
    ):  # fmt: skip
        yield name, about, {"scores": torch.tensor(scores), "rate": rate}, 1
    inputs = {"scores": torch.tensor(rng.gamma(5, 2, 53)).float(), "rate": 0.06}
    yield "float32", "53 images in float32, 3.18 of them may", inputs, 1, FLOAT32


def tried(scores: torch.Tensor, rate: float) -> Tensors:
    """Try every score as a threshold."""
    every = scores.tolist()
    kept = [t for t in every if sum(score > t for score in every) <= rate * len(every)]
    return {"threshold": number(min(kept))}


# Boxes


def mask_cases(rng: np.random.RandomState) -> Iterator[Kind]:
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
        yield name, about, {"mask": torch.tensor(mask), "least": least}, 1


def wide(rng: np.random.RandomState) -> np.ndarray:
    """Draw a piece of thousands of pixels, and specks beyond the 255th column."""
    mask = np.zeros((20, 300), bool)
    mask[:, :270] = rng.rand(20, 270) < 0.97
    mask[1:19, 272:298] = rng.rand(18, 26) < 0.1
    return mask


def ring(rng: np.random.RandomState) -> np.ndarray:
    """Draw a ring, a piece within it, one around a corner of it, and specks below."""
    mask = np.zeros((18, 25), bool)
    top, left = rng.randint(2, 5, size=2)
    mask[top : top + 9, left : left + 12] = True
    mask[top + 1 : top + 8, left + 2 : left + 10] = False
    mask[top + 3 : top + 6, left + 4 : left + 7] = True
    mask[0, left - 2 : left + 5] = mask[: top + 4, left - 2] = True  # boxes overlap
    mask[15:] = rng.rand(3, 25) < 0.2
    return mask


def diagonals(rng: np.random.RandomState) -> np.ndarray:
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


def blocks(rng: np.random.RandomState) -> np.ndarray:
    """Draw pieces of 3, 4 and 5 pixels, each in a place of its own."""
    mask = np.zeros((15, 20), bool)
    shapes = ((1, 3), (2, 2), (1, 4), (4, 1), (5, 1), (3, 1))
    for place, k in enumerate(rng.permutation(len(shapes))):
        row, column = 1 + 7 * (place // 3), 1 + 6 * (place % 3) + rng.randint(2)
        height, width = shapes[k]
        mask[row : row + height, column : column + width] = True
    return mask


def boxed(mask: torch.Tensor, least: int) -> Tensors:
    """Flood each piece, and take the least and the largest row and column."""
    found = []
    for piece in flooded(mask.numpy()):
        rows, columns = zip(*piece, strict=True)
        if len(piece) >= least:
            found.append((min(rows), min(columns), max(rows) + 1, max(columns) + 1))
    boxes = [(x1, y1, x2, y2) for y1, x1, y2, x2 in sorted(found)]
    return {"boxes": torch.tensor(boxes, dtype=torch.int64).reshape(-1, 4)}


THRESHOLD = partial(Mistake, cell="false_alarm_threshold", checks=("false_alarm_values",))
BOXES = partial(Mistake, cell="boxes_of", checks=("boxes_of_masks",))
CHOSEN = "ascending[len(scores) - 1 - alarms].item()"
CORNERS = "(columns.start, rows.start, columns.stop, rows.stop)"
RESULT = "torch.tensor(boxes, dtype=torch.int64).reshape(-1, 4)"

MISTAKES = (
    THRESHOLD(
        name="alarm_quantile_between_scores",
        change={CHOSEN: "scores.double().quantile(1 - rate).item()"},
        share=0.5,
        hint="this is a quantile, which may lie between two scores. Take the smallest of the "
        "scores that few enough others exceed.",
    ),
    THRESHOLD(
        name="alarm_quantile_rounded_up",
        change={CHOSEN: 'scores.double().quantile(1 - rate, interpolation="higher").item()'},
        share=0.5,
        hint="a quantile rounded up to a score counts from 0 to N - 1. Count the images: the "
        "smallest score that at most rate * N others exceed.",
    ),
    THRESHOLD(
        name="one_alarm_too_few",
        change={CHOSEN: "ascending[min(len(scores) - alarms, len(scores) - 1)].item()"},
        share=0.5,
        hint="one image more may raise an alarm. A score that equals the threshold raises none, so "
        "the threshold is the next smaller score.",
    ),
    THRESHOLD(
        name="one_alarm_too_many",
        change={"math.floor(rate": "math.ceil(rate"},
        share=0.5,
        hint="too many images raise an alarm: at most rate * N may, so round down.",
    ),
    THRESHOLD(
        name="rate_from_the_wrong_end",
        change={CHOSEN: "ascending[alarms].item()"},
        share=0.3,
        hint="the share was counted from the smallest score. Those that raise an alarm are the "
        "largest.",
    ),
    THRESHOLD(
        name="alarm_scores_not_sorted",
        change={"scores.sort().values": "scores"},
        share=0.2,
        hint="the scores come in any order. Sort them first.",
    ),
    THRESHOLD(
        name="equal_scores_once",
        change={"scores.sort().values": "scores.unique()", "len(scores) - 1": "len(ascending) - 1"},
        share=0.5,
        hint="equal scores were counted as one image. Each image counts.",
    ),
    BOXES(
        name="rows_before_columns",
        change={CORNERS: "(rows.start, columns.start, rows.stop, columns.stop)"},
        share=0.4,
        hint="rows and columns are swapped: x is the column. The order is x1, y1, x2, y2.",
    ),
    BOXES(
        name="ends_inclusive",
        change={CORNERS: "(columns.start, rows.start, columns.stop - 1, rows.stop - 1)"},
        share=0.5,
        hint="x2 and y2 are the last column and row of the piece. They are the first ones behind "
        "it: add 1.",
    ),
    BOXES(
        name="size_for_the_end",
        change={
            CORNERS: "(columns.start, rows.start, columns.stop - columns.start, "
            "rows.stop - rows.start)"
        },
        share=0.4,
        hint="the last two numbers are width and height. They should be x2 and y2.",
    ),
    BOXES(
        name="corners_part_boxes",
        change={", structure=np.ones((3, 3))": ""},
        share=0.6,
        hint="pixels that touch at a corner were taken for two pieces. They are one: "
        "structure=np.ones((3, 3)).",
    ),
    BOXES(
        name="one_box_for_all",
        change={
            "labels, _ = ndimage.label(": "labels = (",
            ", structure=np.ones((3, 3)))": ").astype(int)",
        },
        share=0.2,
        hint="there is one box round everything. Each connected piece has its own.",
    ),
    BOXES(
        name="box_area_for_pixels",
        change={"pixels[piece] >=": "(rows.stop - rows.start) * (columns.stop - columns.start) >="},
        share=0.6,
        hint="the area of the box was compared with `least`. Count the pixels of the piece.",
    ),
    BOXES(
        name="exactly_least_dropped",
        change={">= least": "> least"},
        share=0.7,
        hint="pieces of exactly `least` pixels are missing. Only those of fewer are dropped.",
    ),
    BOXES(
        name="small_pieces_kept",
        change={"pixels[piece] >= least": "pixels[piece] > 0"},
        share=0.5,
        hint="pieces of fewer than `least` pixels are still there.",
    ),
    BOXES(
        name="in_order_of_labels",
        change={"    boxes.sort(key=lambda box: (box[1], box[0], box[3], box[2]))\n": ""},
        share=0.6,
        hint="the boxes stand in the order in which their pieces were found. Sort by y1, then x1.",
    ),
    BOXES(
        name="sorted_by_columns",
        change={"key=lambda box: (box[1], box[0], box[3], box[2])": ""},
        share=0.6,
        hint="the boxes are sorted by x1 first. Sort by y1, then x1, then y2, then x2.",
    ),
    BOXES(
        name="boxes_in_eight_bits",
        change={RESULT: RESULT + ".to(torch.uint8)"},
        share=0.7,
        hint="uint8 ends at 255, and an image does not. Return int64.",
    ),
    BOXES(
        name="nothing_without_columns",
        change={RESULT: "torch.tensor(boxes, dtype=torch.int64)"},
        share=0.7,
        hint="without any piece the result has shape (0,). It is (0, 4): reshape(-1, 4).",
    ),
)
