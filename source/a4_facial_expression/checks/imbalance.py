"""Weights for classes and samples, and logits adjusted by class priors."""

from collections.abc import Iterator
from fractions import Fraction
from math import log

import numpy as np
import torch
from sklearn.utils.class_weight import compute_sample_weight

from autograder.authoring.checks import Draws, Sketch, case, check
from autograder.notebook.cases import FLOAT32, Tolerance

Tensors = dict[str, torch.Tensor]
WEIGHTS = Tolerance(rtol=1e-6, atol=1e-9)
ADJUSTED = Tolerance(rtol=1e-6, atol=1e-6)  # a prior in float32 is right enough
REPORTED = (3542, 393, 3651, 6419, 4245, 2820, 4351)  # the training set of the report


def numbers(rng: Draws, *ranges: tuple[int, int]) -> torch.Tensor:
    """Draw one number of images from each range, in random order."""
    return torch.tensor(rng.permutation([rng.randint(low, high) for low, high in ranges]))


def reported(rng: Draws) -> torch.Tensor:
    """Return the numbers of the report, in random order."""
    return torch.tensor(rng.permutation(REPORTED))


def label_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield labels in random order, and the number of classes there are."""
    for name, about, counts in (
        ("faces", "1,269 images, 7 classes, one rare", reported(rng) // 20),
        ("few", "4 classes of few images", numbers(rng, (1, 4), (5, 9), (20, 40), (60, 90))),
        ("absent", "5 classes, two without images",
         numbers(rng, (0, 1), (0, 1), (11, 30), (40, 70), (200, 400))),
        ("one", "3 classes, only one occurs", numbers(rng, (0, 1), (0, 1), (11, 30))),
        ("binary", "2 classes", numbers(rng, (10, 30), (300, 500))),
        ("once", "4 classes, one with a single image",
         numbers(rng, (1, 2), (6, 12), (20, 40), (60, 90))),
        ("single", "a single image, 4 classes", numbers(rng, (0, 1), (0, 1), (0, 1), (1, 2))),
    ):  # fmt: skip
        y = np.repeat(np.arange(len(counts)), counts)
        yield case(name, about, y=torch.tensor(rng.permutation(y)), num_classes=len(counts))


@check(
    "balanced_weight_values", "weights of classes, and of images",
    {"class weights": "return.0", "sample weights": "return.1"}, label_cases, tolerance=WEIGHTS,
    pure=True,
)  # fmt: skip
def balanced(y: torch.Tensor, num_classes: int) -> Tensors:
    """Divide the harmonic mean by each count, in exact fractions; let scikit-learn balance."""
    counts = [y.tolist().count(label) for label in range(num_classes)]
    occurring = [Fraction(n) for n in counts if n]
    harmonic = len(occurring) / sum(1 / n for n in occurring)
    weights = [float(harmonic / n) if n else 0.0 for n in counts]
    of_samples = compute_sample_weight("balanced", y.numpy()) / len(y)
    return {
        "class weights": torch.tensor(weights, dtype=torch.float64),
        "sample weights": torch.tensor(of_samples, dtype=torch.float64),
    }


def logit_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield logits, numbers of training images, and tau."""
    some = numbers(rng, (3, 9), (20, 40), (60, 90), (300, 400))
    absent = numbers(rng, (0, 1), (4, 9), (20, 40), (200, 300), (0, 1))
    for name, about, N, counts, tau in (
        ("faces", "5 images, 7 classes", 5, reported(rng), 1.0),
        ("half", "3 images, 4 classes", 3, some, 0.5),
        ("zero", "4 images, 4 classes", 4, some, 0.0),
        ("absent", "4 images, 5 classes, two without training images", 4, absent, 1.3),
        ("single", "a single image", 1, reported(rng), 2.5),
    ):
        logits = torch.tensor((2 * rng.randn(N, len(counts))).round(3))
        weight = 3 if name == "absent" else 1
        yield case(name, f"{about}, tau = {tau}", weight, logits=logits, counts=counts, tau=tau)
    logits = torch.tensor((2 * rng.randn(3, 4)).round(3)).float()
    inputs = {"logits": logits, "counts": some, "tau": 0.8}
    yield case("float32", "float32, tau = 0.8", **inputs, tolerance=Tolerance(FLOAT32.rtol, 1e-5))
    logits = torch.tensor(rng.choice([-1e4, 1e4], size=(3, 4)) + rng.randn(3, 4).round(3))
    inputs = {"logits": logits, "counts": some, "tau": 1.0}
    yield case("extreme", "logits of ±10,000, tau = 1", **inputs, tolerance=Tolerance(1e-9, 1e-6))
    once = numbers(rng, (1, 2), (4, 9), (20, 40), (200, 300))
    logits = torch.tensor((2 * rng.randn(3, 4)).round(3))
    yield case("once", "3 images, 4 classes, one with a single training image, tau = 0.7",
               logits=logits, counts=once, tau=0.7)  # fmt: skip


@check(
    "adjusted_logits", "logits, adjusted by the prior", {"logits": "return"}, logit_cases,
    tolerance=ADJUSTED, pure=True,
)  # fmt: skip
def adjusted(logits: torch.Tensor, counts: torch.Tensor, tau: float) -> Tensors:
    """Subtract number by number."""
    total, rows = sum(counts.tolist()), []
    for row in logits.double().tolist():
        pairs = zip(row, counts.tolist(), strict=True)
        rows.append([z - tau * log(n / total) if n else z for z, n in pairs])
    return {"logits": torch.tensor(rows, dtype=torch.float64).to(logits.dtype)}
