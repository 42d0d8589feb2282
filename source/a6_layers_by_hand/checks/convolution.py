"""The convolution and its gradients: torch's own, and autograd."""

from collections.abc import Iterator
from functools import partial

import torch
import torch.nn.functional as F

from autograder.authoring.checks import Draws, Sketch, case

from .draws import FLOAT32_LOOSE, Tensors, bounded, by_hand, drawn


def image_cases(rng: Draws, upstream: bool = True) -> Iterator[Sketch]:
    """Yield inputs of the backward pass or, without upstream gradient, of the forward pass."""
    for name, about, shape, filters, kernel, padding, stride in (
        ("plain", "a kernel of 2 × 3, no padding", (2, 3, 5, 6), 4, (2, 3), 0, 1),
        ("padding", "a kernel of 3 × 3, two zeros around", (3, 2, 4, 5), 4, (3, 3), 2, 1),
        ("stride", "stride 2, with a remainder", (2, 3, 8, 7), 5, (3, 2), 1, 2),
        ("gaps", "stride 3: some pixels are never seen", (2, 2, 7, 9), 3, (2, 2), 1, 3),
        ("pointwise", "a kernel of one tap", (3, 4, 2, 3), 2, (1, 1), 0, 1),
        ("one_place", "1 image, a kernel that fits once", (1, 2, 3, 4), 3, (3, 4), 0, 1),
        ("float32", "a kernel of 3 × 2, float32", (2, 3, 5, 4), 2, (3, 2), 1, 2),
    ):
        x, weight = drawn(rng, *shape), bounded(rng, filters, shape[1], *kernel)
        if upstream:
            size = F.conv2d(x, weight, padding=padding, stride=stride).shape
            inputs = {"dout": bounded(rng, *size), "x": x, "weight": weight}
        else:
            inputs = {"x": x, "weight": weight, "bias": bounded(rng, filters)}
        tolerance = None
        if name == "float32":
            inputs = {key: value.float() for key, value in inputs.items()}
            tolerance = FLOAT32_LOOSE
        yield case(name, about, **inputs, padding=padding, stride=stride, tolerance=tolerance)


@by_hand(
    "conv_forward_values", "output of a convolution", {"y": "return"},
    partial(image_cases, upstream=False),
)  # fmt: skip
def convolved(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, padding: int, stride: int
) -> Tensors:
    """Let torch convolve, in double precision."""
    y = F.conv2d(x.double(), weight.double(), bias.double(), stride=stride, padding=padding)
    return {"y": y.to(x.dtype)}


def gradients(
    dout: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, padding: int, stride: int
) -> Tensors:
    """Compute by autograd, in double precision."""
    leaves = [leaf.double().requires_grad_() for leaf in (x, weight, dout.new_zeros(len(weight)))]
    y = F.conv2d(*leaves, stride=stride, padding=padding)
    found = torch.autograd.grad(y, leaves, dout.double())
    return {
        name: value.to(x.dtype)
        for name, value in zip(("dx", "dweight", "dbias"), found, strict=True)
    }


GRADIENTS = [
    by_hand(f"conv_gradient_{name}", title, {key: f"return.{key}"}, image_cases)(gradients)
    for name, title, key in (
        ("bias", "gradient with respect to the bias", "dbias"),
        ("weight", "gradient with respect to the weight", "dweight"),
        ("x", "gradient with respect to the images", "dx"),
    )
]
