"""What forward pass, loss and gradients share: the nets, and the oracle for them.

Weights are of order 1, sizes are uneven, labels unequal, and no pre-activation is near the
kink of the ReLU. The oracle uses torch.nn.functional and autograd.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from autograder.authoring.checks import Draws, Sketch, case
from autograder.notebook.cases import FLOAT32, Tolerance

Tensors = dict[str, torch.Tensor]
EXACT = Tolerance(rtol=1e-9, atol=1e-10)  # float64, of which no step was rounded to float32
MARGIN = 1e-2  # of every pre-activation from 0, and of every score from the next


def normal(rng: Draws, *shape: int) -> torch.Tensor:
    """Draw normally distributed numbers, rounded."""
    return torch.tensor(rng.randn(*shape).round(3))


def draw_net(rng: Draws, N: int, D: int, H: int, C: int) -> dict[str, Any]:
    """Draw params, X (N, D) and unequal labels y (N,), clear of every kink and tie."""
    while True:
        shapes = {"W1": (D, H), "b1": (H,), "W2": (H, C), "b2": (C,)}
        params = {name: normal(rng, *shape) for name, shape in shapes.items()}
        X = normal(rng, N, D)
        y = torch.tensor(np.concatenate([rng.permutation(C), rng.randint(C, size=N)])[:N])
        pre_activation = X @ params["W1"] + params["b1"]
        top = (F.relu(pre_activation) @ params["W2"] + params["b2"]).topk(2, dim=1).values
        if pre_activation.abs().min() > MARGIN and (top[:, 0] - top[:, 1]).min() > MARGIN:
            return {"params": params, "X": X, "y": y}


def net_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield the inputs of `loss_func(params, X, y, reg)`."""
    net = draw_net(rng, N=6, D=4, H=7, C=3)
    yield case("plain", "6 samples, no regularisation", 2, **net, reg=0.0)
    net = draw_net(rng, N=5, D=3, H=6, C=4)
    yield case("regularised", "5 samples, reg = 0.1", 3, **net, reg=0.1)
    net = draw_net(rng, N=7, D=5, H=4, C=4)
    yield case("square", "7 samples, as many hidden units as classes", **net, reg=0.05)
    net = draw_net(rng, N=1, D=4, H=5, C=3)
    yield case("single", "1 sample", **net, reg=0.1)
    net = as_float32(draw_net(rng, N=6, D=5, H=7, C=3))
    yield case("float32", "float32", **net, reg=0.1, tolerance=FLOAT32)
    net = draw_net(rng, N=5, D=4, H=6, C=3)
    net["params"]["W2"] *= 10_000
    yield case("extreme", "very large scores", **net, reg=0.0)


def unlabelled_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield params and X of the same nets."""
    for net in net_cases(rng):
        yield replace(net, inputs={name: net.inputs[name] for name in ("params", "X")})


def as_float32(net: dict[str, Any]) -> dict[str, Any]:
    """Return a net with float32 params and X."""
    params = {name: value.float() for name, value in net["params"].items()}
    return {"params": params, "X": net["X"].float(), "y": net["y"]}


def softmax_loss(
    params: Tensors, scores: torch.Tensor, y: torch.Tensor, reg: float
) -> torch.Tensor:
    """Compute the loss with its L2 penalty by torch.nn.functional."""
    squares = params["W1"].pow(2).sum() + params["W2"].pow(2).sum()
    return F.cross_entropy(scores, y) + reg * squares


def forward_backward(
    params: Tensors, X: torch.Tensor, y: torch.Tensor | None = None, reg: float = 0.0
) -> Tensors:
    """Compute scores, hidden layer, loss and gradients by torch.nn.functional and autograd."""
    params = {name: value.clone().requires_grad_() for name, value in params.items()}
    hidden = F.relu(F.linear(X, params["W1"].T, params["b1"]))
    scores = F.linear(hidden, params["W2"].T, params["b2"])
    values = {"scores": scores, "hidden": hidden}
    if y is not None:
        values["loss"] = softmax_loss(params, scores, y, reg)
        gradients = torch.autograd.grad(values["loss"], list(params.values()))
        values |= dict(zip(params, gradients, strict=True))
    return {name: value.detach() for name, value in values.items()}
