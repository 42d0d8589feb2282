"""Naming defects: a small residual network, and which differences are real."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from scipy import stats

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance

BLOCK = "begins_as_shortcut", "filters_are_not_0", "every_part_learns", "nothing_dropped"
KEPT = ("three_blocks", "head_of_features", "any_size", "maps_have_places", "places_do_not_matter",
        "mean_of_each_map", "one_linear_layer", "within_budget", "same_answer_twice",
        "image_for_itself", "some_below_0", "no_probabilities", "no_logarithms")  # fmt: skip
PROPERTIES = (*BLOCK, "parameters", "block", "shape", *KEPT, "without_gradient")
EPS = 1e-5  # of batch norm
MAPS = Tolerance(rtol=1e-9, atol=1e-9)  # no float32 on the way


# The network


def block_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield maps for a block, the numbers to fill it with, and the size of a network's images."""
    for name, about, c_in, c_out, stride, places, N, size, C in (
        ("same", "5 channels to 5, stride 1", 5, 5, 1, (6, 7), 3, [40, 57], 6),
        ("wider", "3 channels to 7, stride 1", 3, 7, 1, (5, 4), 2, [37, 41], 4),
        ("strided", "6 channels to 6, stride 2", 6, 6, 2, (7, 8), 1, [48, 37], 3),
    ):
        share = 0.0
        while not 0.3 < share < 0.8:  # of numbers that are not 0 after the last ReLU
            x = torch.tensor(rng.randn(N, c_in, *places).round(2))
            sequence = torch.tensor(rng.randn(9 * max(c_in, c_out) + c_out).round(3))
            share = (filled_block(x, c_out, stride, sequence) > 0).double().mean()
        inputs = {"x": x, "c_out": c_out, "stride": stride, "sequence": sequence}
        yield case(name, about, **inputs, size=size, num_classes=C)


def filled_norm(x: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """Normalise by the running statistics that a filled batch norm has."""
    scale, shift, mean = (row.view(-1, 1, 1) for row in s.flip(0)[: 3 * x.shape[1]].view(3, -1))
    variance = 0.5 + s[: x.shape[1]].view(-1, 1, 1) ** 2
    return (x - mean) / (variance + EPS) ** 0.5 * scale + shift


def filled_convolution(
    x: torch.Tensor, s: torch.Tensor, c_out: int, side: int, stride: int
) -> torch.Tensor:
    """Multiply every neighbourhood, written as a row, with windows of the sequence."""
    padding = side // 2
    rows = F.unfold(x, side, padding=padding, stride=stride)
    windows = torch.stack([s[k : k + rows.shape[1]] for k in range(c_out)])
    out = [(length + 2 * padding - side) // stride + 1 for length in x.shape[2:]]
    return (windows @ rows / rows.shape[1] ** 0.5).reshape(len(x), c_out, *out)


def filled_block(x: torch.Tensor, c_out: int, stride: int, s: torch.Tensor) -> torch.Tensor:
    """Compute a filled residual block by matrix products."""
    hidden = filled_norm(filled_convolution(x, s, c_out, 3, stride), s).clamp(min=0)
    residual = filled_norm(filled_convolution(hidden, s, c_out, 3, 1), s)
    if stride != 1 or c_out != x.shape[1]:
        x = filled_norm(filled_convolution(x, s, c_out, 1, stride), s)
    return (residual + x).clamp(min=0)


@check(
    "small_resnet", "a residual block, and a network of them",
    {name: f"return.{name}" for name in PROPERTIES}, block_cases, tolerance=MAPS,
    pure=True,
)  # fmt: skip
def resnet_properties(
    x: torch.Tensor, c_out: int, stride: int, sequence: torch.Tensor, size: list[int],
    num_classes: int,
) -> Answers:  # fmt: skip
    """Say what a right block computes, and that a network keeps every rule."""
    c_in = x.shape[1]
    projects = stride != 1 or c_in != c_out
    sizes = [9 * c_out * (c_in + c_out) + 4 * c_out, projects * c_out * (c_in + 2)]
    return {
        **dict.fromkeys((*BLOCK, *KEPT), 1),
        "parameters": torch.tensor(sizes),
        "block": filled_block(x, c_out, stride, sequence),
        "shape": torch.tensor([2, num_classes]),
        "without_gradient": 0,
    }


# Pairs


def pair_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield which images two classifiers have right, from how many only one, or none, has."""
    b, c = (int(n) for n in rng.permutation([5, 13]))
    large = 520 + int(rng.randint(60)), 595 + int(rng.randint(60))
    for name, about, only_a, only_b, neither, N in (
        ("some", "66 images", b, c, 4, 66),
        ("two", "two images make the difference", 0, 2, 5, 66),
        ("all_on_one_side", "the second is never better", int(rng.randint(5, 9)), 0, 3, 41),
        ("even", "as many on both sides", 4, 4, 9, 30),
        ("none", "no image makes a difference", 0, 0, 6, 25),
        ("three", "one image against two", 1, 2, 1, 17),
        ("single", "one image", 1, 0, 0, 1),
        ("large", "3,589 images", *large, 400, 3589),
    ):
        both = N - only_a - only_b - neither
        pairs = np.repeat([[1, 0], [0, 1], [0, 0], [1, 1]], [only_a, only_b, neither, both], axis=0)
        right_a, right_b = (torch.tensor(right) for right in rng.permutation(pairs).T.astype(bool))
        yield case(name, about, right_a=right_a, right_b=right_b)


@check(
    "paired_difference_values", "two classifiers on the same images",
    {"b": "return.0", "c": "return.1", "p": "return.2"}, pair_cases, pure=True,
)  # fmt: skip
def mcnemar(right_a: torch.Tensor, right_b: torch.Tensor) -> Answers:
    """Count in Python, and let SciPy test."""
    pairs = list(zip(right_a.tolist(), right_b.tolist(), strict=True))
    b, c = pairs.count((True, False)), pairs.count((False, True))
    return {"b": b, "c": c, "p": stats.binomtest(b, b + c).pvalue if b + c else 1}
