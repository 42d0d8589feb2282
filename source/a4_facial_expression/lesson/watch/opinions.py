"""What the mirror image adds, and the state in which a network is left."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


def watch_flipping(
    flip_probabilities: Callable, weights: dict[str, torch.Tensor], x: torch.Tensor, training: bool
) -> dict[str, Any]:
    """Flip with a small network of given weights: its results, and the state it is left in."""
    maps, classes = len(weights["0.weight"]), len(weights["5.bias"])
    model = nn.Sequential(
        nn.Conv2d(1, maps, 3), nn.BatchNorm2d(maps), nn.Tanh(), nn.Dropout(0.5), nn.Flatten(),
        nn.Linear(weights["5.weight"].shape[1], classes),
    ).to(x.dtype).train(training)  # fmt: skip
    model.load_state_dict(weights)
    probabilities = flip_probabilities(model, x)
    gradients_afterwards = torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    return {
        "probabilities": probabilities,
        "needs_gradient": int(probabilities.requires_grad),
        "gradients_afterwards": int(gradients_afterwards),
        "training_afterwards": int(model.training),
        "dropout_afterwards": int(model[3].training),
        "running_mean": model[1].running_mean,
    }
