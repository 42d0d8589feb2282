"""The maps that explain a tiny network with given weights, and what they leave behind."""

from collections.abc import Callable

import torch
from torch import nn


class TinyNet(nn.Module):
    """One convolution and two linear layers, with given weights."""

    def __init__(self, weights: dict[str, torch.Tensor]) -> None:
        super().__init__()
        K, C = len(weights["features.0.bias"]), len(weights["head.4.bias"])
        width, inputs = weights["head.1.weight"].shape
        convolution, norm = nn.Conv2d(1, K, 3, padding=1), nn.BatchNorm2d(K)
        self.features = nn.Sequential(
            convolution, norm, nn.ReLU(), nn.AvgPool2d(2), nn.Dropout(0.5)
        )
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(inputs, width), nn.Tanh(), nn.Dropout(0.5), nn.Linear(width, C)
        )
        self.to(weights["head.4.bias"].dtype).load_state_dict(weights)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the logits of images."""
        what_was_found = self.features(x)
        return self.head(what_was_found)


def watch_explanation(
    explain: Callable[..., torch.Tensor],
    weights: dict[str, torch.Tensor],
    x: torch.Tensor,
    classes: torch.Tensor,
    training: bool,
) -> dict[str, int | torch.Tensor]:
    """Return the maps of a function for a tiny network, and what it left behind."""
    model = TinyNet(weights).train(training)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    maps = explain(model, x, classes)
    gradients = [p.grad is not None and bool((p.grad == 1).all()) for p in model.parameters()]
    gradients += [p.requires_grad for p in model.parameters()]
    state = model.state_dict()
    return {
        "maps": maps,
        "training_afterwards": int(model.training),
        "dropout_afterwards": int(model.head[3].training),
        "needs_gradient": int(maps.requires_grad) + int(x.requires_grad or x.grad is not None),
        "gradients_untouched": int(all(gradients)),
        "state_untouched": int(all(torch.equal(state[name], w) for name, w in weights.items())),
    }
