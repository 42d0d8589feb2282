"""Swish as a torch.autograd.Function: values and gradients, against autograd."""

from collections.abc import Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import FLOAT32


def input_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield x and beta."""
    for name, about, x, beta in (
        ("matrix", "x (4, 5), beta = 1.3", rng.randn(4, 5), 1.3),
        ("negative", "x (3, 2, 4), negative beta", rng.randn(3, 2, 4), -0.8),
        ("zero", "x (6,), beta = 0", rng.randn(6), 0.0),
        ("single", "x (1, 3), beta = 2.5", rng.randn(1, 3), 2.5),
    ):
        x = torch.tensor(x.round(3))
        yield case(name, about, x=x, beta=torch.tensor(beta).double())
    x = torch.tensor(rng.randn(3, 4).round(3))
    yield case("float32", "float32", tolerance=FLOAT32, x=x.float(), beta=torch.tensor(0.7))
    x, beta = torch.cat([10_000 * x, x]), torch.tensor(1.7).double()
    yield case("extreme", "very large x beside small ones", x=x, beta=beta)


def swish(x: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
    """Write the gate as exp(log σ(βx)), which does not overflow."""
    return x * F.logsigmoid(beta * x).exp()


@check(
    "swish_forward", "values of the layer", {"y": "return"}, input_cases, by_hand=True, pure=True
)
def forward(x: torch.Tensor, beta: torch.Tensor) -> Answers:
    """Compute the values."""
    return {"y": swish(x, beta)}


def upstream_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield the same with a gradient that arrives from above."""
    for one in input_cases(rng):
        x = one.inputs["x"]
        grad_output = torch.tensor(rng.randn(*x.shape).round(3)).to(x.dtype)
        yield replace(one, inputs={**one.inputs, "grad_output": grad_output})


def gradients(x: torch.Tensor, beta: torch.Tensor, grad_output: torch.Tensor) -> Answers:
    """Compute the gradients with respect to x and beta by autograd."""
    leaves = [value.clone().requires_grad_() for value in (x, beta)]
    found = torch.autograd.grad(swish(*leaves), leaves, grad_output)
    return {"gradient_x": found[0], "gradient_beta": found[1]}


GRADIENTS = [
    check(
        f"swish_gradient_{name}",
        f"gradient with respect to {name}, by hand",
        {f"gradient_{name}": f"return.{place}"},
        upstream_cases,
        by_hand=True,
        pure=True,
    )(gradients)
    for place, name in enumerate(("x", "beta"))
]


def graph_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield W (D, H), X (N, D) and beta."""
    for name, about, (N, D, H), beta in (
        ("matrix", "5 samples", (5, 3, 4), 1.2),
        ("negative", "6 samples, negative beta", (6, 4, 2), -0.6),
        ("single", "1 sample", (1, 3, 5), 0.9),
    ):
        W, X = (torch.tensor(rng.randn(*shape).round(3)) for shape in ((D, H), (N, D)))
        yield case(name, about, W=W, X=X, beta=torch.tensor(beta).double())


@check(
    "swish_graph_gradients", "gradients through a graph with the layer in it",
    {"gradient_W": "return.0", "gradient_beta": "return.1"}, graph_cases,
)  # fmt: skip
def graph_gradients(W: torch.Tensor, X: torch.Tensor, beta: torch.Tensor) -> Answers:
    """Compute by autograd, without a layer of its own."""
    W, beta = W.clone().requires_grad_(), beta.clone().requires_grad_()
    Z = X @ W
    loss = (Z * torch.sigmoid(beta * Z)).square().sum()
    gradient_W, gradient_beta = torch.autograd.grad(loss, (W, beta))
    return {"gradient_W": gradient_W, "gradient_beta": gradient_beta}
