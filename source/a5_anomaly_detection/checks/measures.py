"""AUROC, IoU and Dice; per-region overlap has a file of its own."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from sklearn import metrics

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance

Tensors = dict[str, torch.Tensor]
AREA = Tolerance(rtol=1e-5, atol=1e-9)  # in pairs counted in float32
SHARE = Tolerance(rtol=2e-7, atol=1e-7)  # float32, or 1e-6 in both parts of a fraction; not in one


# AUROC


def score_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield scores and labels. Scores tie only where a case says so.

    Where good and defective ones tie, there are at most 16: few enough for torch to leave equal
    scores in their order when it sorts, so that a mistake that knows no ties has one result.
    """
    drawn = partial(labelled, rng)
    few = rng.permutation(np.repeat([0, 0.5, 1, 1.5], 4))
    pixels, wrong = drawn(rng.randn(2000).round(2), 70)
    near = rng.permutation(40) * 1e-9 + rng.randint(1, 3, 40)  # two values in float32
    level = np.full(13, 0.7)
    apart = np.linspace(-3, 5, 23) + 0.1 * rng.rand(23)
    for name, about, (scores, labels), dtype in (
        ("images", "37 images", drawn(rng.randn(37), 21), torch.bool),
        ("rare", "300 scores, 4 of them defective", drawn(3 * rng.randn(300) - 50, 4), torch.int64),
        ("ties", "16 scores of 4 values", drawn(few, 7), torch.bool),
        ("equal", "13 equal scores", drawn(level, 5), torch.int64),
        ("two", "one good image and one defective", drawn(rng.randn(2), 1), torch.bool),
        ("perfect", "all defective ones above all good ones",
         (apart, np.arange(23) >= rng.randint(6, 17)), torch.int64),
        ("inverted", "all defective ones below all good ones",
         (apart, np.arange(23) < rng.randint(6, 17)), torch.bool),
        ("near", "40 scores, many of which differ by 1e-9", drawn(near, 18), torch.bool),
        ("pixels", "2,000 pixels, good ones tied with good ones", (pixels + 0.005 * wrong, wrong),
         torch.bool),
    ):  # fmt: skip
        yield case(name, about, 1 + (name == "ties"), **tensors(scores, labels, dtype))
    inputs = tensors(*drawn(rng.permutation(np.arange(15) // 2 / 4 - 2), 6), torch.int64)
    inputs["scores"] = inputs["scores"].float()
    yield case("float32", "15 scores in float32, in pairs of equal ones", **inputs)


def labelled(rng: Draws, scores: np.ndarray, defective: int) -> tuple[np.ndarray, np.ndarray]:
    """Call some of the scores defective: large ones more often than small ones."""
    likely = 1.0 + scores.argsort().argsort()
    chosen = rng.choice(len(scores), defective, replace=False, p=likely / likely.sum())
    return scores, np.isin(np.arange(len(scores)), chosen)


def tensors(scores: np.ndarray, labels: np.ndarray, dtype: torch.dtype) -> Tensors:
    """Turn NumPy arrays into inputs, with labels of a dtype."""
    return {"scores": torch.tensor(scores), "labels": torch.tensor(labels).to(dtype)}


@check(
    "auroc_values", "area under the ROC curve", {"AUROC": "return"}, score_cases, tolerance=AREA,
    pure=True,
)  # fmt: skip
def area(scores: torch.Tensor, labels: torch.Tensor) -> Answers:
    """Let scikit-learn integrate the ROC curve."""
    return {"AUROC": metrics.roc_auc_score(labels.numpy(), scores.numpy())}


# IoU and Dice


def mask_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield two masks of one shape."""
    shape = (11, 16)
    none, some = np.zeros(shape, bool), rng.rand(*shape) < 0.2
    for name, about, predicted, truth in (
        ("half", "12 x 19 pixels", rng.rand(12, 19) < 0.6, rng.rand(12, 19) < 0.3),
        ("little", "20 x 9 pixels, a few of them true", rng.rand(20, 9) < 0.3,
         rng.rand(20, 9) < 0.05 + np.eye(20, 9)),
        ("batch", "3 masks of 7 x 10", rng.rand(3, 7, 10) < 0.4, rng.rand(3, 7, 10) < 0.5),
        ("pixel", "one pixel in both", np.ones((1, 1), bool), np.ones((1, 1), bool)),
        ("both_empty", "both masks empty", none, none),
        ("nothing_there", "something predicted, nothing there", some, none),
        ("nothing_found", "nothing predicted, something there", none, some),
        ("apart", "two masks that share no pixel", some, ~some & (rng.rand(*shape) < 0.3)),
        ("same", "two equal masks", some, some),
        ("all", "everything predicted", ~none, some),
    ):  # fmt: skip
        yield case(name, about, predicted=torch.tensor(predicted), truth=torch.tensor(truth))


@check(
    "mask_overlap_values", "IoU and Dice", {"IoU": "return.0", "Dice": "return.1"}, mask_cases,
    tolerance=SHARE, pure=True,
)  # fmt: skip
def iou_and_dice(predicted: torch.Tensor, truth: torch.Tensor) -> Answers:
    """Let scikit-learn score: Dice is F1, IoU the Jaccard index."""
    y, guesses = truth.flatten().numpy(), predicted.flatten().numpy()
    iou = metrics.jaccard_score(y, guesses, zero_division=1.0)
    return {"IoU": iou, "Dice": metrics.f1_score(y, guesses, zero_division=1.0)}
