"""Weights of layers, and other tensors, drawn from a normal distribution."""

import torch

from autograder.authoring.checks import Draws
from autograder.notebook.cases import Tolerance

Tensors = dict[str, torch.Tensor]
FLOAT32_LOOSE = Tolerance(rtol=1e-4, atol=1e-5)  # sums that may nearly cancel


def normal(rng: Draws, *shape: int) -> torch.Tensor:
    """Draw from the standard normal distribution, rounded to three digits; float64."""
    return torch.tensor(rng.randn(*shape).round(3))


def batch_norm(rng: Draws, name: str, C: int) -> Tensors:
    """Draw the weights and statistics of a batch norm, none of them trivial."""
    return {
        f"{name}.weight": torch.tensor(rng.uniform(0.5, 1.5, C).round(3)),
        f"{name}.bias": normal(rng, C) / 2,
        f"{name}.running_mean": normal(rng, C) / 2,
        f"{name}.running_var": torch.tensor(rng.uniform(0.5, 2, C).round(3)),
        f"{name}.num_batches_tracked": torch.tensor(3),
    }


def cast(weights: Tensors, dtype: torch.dtype) -> Tensors:
    """Change the dtype of all tensors but the counters."""
    return {name: w.to(dtype) if w.is_floating_point() else w for name, w in weights.items()}
