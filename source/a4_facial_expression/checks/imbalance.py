"""Weights for classes and samples, and logits adjusted by class priors."""

from collections.abc import Iterator
from fractions import Fraction
from math import fsum, log

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


def count_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield numbers of images by class."""
    for name, about, counts in (
        ("faces", "7 classes, one rare", reported(rng)),
        ("few", "4 classes of few images", numbers(rng, (1, 4), (5, 9), (20, 40), (60, 90))),
        ("absent", "5 classes, two without images",
         numbers(rng, (0, 1), (0, 1), (11, 30), (40, 70), (200, 400))),
        ("one", "3 classes, only one occurs", numbers(rng, (0, 1), (0, 1), (11, 30))),
        ("binary", "2 classes", numbers(rng, (10, 30), (900, 2000))),
        ("once", "4 classes, one with a single image",
         numbers(rng, (1, 2), (6, 12), (20, 40), (60, 90))),
    ):  # fmt: skip
        yield case(name, about, counts=counts)


@check(
    "inverse_frequency_values", "class weights, inverse frequency", {"weights": "return"},
    count_cases, tolerance=WEIGHTS, pure=True,
)  # fmt: skip
def inverse(counts: torch.Tensor) -> Tensors:
    """Divide the harmonic mean by each count, in exact fractions."""
    occurring = [Fraction(n) for n in counts.tolist() if n]
    harmonic = len(occurring) / sum(1 / n for n in occurring)
    weights = [float(harmonic / n) if n else 0.0 for n in counts.tolist()]
    return {"weights": torch.tensor(weights, dtype=torch.float64)}


def beta_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield numbers of images, and how much the next image adds."""
    few = numbers(rng, (2, 5), (9, 15), (20, 40), (60, 90))
    for name, about, counts, beta in (
        ("faces", "7 classes, one rare", reported(rng), 0.999),
        ("few", "4 classes of few images", few, 0.9),
        ("absent", "5 classes, two without images",
         numbers(rng, (0, 1), (0, 1), (3, 10), (40, 70), (200, 400)), 0.97),
        ("zero", "4 classes, one without images",
         numbers(rng, (0, 1), (1, 9), (10, 20), (30, 50)), 0.0),
        ("near_one", "5 classes",
         numbers(rng, (15, 25), (30, 60), (100, 200), (300, 400), (500, 900)), 0.999999),
        ("one", "3 classes, only one occurs", numbers(rng, (0, 1), (0, 1), (11, 30)), 0.5),
        ("once", "4 classes, one with a single image",
         numbers(rng, (1, 2), (5, 9), (20, 40), (60, 90)), 0.95),
    ):  # fmt: skip
        yield case(name, f"{about}, beta = {beta}", counts=counts, beta=beta)


@check(
    "effective_number_values", "class weights, effective number", {"weights": "return"}, beta_cases,
    tolerance=WEIGHTS, pure=True,
)  # fmt: skip
def diminishing(counts: torch.Tensor, beta: float) -> Tensors:
    """Add up what each image is worth."""
    worth = [fsum(beta**i for i in range(n)) for n in counts.tolist()]
    weights = [1 / value if value else 0.0 for value in worth]
    mean = fsum(weights) / np.count_nonzero(weights)
    return {"weights": torch.tensor([weight / mean for weight in weights], dtype=torch.float64)}


def label_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield labels, and the number of classes there are."""
    for name, about, counts in (
        ("seven", "80 images, 7 classes", (11, 2, 12, 20, 13, 9, 13)),
        ("absent", "30 images, two of 5 classes do not occur", (7, 0, 22, 1, 0)),
        ("single", "a single image, 4 classes", (0, 0, 1, 0)),
        ("binary", "26 images, 2 classes", (3, 23)),
    ):
        y = np.repeat(rng.permutation(len(counts)), counts)
        yield case(name, about, y=torch.tensor(rng.permutation(y)), num_classes=len(counts))


@check(
    "sample_weight_values", "probability of drawing each image", {"weights": "return"}, label_cases,
    tolerance=WEIGHTS, pure=True,
)  # fmt: skip
def balanced(y: torch.Tensor, num_classes: int) -> Tensors:
    """Let scikit-learn balance: its weights average 1 over the images."""
    weights = compute_sample_weight("balanced", y.numpy())
    return {"weights": torch.tensor(weights / len(y), dtype=torch.float64)}


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
