"""Averages over networks, and over an image and its mirror image."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import softmax

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import FLOAT32

Tensors = dict[str, torch.Tensor]
MAPS = 2
LOOKS = {
    name: f"return.{name}"
    for name in (
        "probabilities", "needs_gradient", "gradients_afterwards", "training_afterwards",
        "dropout_afterwards", "running_mean",
    )
}  # fmt: skip


def network_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield logits (M, N, C) of several networks."""
    for name, about, shape in (
        ("three", "3 networks, 4 images, 7 classes", (3, 4, 7)),
        ("many", "6 networks, 2 images, 3 classes", (6, 2, 3)),
        ("alone", "a single network, 3 images", (1, 3, 5)),
        ("single", "4 networks, a single image", (4, 1, 6)),
    ):
        yield case(name, about, logits=torch.tensor((2 * rng.randn(*shape)).round(3)))
    logits = torch.tensor((2 * rng.randn(3, 2, 5)).round(3)).float()
    yield case("float32", "3 networks, float32", logits=logits, tolerance=FLOAT32)
    logits = torch.tensor((2 * rng.randn(3, 4, 5)).round(3))
    logits[1] = 1e4 * torch.tensor(rng.choice([-1.0, 1.0], size=(4, 5)))
    logits[1] += 1e3 * torch.tensor(np.array([rng.permutation(5) for _ in range(4)]))
    yield case("extreme", "3 networks, one with logits of ±10,000", 2, logits=logits)


@check(
    "ensemble_values", "mean probabilities of several networks", {"probabilities": "return"},
    network_cases, pure=True,
)  # fmt: skip
def averaged(logits: torch.Tensor) -> Tensors:
    """Let SciPy compute the probabilities, network by network, in double precision."""
    found = [softmax(one.double().numpy(), axis=1) for one in logits]
    return {"probabilities": torch.tensor(sum(found) / len(found)).to(logits.dtype)}


def look_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield weights of the adapter's small network, images, and its mode."""
    for name, about, N, H, W, C, training, dtype in (
        ("training", "3 images, model in training mode", 3, 6, 5, 4, True, torch.float64),
        ("evaluation", "2 images, model in evaluation mode", 2, 5, 7, 3, False, torch.float64),
        ("single", "a single image, model in training mode", 1, 4, 6, 7, True, torch.float64),
        ("float32", "4 images, float32", 4, 7, 6, 3, True, torch.float32),
    ):
        weights = small_weights(rng, H, W, C, dtype)
        inputs = {"weights": weights, "x": drawn(rng, N, 1, H, W).to(dtype), "training": training}
        yield case(name, about, **inputs, tolerance=FLOAT32 if name == "float32" else None)


def small_weights(rng: Draws, H: int, W: int, C: int, dtype: torch.dtype) -> Tensors:
    """Draw the weights of the adapter's small network, for images of H × W and C classes."""
    weights = {
        "0.weight": drawn(rng, MAPS, 1, 3, 3) / 2,
        "0.bias": drawn(rng, MAPS),
        "1.weight": torch.tensor(rng.uniform(0.5, 1.5, MAPS).round(3)),
        "1.bias": drawn(rng, MAPS) / 2,
        "1.running_mean": drawn(rng, MAPS) / 2,
        "1.running_var": torch.tensor(rng.uniform(0.5, 2, MAPS).round(3)),
        "5.weight": drawn(rng, C, MAPS * (H - 2) * (W - 2)) / 2,
        "5.bias": drawn(rng, C),
    }
    weights = {name: weight.to(dtype) for name, weight in weights.items()}
    return weights | {"1.num_batches_tracked": torch.tensor(3)}


def drawn(rng: Draws, *shape: int) -> torch.Tensor:
    """Draw numbers of order 1."""
    return torch.tensor(rng.randn(*shape).round(3))


@check(
    "flip_values", "mean probabilities of an image and its mirror image", LOOKS, look_cases,
    pure=True,
)  # fmt: skip
def looked_twice(weights: Tensors, x: torch.Tensor, training: bool) -> Answers:
    """Compute by functions, in double precision, and mirror by NumPy."""
    mirrored = torch.tensor(np.ascontiguousarray(x.numpy()[:, :, :, ::-1]))
    looks = [softmax(small_network(weights, image), axis=1) for image in (x, mirrored)]
    return {
        "probabilities": torch.tensor((looks[0] + looks[1]) / 2).to(x.dtype),
        "needs_gradient": 0,
        "gradients_afterwards": 1,
        "training_afterwards": training,
        "dropout_afterwards": training,
        "running_mean": weights["1.running_mean"],
    }


def small_network(weights: Tensors, x: torch.Tensor) -> np.ndarray:
    """Compute the logits (N, C) of the adapter's small network in evaluation mode."""
    w = {name: value.double() for name, value in weights.items()}
    z = F.conv2d(x.double(), w["0.weight"], w["0.bias"])
    scale = w["1.weight"] / (w["1.running_var"] + 1e-5).sqrt()
    shift = w["1.bias"] - w["1.running_mean"] * scale
    z = (z * scale.view(-1, 1, 1) + shift.view(-1, 1, 1)).tanh().flatten(1)
    return (z @ w["5.weight"].T + w["5.bias"]).numpy()
