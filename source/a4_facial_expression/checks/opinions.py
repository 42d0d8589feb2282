"""Averages over networks, and over an image and its mirror image."""

from collections.abc import Iterator, Sequence

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
        "dropout_afterwards", "running_means",
    )
}  # fmt: skip


def look_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield weights (M, ...) of small networks, images, and the mode of each network."""
    for name, about, modes, N, H, W, C, dtype in (
        ("training", "3 networks in training mode, 4 images", (1, 1, 1), 4, 6, 5, 7, torch.float64),
        ("evaluation", "2 networks in evaluation mode", (0, 0), 2, 5, 7, 3, torch.float64),
        ("mixed", "6 networks in different modes", (0, 1, 1, 0, 1, 0), 2, 4, 5, 4, torch.float64),
        ("alone", "a network alone, in training mode, 3 images", (1,), 3, 6, 5, 4, torch.float64),
        ("single", "4 networks, a single image", (1, 0, 0, 1), 1, 4, 6, 6, torch.float64),
        ("float32", "3 networks, 2 images, float32", (1, 0, 1), 2, 7, 6, 5, torch.float32),
        ("extreme", "3 networks, one with logits of ±10,000", (0, 1, 0), 4, 5, 6, 5, torch.float64),
    ):
        of_all = [small_weights(rng, H, W, C, dtype) for _ in modes]
        weights = {key: torch.stack([one[key] for one in of_all]) for key in of_all[0]}
        if name == "extreme":
            for key in ("5.weight", "5.bias"):
                weights[key][1] *= 1e4
        x = drawn(rng, N, 1, H, W).to(dtype)
        tolerance = FLOAT32 if name == "float32" else None
        inputs = {"weights": weights, "x": x, "training": list(modes)}
        weight = 2 if name == "extreme" else 1
        yield case(name, about, weight, **inputs, tolerance=tolerance)


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
    "opinion_values", "mean probabilities of networks, for images and mirror images", LOOKS,
    look_cases, pure=True,
)  # fmt: skip
def averaged(weights: Tensors, x: torch.Tensor, training: Sequence[int]) -> Answers:
    """Compute by functions, in double precision, and mirror by NumPy; SciPy has the softmax."""
    mirrored = torch.tensor(np.ascontiguousarray(x.numpy()[:, :, :, ::-1]))
    of_all = [{key: w[m] for key, w in weights.items()} for m in range(len(training))]
    looks = [softmax(small_network(one, look), axis=1) for one in of_all for look in (x, mirrored)]
    modes = torch.tensor(training, dtype=torch.int16)
    return {
        "probabilities": torch.tensor(sum(looks) / len(looks)).to(x.dtype),
        "needs_gradient": 0,
        "gradients_afterwards": 1,
        "training_afterwards": modes,
        "dropout_afterwards": modes,
        "running_means": weights["1.running_mean"],
    }


def small_network(weights: Tensors, x: torch.Tensor) -> np.ndarray:
    """Compute the logits (N, C) of the adapter's small network in evaluation mode."""
    w = {name: value.double() for name, value in weights.items()}
    z = F.conv2d(x.double(), w["0.weight"], w["0.bias"])
    scale = w["1.weight"] / (w["1.running_var"] + 1e-5).sqrt()
    shift = w["1.bias"] - w["1.running_mean"] * scale
    z = (z * scale.view(-1, 1, 1) + shift.view(-1, 1, 1)).tanh().flatten(1)
    return (z @ w["5.weight"].T + w["5.bias"]).numpy()
