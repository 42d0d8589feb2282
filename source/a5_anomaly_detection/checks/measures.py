"""AUROC, IoU and Dice; per-region overlap has a file of its own."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from sklearn import metrics

from autograder.cases import Tolerance
from autograder.checks import Check, Kind, Mistake, number, public_and_hidden

Tensors = dict[str, torch.Tensor]
AREA = Tolerance(rtol=1e-5, atol=1e-9)  # in pairs counted in float32
SHARE = Tolerance(rtol=1e-5, atol=1e-6)  # 1e-6 added above and below the line does no harm


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks; `seed` draws the hidden cases."""
    yield Check(
        name="auroc_values",
        title="area under the ROC curve",
        records={"AUROC": "return"},
        cases=public_and_hidden(score_cases, seed),
        oracle=area,
        pure=True,
    )
    yield Check(
        name="mask_overlap_values",
        title="IoU and Dice",
        records={"IoU": "return.0", "Dice": "return.1"},
        cases=public_and_hidden(mask_cases, seed),
        oracle=iou_and_dice,
        pure=True,
    )


# AUROC


def score_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield scores and labels. Those that tie do so on purpose."""
    drawn = partial(labelled, rng)
    few = rng.randint(0, 4, 60) / 2.0
    near = rng.permutation(40) * 1e-9 + 1  # all equal in float32
    level = np.full(13, 0.7)
    apart = np.linspace(-3, 5, 23) + 0.1 * rng.rand(23)
    for name, about, (scores, labels), kind in (
        ("images", "37 images", drawn(rng.randn(37), 21), torch.bool),
        ("rare", "300 scores, 4 of them defective", drawn(3 * rng.randn(300) - 50, 4), torch.int64),
        ("ties", "60 scores of 4 values", drawn(few, 33), torch.bool),
        ("equal", "13 equal scores", drawn(level, 5), torch.int64),
        ("two", "one good image and one defective", drawn(rng.randn(2), 1), torch.bool),
        ("perfect", "all defective ones above all good ones",
         (apart, np.arange(23) >= rng.randint(6, 17)), torch.int64),
        ("inverted", "all defective ones below all good ones",
         (apart, np.arange(23) < rng.randint(6, 17)), torch.bool),
        ("near", "40 scores that differ by 1e-9", drawn(near, 18), torch.bool),
        ("pixels", "2,000 pixels, some of them tied",
         drawn(rng.randn(2000).round(2), 70), torch.bool),
    ):  # fmt: skip
        yield name, about, tensors(scores, labels, kind), 1, AREA
    inputs = tensors(*drawn(rng.randn(51).round(1), 19), torch.int64)
    inputs["scores"] = inputs["scores"].float()
    yield "float32", "51 scores in float32, some of them tied", inputs, 1, AREA


def labelled(
    rng: np.random.RandomState, scores: np.ndarray, defective: int
) -> tuple[np.ndarray, np.ndarray]:
    """Call some of the scores defective, rather the large ones."""
    likely = 1.0 + scores.argsort().argsort()
    chosen = rng.choice(len(scores), defective, replace=False, p=likely / likely.sum())
    return scores, np.isin(np.arange(len(scores)), chosen)


def tensors(scores: np.ndarray, labels: np.ndarray, kind: torch.dtype) -> Tensors:
    """Make inputs of NumPy's arrays."""
    return {"scores": torch.tensor(scores), "labels": torch.tensor(labels).to(kind)}


def area(scores: torch.Tensor, labels: torch.Tensor) -> Tensors:
    """Let scikit-learn integrate the ROC curve."""
    return {"AUROC": number(metrics.roc_auc_score(labels.numpy(), scores.numpy()))}


# IoU and Dice


def mask_cases(rng: np.random.RandomState) -> Iterator[Kind]:
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
        inputs = {"predicted": torch.tensor(predicted), "truth": torch.tensor(truth)}
        yield name, about, inputs, 1, SHARE


def iou_and_dice(predicted: torch.Tensor, truth: torch.Tensor) -> Tensors:
    """Let scikit-learn score: Dice is F1, IoU the Jaccard index."""
    y, guesses = truth.flatten().numpy(), predicted.flatten().numpy()
    iou = metrics.jaccard_score(y, guesses, zero_division=1.0)
    return {"IoU": number(iou), "Dice": number(metrics.f1_score(y, guesses, zero_division=1.0))}


