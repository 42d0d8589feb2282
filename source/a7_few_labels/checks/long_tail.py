"""Focal loss, by hand, and class-balanced weights."""

from collections.abc import Iterator
from math import fsum
from typing import Any

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import FLOAT32, FLOAT64, Tolerance

Batch = dict[str, Any]  # logits, y, gamma and weights
LOSSES = Tolerance(rtol=1e-9, atol=1e-9)  # a factor of 1e-10 at p = 1 may be 0
SHARES = Tolerance(rtol=1e-9, atol=1e-12)  # no float32 on the way


# The focal loss


def logit_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield logits, labels, gamma and weights that average nothing in particular."""
    for name, about, N, C, gamma, weight in (
        ("two", "6 images, 4 classes, gamma = 2", 6, 4, 2.0, 2),
        ("half", "5 images, 3 classes, gamma = 0.5", 5, 3, 0.5, 2),
        ("one", "3 images, 6 classes, gamma = 1", 3, 6, 1, 1),
        ("five", "7 images, 2 classes, gamma = 5", 7, 2, 5.0, 1),
        ("zero", "4 images, 5 classes, gamma = 0: weighted cross-entropy", 4, 5, 0.0, 1),
        ("single", "a single image, gamma = 1.5", 1, 4, 1.5, 1),
    ):
        yield case(name, about, weight, **usual(rng, N, C, gamma))
    inputs = usual(rng, 5, 3, 2.0, torch.float32)
    yield case("float32", "float32", **inputs, tolerance=FLOAT32)
    for gamma in (0.5, 2.0, 0.0):
        name = f"extreme_{gamma:g}".replace(".", "_")
        about = f"logits of ±10,000 beside others, gamma = {gamma:g}"
        yield case(name, about, **extreme(rng, gamma))
    about = "float32, logits of 10,000 close to each other"
    yield case("near", about, **near(rng), tolerance=FLOAT32)


def gradient_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield the same, without the case that is about the digits of the loss."""
    return (sketch for sketch in logit_cases(rng) if sketch.name != "near")


def usual(rng: Draws, N: int, C: int, gamma: float, dtype: torch.dtype = torch.float64) -> Batch:
    """Draw logits of order 1, and labels as different as they can be."""
    logits = torch.tensor((1.5 * rng.randn(N, C)).round(3)).to(dtype)
    y = torch.tensor(np.concatenate([rng.permutation(C), rng.randint(C, size=N)])[:N])
    return {"logits": logits, "y": y, "gamma": gamma, "weights": class_weights(rng, C).to(dtype)}


def class_weights(rng: Draws, C: int) -> torch.Tensor:
    """Draw the weights of classes."""
    return torch.tensor(rng.uniform(0.3, 3.0, C).round(2))


def near(rng: Draws) -> Batch:
    """Draw large logits whose logsumexp, in float32, clearly loses digits of the loss."""
    while True:
        logits = torch.tensor(1e4 + 1.5 * rng.randn(2, 3)).float()  # multiples of 1 / 1024
        inputs = {"logits": logits, "y": logits.argmax(dim=1), "gamma": 2.0}
        inputs["weights"] = class_weights(rng, 3).float()
        if digits_lost(**inputs) >= 5 * FLOAT32.rtol:
            return inputs


def digits_lost(
    logits: torch.Tensor, y: torch.Tensor, gamma: float, weights: torch.Tensor
) -> float:
    """Say how far off the loss is if logsumexp rounds to the digits of large logits."""
    log_p = (logits.gather(1, y[:, None]) - logits.logsumexp(dim=1, keepdim=True))[:, 0]
    rounded = -(weights[y] * (1 - log_p.exp()) ** gamma * log_p).mean()
    exact = by_autograd(logits, y, gamma, weights)["loss"]
    return abs(rounded / exact - 1).item()


