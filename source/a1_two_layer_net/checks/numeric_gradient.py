"""The numeric gradient check, `relative_error(a, b)` and `numeric_gradient(f, W, h)`."""

from collections.abc import Iterator

import numpy as np
import torch

from autograder.authoring.checks import Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance
from autograder.notebook.stubs import Stub

from .nets import EXACT, Tensors, normal


def pair_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield pairs of tensors to compare."""
    a, b = normal(rng, 3, 4), normal(rng, 3, 4)
    yield case("unlike", "two different matrices", 2, a=a, b=b)
    noise = 1e-3 * torch.tensor(rng.rand(5).round(3))
    vector, zeros = normal(rng, 5), torch.zeros(4).double()
    about = "nearly equal, the first one smaller"
    yield case("smaller", about, 2, a=vector - noise, b=vector)
    yield case("tiny", "numbers around 1e-8", 2, a=1e-8 * a, b=1e-8 * b)
    yield case("opposite", "opposite signs", a=a.abs(), b=-b.abs())
    yield case("minute", "numbers around 1e-9", a=1e-9 * a, b=1e-9 * b)
    about, loose = "numbers below ε", Tolerance(1e-6, 1e-9)  # an ε in float32 is right
    yield case("below", about, a=1e-12 * a, b=1e-12 * b, tolerance=loose)
    yield case("equal", "equal vectors", a=vector, b=vector)
    yield case("zero", "only zeros", a=zeros, b=zeros)


@check(
    "relative_error_values", "relative error of two tensors", {"error": "return"}, pair_cases,
    by_hand=True, tolerance=EXACT,
)  # fmt: skip
def error(a: torch.Tensor, b: torch.Tensor) -> dict[str, float]:
    """Compute the relative error with NumPy."""
    a, b = a.numpy(), b.numpy()
    size = max(float(np.max(np.abs(a) + np.abs(b))), 1e-10)
    return {"error": float(np.max(np.abs(a - b))) / size}


def cubic_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield places and step sizes at which to differentiate the cubic."""
    f = Stub("cubic")
    for name, about, shape, h in (
        ("matrix", "a matrix, h = 0.01", (3, 2), 1e-2),
        ("vector", "a vector, h = 0.001", (4,), 1e-3),
        ("cube", "three dimensions, h = 0.1", (2, 3, 2), 1e-1),
    ):
        W = torch.tensor(rng.uniform(0.5, 2, size=shape).round(3) * rng.choice([-1, 1], size=shape))
        yield case(name, about, f=f, W=W, h=h)
    loose = Tolerance(1e-2, 1e-3)
    yield case("float32", "float32, h = 0.1", f=f, W=W.float(), h=1e-1, tolerance=loose)


@check(
    "numeric_gradient_values", "central differences of a function of ours",
    {"gradient": "return", "W": "after.W"}, cubic_cases, by_hand=True,
    tolerance=EXACT,
)  # fmt: skip
def central_difference(f: Stub, W: torch.Tensor, h: float) -> Tensors:
    """Return the central difference of `stubs.cubic`, in closed form."""
    factor = torch.arange(1, W.numel() + 1, dtype=W.dtype).reshape(W.shape)
    slopes = factor * (W**2 + h**2 / 3) + 2 * W.sum() + 2 * W.sum(dim=0)
    return {"gradient": slopes, "W": W}
