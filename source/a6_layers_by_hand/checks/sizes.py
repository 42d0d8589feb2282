"""The size of a convolution's output: torch knows it, on its meta device."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from autograder.authoring.checks import Draws, Sketch, case

from .draws import Tensors, by_hand

SHAPE = {name: f"return.{i}" for i, name in enumerate(("B", "W'", "H'", "filters"))}


def conv_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield shapes of which `rest` cells remain, too few for another stride."""
    for name, about, kernel, padding, stride, dilation, rest in (
        ("plain", "no stride, no dilation", (3, 6), (2, 1), (1, 1), (1, 1), (0, 0)),
        ("stride", "strides with a remainder", (3, 5), (1, 0), (2, 3), (1, 1), (1, 2)),
        ("dilation", "dilated kernels", (3, 4), (0, 2), (1, 1), (3, 2), (0, 0)),
        ("everything", "padding, stride and dilation", (5, 2), (3, 1), (2, 4), (2, 3), (1, 3)),
        ("pointwise", "a kernel of one tap, with stride", (1, 1), (0, 0), (3, 2), (1, 1), (2, 1)),
        ("one_place", "a kernel that fits once", (4, 7), (1, 2), (2, 3), (2, 1), (0, 0)),
    ):
        places = (1, 1) if name == "one_place" else rng.permutation(np.arange(3, 12))[:2]
        sizes = [
            int(s * (n - 1) + r + d * (k - 1) + 1 - 2 * p)
            for n, k, p, s, d, r in zip(
                places, kernel, padding, stride, dilation, rest, strict=True
            )
        ]
        batch, channels, filters = (int(n) for n in rng.permutation(np.arange(2, 20))[:3])
        pairs = {"kernel": kernel, "padding": padding, "stride": stride, "dilation": dilation}
        inputs = {"shape": [batch, *sizes, channels], "filters": filters}
        inputs |= {key: list(pair) for key, pair in pairs.items()}
        yield case(name, about, **inputs)


@by_hand("conv_sizes", "shape of the output", SHAPE, conv_cases)
def conv_shape(
    shape: list[int],
    filters: int,
    kernel: list[int],
    padding: list[int],
    stride: list[int],
    dilation: list[int],
) -> Tensors:
    """Ask torch's convolution, on a device that computes shapes only."""
    batch, width, height, channels = shape
    x = torch.empty(batch, channels, width, height, device="meta")
    weight = torch.empty(filters, channels, *kernel, device="meta")
    y = F.conv2d(x, weight, stride=stride, padding=padding, dilation=dilation)
    found = y.permute(0, 2, 3, 1).shape
    return {name: torch.tensor(float(n)) for name, n in zip(SHAPE, found, strict=True)}