AUROC = partial(Mistake, cell="auroc", checks=("auroc_values",))
DICE_FIRST = "return 2 * both / (both + either), both / either"
SMOOTHED = "(both + 1) / (either + 1), (2 * both + 1) / (both + either + 1)"
MASKS = partial(Mistake, cell="mask_overlap", checks=("mask_overlap_values",))

MISTAKES = (
    AUROC(
        name="ties_are_lost",
        change={"(below + good / 2)": "below"},
        share=0.5,
        hint="a pair of equal scores counted as lost. It counts half.",
    ),
    AUROC(
        name="ties_are_won",
        change={"(below + good / 2)": "(below + good)"},
        share=0.5,
        hint="a pair of equal scores counted as won. It counts half.",
    ),
    AUROC(
        name="ties_by_position",
        change={
            "values, place = scores.unique(return_inverse=True)": "values, place = scores, "
            "scores.argsort(stable=True).argsort()"
        },
        share=0.5,
        hint="equal scores got different ranks, by their place in the list. They share one: a pair "
        "of equal scores counts half.",
    ),
    AUROC(
        name="good_ones_above",
        change={
            "(won / (defective.sum() * good.sum()))": "(1 - won / (defective.sum() * good.sum()))"
        },
        share=0.4,
        hint="this is 1 minus the right answer: the chance that a good one scores higher. A "
        "defective one is supposed to.",
    ),
    AUROC(
        name="never_below_a_half",
        change={".item()": ".item()\n    return max(area, 1 - area)", "return (won": "area = (won"},
        share=0.6,
        hint="a ranking that is worse than chance was turned round. Below 0.5 it stays.",
    ),
    AUROC(
        name="pairs_divided_by_all_pairs",
        change={"(defective.sum() * good.sum())": "(len(scores) * (len(scores) - 1) / 2)"},
        share=0.4,
        hint="divided by the number of all pairs of scores. Only pairs of a defective one and a "
        "good one count: there are n₊ n₋.",
    ),
    AUROC(
        name="labels_as_positions",
        change={"place[labels == 1]": "place[labels]", "place[labels == 0]": "place[~labels]"},
        share=0.6,
        hint="labels that are int64, 0 and 1, were used as positions: scores[labels] then takes "
        "the first two scores over and over. Say labels == 1.",
    ),
    AUROC(
        name="auroc_in_float32",
        change={"scores.unique(": "scores.float().unique("},
        share=0.7,
        hint="scores that differ by 1e-9 were taken for equal. Keep them in float64.",
    ),
    MASKS(
        name="iou_and_dice_swapped",
        change={"return both / either, 2 * both / (both + either)": DICE_FIRST},
        share=0.5,
        hint="IoU and Dice are swapped: IoU comes first, and it is never the larger one.",
    ),
    MASKS(
        name="sum_for_the_union",
        change={"(predicted | truth).sum().item()": "predicted.sum().item() + truth.sum().item()"},
        share=0.5,
        hint="|P| + |T| counts the pixels that both have twice. The union is P | T.",
    ),
    MASKS(
        name="empty_masks_are_zero",
        change={"return 1.0, 1.0": "return 0.0, 0.0"},
        share=0.7,
        hint="two empty masks agree: 1 and 1.",
    ),
    MASKS(
        name="overlap_smoothed_by_one",
        change={
            "    if either == 0:\n        return 1.0, 1.0\n": "",
            "both / either, 2 * both / (both + either)": SMOOTHED,
        },
        share=0.5,
        hint="1 was added above and below the line. It makes 1 of 0 / 0, and changes everything "
        "else: choose with if.",
    ),
    MASKS(
        name="accuracy_for_iou",
        change={
            "both = (predicted & truth)": "both = (predicted == truth)",
            "either = (predicted | truth).sum().item()": "either = truth.numel()",
        },
        share=0.3,
        hint="pixels on which both are false were counted as right. Only those of the two masks "
        "count.",
    ),
)