def extreme(rng: Draws, gamma: float) -> Batch:
    """Draw images that are right with p = 1, by far and by a little, wrong with p = 0, and usual.

    Those with p = 1 come in two: logits so far apart that exp of the difference is 0, and so
    that it is lost in the sum only.
    """
    logits, y = rng.randn(7, 4).round(3), rng.permutation(4)[[0, 1, 2, 3, 0, 1, 2]]
    rows = np.arange(len(y))
    logits[rows[:2], y[:2]] += 1e4  # right
    logits[2, y[2]] += 45  # right, and 1 - p is 0 in float64 all the same
    logits[3, (y[3] + 1) % 4] += 1e4  # wrong
    logits[4, y[4]] -= 1e4
    logits[1] -= 1e4
    return {"logits": torch.tensor(logits), "y": torch.tensor(y), "gamma": gamma,
            "weights": class_weights(rng, 4)}  # fmt: skip


def by_autograd(
    logits: torch.Tensor, y: torch.Tensor, gamma: float, weights: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Compute loss and gradient by autograd, with log(1 - p) from the logits of the other classes.

    (1 - p) ** gamma = exp(gamma log(1 - p)) has no edge at p = 1.
    """
    z = logits.double().requires_grad_()
    losses = []
    for row, label in zip(z, y.tolist(), strict=True):
        others = torch.cat([row[:label], row[label + 1 :]]).logsumexp(dim=0)
        total = torch.logaddexp(row[label], others)
        factor = (gamma * (others - total)).exp()
        losses.append(weights[label].double() * factor * (total - row[label]))
    loss = torch.stack(losses).sum() / len(y)
    (gradient,) = torch.autograd.grad(loss, z)
    return {"loss": loss.detach().to(logits.dtype), "gradient": gradient.to(logits.dtype)}


@check(
    "focal_loss_value", "focal loss", {"loss": "return.loss", "slope": "return.slope"}, logit_cases,
    tolerance=LOSSES, pure=True,
)  # fmt: skip
def loss_and_slope(*inputs: Any) -> Answers:
    """Leave out the gradient where autograd has other limits than the formula: at p = 1."""
    found = by_autograd(*inputs)
    ordinary = inputs[0].abs().max() < 100
    slope = found["gradient"] if ordinary else inputs[0].new_zeros(())
    return {"loss": found["loss"], "slope": slope}


@check(
    "focal_loss_gradient", "its gradient, by hand", {"gradient": "return"}, gradient_cases,
    tolerance=LOSSES, by_hand=True, pure=True,
)  # fmt: skip
def gradient(*inputs: Any) -> Answers:
    """Leave out the loss."""
    return {"gradient": by_autograd(*inputs)["gradient"]}


# Class-balanced weights


def count_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield numbers of images of each class, and beta."""
    tail = [int(n) for n in rng.randint((50, 20, 9, 4, 2), (70, 30, 14, 8, 4))]
    for name, about, counts, beta, weight in (
        ("tail", "a long tail", tail, 0.9, 2),
        ("strong", "a long tail", tail, 0.999, 1),
        ("absent", "two classes without images", [0, *tail[1:4], 0], 0.99, 3),
        ("zero", "all that counts is whether there is a class", [*tail[:3], 0], 0.0, 1),
        ("precise", "beta close to 1", [int(rng.randint(15, 30)), 1, 7], 0.999999, 2),
        ("large", "thousands of images", [int(rng.randint(4000, 5000)), 393, 6419], 0.9997, 1),
        ("single", "one class", [0, 3], 0.5, 1),
    ):
        about = f"{about}, beta = {beta:g}"
        tolerance = FLOAT64 if name == "precise" else None  # 1 - beta has lost six digits
        inputs = {"counts": torch.tensor(counts), "beta": beta}
        yield case(name, about, weight, **inputs, tolerance=tolerance)


@check(
    "class_balanced_weight_values", "weights by the effective number of images",
    {"weights": "return"}, count_cases, tolerance=SHARES,
    pure=True,
)  # fmt: skip
def added_up(counts: torch.Tensor, beta: float) -> Answers:
    """Add up what each further image is worth, in Python."""
    n = counts.tolist()
    worth = [fsum(beta**i for i in range(count)) for count in n]
    found = [1 / value if value else 0.0 for value in worth]
    mean = fsum(count * w for count, w in zip(n, found, strict=True)) / sum(n)
    return {"weights": torch.tensor([w / mean for w in found], dtype=torch.float64)}
