"""AUROC: the area under a curve, with a weight of 1 for each score."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from sklearn import metrics

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance

Tensors = dict[str, torch.Tensor]
AREA = Tolerance(rtol=1e-5, atol=1e-9)  # in pairs counted in float32


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
    for name, about, (scores, labels) in (
        ("images", "37 images", drawn(rng.randn(37), 21)),
        ("rare", "300 scores, 4 of them defective", drawn(3 * rng.randn(300) - 50, 4)),
        ("ties", "16 scores of 4 values", drawn(few, 7)),
        ("equal", "13 equal scores", drawn(level, 5)),
        ("two", "one good image and one defective", drawn(rng.randn(2), 1)),
        ("perfect", "all defective ones above all good ones",
         (apart, np.arange(23) >= rng.randint(6, 17))),
        ("inverted", "all defective ones below all good ones",
         (apart, np.arange(23) < rng.randint(6, 17))),
        ("near", "40 scores, many of which differ by 1e-9", drawn(near, 18)),
        ("pixels", "2,000 pixels, good ones tied with good ones", (pixels + 0.005 * wrong, wrong)),
    ):  # fmt: skip
        yield case(name, about, 1 + (name == "ties"), **tensors(scores, labels))
    inputs = tensors(*drawn(rng.permutation(np.arange(15) // 2 / 4 - 2), 6))
    inputs["scores"] = inputs["scores"].float()
    yield case("float32", "15 scores in float32, in pairs of equal ones", **inputs)


def labelled(rng: Draws, scores: np.ndarray, defective: int) -> tuple[np.ndarray, np.ndarray]:
    """Call some of the scores defective: large ones more often than small ones."""
    likely = 1.0 + scores.argsort(kind="stable").argsort()
    chosen = rng.choice(len(scores), defective, replace=False, p=likely / likely.sum())
    return scores, np.isin(np.arange(len(scores)), chosen)


def tensors(scores: np.ndarray, labels: np.ndarray) -> Tensors:
    """Turn NumPy arrays into inputs."""
    return {"scores": torch.tensor(scores), "labels": torch.tensor(labels)}


@check(
    "auroc_values", "area under the ROC curve", {"AUROC": "return"}, score_cases, tolerance=AREA,
    pure=True,
)  # fmt: skip
def area(scores: torch.Tensor, labels: torch.Tensor) -> Answers:
    """Let scikit-learn integrate the ROC curve."""
    return {"AUROC": metrics.roc_auc_score(labels.numpy(), scores.numpy())}
