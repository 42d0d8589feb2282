"""Swish as a torch.autograd.Function: values and gradients, against autograd."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from autograder.cases import FLOAT32
from autograder.checks import Check, Kind, public_and_hidden

Tensors = dict[str, torch.Tensor]


def swish_checks(seed: int) -> Iterator[Check]:
    """Yield the checks of the layer: by hand its values and gradients, then in a graph."""
    yield Check(
        name="swish_forward",
        title="values of the layer",
        records={"y": "return"},
        cases=public_and_hidden(inputs, seed),
        oracle=lambda x, beta: {"y": oracle(x, beta, torch.ones_like(x))["y"]},
        by_hand=True,
        pure=True,
    )
    for position, name in enumerate(("x", "beta")):
        yield Check(
            name=f"swish_gradient_{name}",
            title=f"gradient by {name}, by hand",
            records={f"gradient_{name}": f"return.{position}"},
            cases=public_and_hidden(upstream, seed),
            oracle=oracle,
            by_hand=True,
            pure=True,
        )
    yield Check(
        name="swish_graph_gradients",
        title="gradients through a graph with the layer in it",
        records={"gradient_W": "return.0", "gradient_beta": "return.1"},
        cases=public_and_hidden(graphs, seed),
        oracle=graph_gradients,
    )


def inputs(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield x and beta."""
    for name, about, x, beta in (
        ("matrix", "x (4, 5), beta = 1.3", rng.randn(4, 5), 1.3),
        ("negative", "x (3, 2, 4), negative beta", rng.randn(3, 2, 4), -0.8),
        ("zero", "x (6,), beta = 0", rng.randn(6), 0.0),
        ("single", "x (1, 3), beta = 2.5", rng.randn(1, 3), 2.5),
    ):
        yield name, about, {"x": torch.tensor(x.round(3)), "beta": torch.tensor(beta).double()}
    x = torch.tensor(rng.randn(3, 4).round(3))
    inputs = {"x": x.float(), "beta": torch.tensor(0.7)}
    yield "float32", "float32", inputs, 1, FLOAT32
    x = torch.cat([10_000 * x, x])
    inputs = {"x": x, "beta": torch.tensor(1.7).double()}
    yield "extreme", "very large x beside small ones", inputs


def upstream(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield the same with a gradient that arrives from above."""
    for name, about, given, *rest in inputs(rng):
        grad_output = torch.tensor(rng.randn(*given["x"].shape).round(3)).to(given["x"].dtype)
        yield name, about, {**given, "grad_output": grad_output}, *rest


def oracle(x: torch.Tensor, beta: torch.Tensor, grad_output: torch.Tensor) -> Tensors:
    """Compute by autograd: beta · swish = silu(beta x), and by limits where beta is 0."""
    x, beta = x.clone().requires_grad_(), beta.clone().requires_grad_()
    y = x * F.logsigmoid(beta * x).exp()
    gradients = torch.autograd.grad(y, (x, beta), grad_output)
    return {"y": y.detach(), "gradient_x": gradients[0], "gradient_beta": gradients[1]}


def graphs(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield W (D, H), X (N, D) and beta."""
    for name, about, (N, D, H), beta in (
        ("matrix", "5 samples", (5, 3, 4), 1.2),
        ("negative", "6 samples, negative beta", (6, 4, 2), -0.6),
        ("single", "1 sample", (1, 3, 5), 0.9),
    ):
        W, X = (torch.tensor(rng.randn(*shape).round(3)) for shape in ((D, H), (N, D)))
        yield name, about, {"W": W, "X": X, "beta": torch.tensor(beta).double()}


def graph_gradients(W: torch.Tensor, X: torch.Tensor, beta: torch.Tensor) -> Tensors:
    """Compute by autograd, without a layer of its own."""
    W, beta = W.clone().requires_grad_(), beta.clone().requires_grad_()
    Z = X @ W
    loss = (Z * torch.sigmoid(beta * Z)).square().sum()
    gradient_W, gradient_beta = torch.autograd.grad(loss, (W, beta))
    return {"gradient_W": gradient_W, "gradient_beta": gradient_beta}
