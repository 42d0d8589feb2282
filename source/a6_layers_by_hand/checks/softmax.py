"""Softmax with cross-entropy: torch's own, with soft targets, and autograd."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from autograder.authoring.checks import Draws, Sketch, case

from .draws import FLOAT32_LOOSE, Tensors, by_hand, drawn


def logit_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield logits, and targets whose rows sum to 1."""
    for name, about, N, C in (
        ("one_hot", "5 samples, one-hot targets", 5, 4),
        ("smoothed", "6 samples, smoothed targets", 6, 3),
        ("mixed", "4 samples, mixed targets", 4, 7),
        ("single", "1 sample", 1, 5),
        ("float32", "3 samples, float32", 3, 6),
        ("extreme", "very large logits beside small ones", 4, 3),
    ):
        z = drawn(rng, N, C)
        hard = torch.eye(C, dtype=z.dtype)[torch.tensor(rng.randint(C, size=N))]
        targets = torch.tensor(rng.dirichlet(np.ones(C), size=N))
        if name in ("one_hot", "smoothed"):
            targets = hard if name == "one_hot" else 0.7 * hard + 0.3 / C
        if name == "extreme":
            z[0] *= 10_000
            z[1] -= 10_000
            z[2, 0], z[2, 1] = 10_000, -10_000
            targets[2] = torch.eye(C, dtype=z.dtype)[0]
        if name == "float32":
            z, targets = z.float(), targets.float()
        tolerance = FLOAT32_LOOSE if name == "float32" else None
        weight = 2 if name == "extreme" else 1
        yield case(name, about, weight, z=z, targets=targets, tolerance=tolerance)


def cross_entropy(z: torch.Tensor, targets: torch.Tensor) -> Tensors:
    """Compute by torch's cross-entropy with class probabilities, and autograd."""
    z = z.clone().requires_grad_()
    loss = F.cross_entropy(z, targets)
    return {"loss": loss.detach(), "dz": torch.autograd.grad(loss, z)[0]}


CROSS_ENTROPY = [
    by_hand(name, title, records, logit_cases)(cross_entropy)
    for name, title, records in (
        ("softmax_loss", "cross-entropy with soft targets", {"loss": "return.0"}),
        ("softmax_gradient", "gradient with respect to the logits", {"dz": "return.1"}),
    )
]
