"""Batch norm: torch's layer norm of the transposed batch, and autograd."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F

from autograder.authoring.checks import Draws, Sketch, case
from autograder.notebook.cases import Tolerance

from .draws import FLOAT32_LOOSE, Tensors, bounded, by_hand, drawn

ONES = Tolerance(rtol=2e-6, atol=1e-6)  # torch.ones(N, D) / N is float32, and no mistake


def batch_cases(rng: Draws, upstream: bool = True) -> Iterator[Sketch]:
    """Yield inputs of the backward pass or, without upstream gradient, of the forward pass."""
    for name, about, N, D, eps in (
        ("batch", "6 samples, eps = 1e-5", 6, 4, 1e-5),
        ("odd", "7 samples, eps = 0.3", 7, 3, 0.3),
        ("two", "2 samples, eps = 0.5", 2, 5, 0.5),
        ("single", "1 sample, eps = 0.1", 1, 4, 0.1),
        ("float32", "5 samples, float32", 5, 3, 0.2),
    ):
        x, gamma = batch(rng, N, D), bounded(rng, D)
        if upstream:
            inputs = {"dout": drawn(rng, N, D), "x": x, "gamma": gamma}
        else:
            inputs = {"x": x, "gamma": gamma, "beta": drawn(rng, D)}
        tolerance = None
        if name == "float32":
            inputs = {key: value.float() for key, value in inputs.items()}
            tolerance = FLOAT32_LOOSE
        yield case(name, about, **inputs, eps=eps, tolerance=tolerance)


def batch(rng: Draws, N: int, D: int) -> torch.Tensor:
    """Draw a batch (N, D), no column of which is nearly constant."""
    while True:
        x = rng.randn(N, D) * rng.uniform(0.7, 2, size=D) + rng.uniform(-3, 3, size=D)
        if N == 1 or x.var(axis=0).min() > 0.05:
            return torch.tensor(x.round(3))


def normalised(x: torch.Tensor, eps: float) -> torch.Tensor:
    """Normalise by torch's layer norm: that of the transposed batch is batch norm."""
    return F.layer_norm(x.T, (len(x),), eps=eps).T


@by_hand(
    "batchnorm_forward_values", "output of batch norm", {"y": "return"},
    partial(batch_cases, upstream=False),
)  # fmt: skip
def batchnorm(x: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor, eps: float) -> Tensors:
    """Scale and shift what is normalised."""
    return {"y": gamma * normalised(x, eps) + beta}


def gradients(dout: torch.Tensor, x: torch.Tensor, gamma: torch.Tensor, eps: float) -> Tensors:
    """Compute by autograd, with a leaf at each step, in double precision."""
    dtype, (dout, x, gamma) = x.dtype, (tensor.double() for tensor in (dout, x, gamma))
    leaf = x.clone().requires_grad_()
    gamma, beta = gamma.clone().requires_grad_(), torch.zeros_like(gamma).requires_grad_()
    y = gamma * normalised(leaf, eps) + beta
    found = dict(zip(("dx", "dgamma", "dbeta"), slopes(y, dout, leaf, gamma, beta), strict=True))

    mean = x.mean(dim=0).requires_grad_()
    variance = (x - mean).square().mean(dim=0)
    x_hat = (x - mean) / (variance + eps).sqrt()
    inside = slopes(gamma * x_hat, dout, x_hat, variance, mean)
    found |= dict(zip(("dx_hat", "dvar", "dmean"), inside, strict=True))
    return {name: value.to(dtype) for name, value in found.items()}


def slopes(y: torch.Tensor, dout: torch.Tensor, *to: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Differentiate the sum of y × dout with respect to each of `to`."""
    return torch.autograd.grad((y * dout).sum(), to, retain_graph=True)


def by_key(*keys: str) -> dict[str, str]:
    """Record items of a dict by their keys."""
    return {key: f"return.{key}" for key in keys}


GRADIENTS = [
    by_hand(f"batchnorm_{name}", title, records, batch_cases, tolerance=ONES)(gradients)
    for name, title, records in (
        ("gradients_parameters", "gradients with respect to γ and β", by_key("dgamma", "dbeta")),
        (
            "gradients_inside",
            "gradients with respect to x̂, σ² and μ",
            by_key("dx_hat", "dvar", "dmean"),
        ),
        ("gradient_x", "gradient with respect to x", by_key("dx")),
    )
]


def identity_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield batches in which no column is constant."""
    for one in batch_cases(rng):
        if one.name != "single":
            yield replace(one, inputs={key: one.inputs[key] for key in ("x", "eps")})


@by_hand(
    "batchnorm_identity", "γ and β of the identity", {"gamma": "return.0", "beta": "return.1"},
    identity_cases,
)  # fmt: skip
def identity(x: torch.Tensor, eps: float) -> Tensors:
    """Solve for γ and β from the two samples of each column that are farthest apart."""
    x_hat = normalised(x.double(), eps)
    high, low = x.argmax(dim=0, keepdim=True), x.argmin(dim=0, keepdim=True)
    apart = (x.double().gather(0, high) - x.double().gather(0, low)).squeeze(0)
    gamma = apart / (x_hat.gather(0, high) - x_hat.gather(0, low)).squeeze(0)
    beta = (x.double() - gamma * x_hat)[0]
    return {"gamma": gamma.to(x.dtype), "beta": beta.to(x.dtype)}
