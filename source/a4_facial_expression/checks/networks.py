"""The network of the report, and a small one of the student's own."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance

WIDTHS = 64, 128, 256, 512  # channels of the four blocks
LAYERS = 4096, 1024, 256, 7  # outputs of the linear layers
SLOPE = (1 / 8 + 1 / 3) / 2  # of RReLU in evaluation mode
LOGITS = Tolerance(rtol=1e-3, atol=2e-4)  # float32: sums of up to 8192 products, eight times over
STRUCTURE = (
    "parameters", "shapes", "same_answer_twice", "image_for_itself", "dropped_in_blocks",
    "no_whole_maps", "slopes", "dropped_in_head", "slopes_in_head", "momentum",
    "without_gradient",
)  # fmt: skip
PROMISES = (
    "shape", "finite", "within_budget", "maps_with_places", "head_of_features",
    "same_answer_twice", "image_for_itself", "logits", "without_gradient",
)  # fmt: skip


# The network of the report


def filled_network_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield the numbers to fill the network with, and images."""
    longest = LAYERS[0] + 16 * WIDTHS[-1] - 1  # rows of the largest matrix, each one further on
    sequence = torch.tensor(rng.randn(longest).round(3)).float()
    sequence[7:14] = 8 * (-1.0) ** torch.arange(7)  # the last biases: logits of both signs
    coarse = rng.randn(2, 1, 8, 8)  # so that the images differ in more than noise
    images = torch.tensor((np.kron(coarse, np.ones((8, 8))) + rng.randn(2, 1, 64, 64)).round(2))
    yield case("two", "two images", sequence=sequence, images=images.float())


@check(
    "report_cnn_structure", "how the network of the report is built",
    {name: f"return.{name}" for name in STRUCTURE}, filled_network_cases,
)  # fmt: skip
def report_cnn_properties(sequence: torch.Tensor, images: torch.Tensor) -> Answers:
    """Say what the report says."""
    shapes = [[width, 32 >> block, 32 >> block] for block, width in enumerate(WIDTHS)]
    inputs = (16 * WIDTHS[-1], *LAYERS)
    convolutions = zip((1, *WIDTHS), WIDTHS, strict=False)
    parameters = sum(9 * a * b + b + 2 * b for a, b in convolutions)
    parameters += sum(a * b + b for a, b in zip(inputs, LAYERS, strict=False))
    return dict.fromkeys(STRUCTURE, 1) | {
        "parameters": torch.tensor(parameters),
        "shapes": torch.tensor(shapes, dtype=torch.int16),
        "dropped_in_blocks": torch.full((4,), 0.25),
        "slopes": 2,
        "dropped_in_head": torch.tensor([0.5, 0.5, 0, 0]),
        "slopes_in_head": torch.tensor([2, 2, 2], dtype=torch.int16),
        "momentum": torch.full((4,), 0.1),
        "without_gradient": 0,
    }


@check(
    "report_cnn_output", "its logits in evaluation mode", {"logits": "return"},
    filled_network_cases, tolerance=LOGITS,
)  # fmt: skip
def report_cnn(sequence: torch.Tensor, images: torch.Tensor) -> Answers:
    """Compute the logits by functions, in double precision, from numbers taken out by index.

    A linear layer whose row k is sequence[k : k + n] is a correlation with the sequence.
    """
    s, x = sequence.double(), images.double()
    for width in WIDTHS:
        fan_in = 9 * x.shape[1]
        index = torch.arange(width)[:, None] + torch.arange(fan_in)[None]
        filters = s[index].view(width, -1, 3, 3) / fan_in**0.5
        x = F.conv2d(x, filters, 0.3 * s[width : 2 * width], padding=1)
        mean, var = 0.5 * s[2 * width : 3 * width], 0.5 + s[3 * width : 4 * width].square()
        scale = s[-width:].flip(0) / (var + 1e-5).sqrt()
        shift = 0.3 * s[width : 2 * width] - mean * scale
        x = x * scale.view(-1, 1, 1) + shift.view(-1, 1, 1)
        x = torch.where(x > 0, x, (SLOPE if width == WIDTHS[0] else 0) * x)
        x = torch.stack([x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]).amax(dim=0)
    x = x.reshape(len(x), -1)
    for width in LAYERS:
        fan_in = x.shape[1]
        row = s[: width + fan_in - 1].view(1, 1, -1)
        products = torch.cat([F.conv1d(row, image.view(1, 1, -1))[0] for image in x])
        x = products / fan_in**0.5 + 0.3 * s[width : 2 * width]
        if width != LAYERS[-1]:
            x = torch.where(x > 0, x, SLOPE * x)
    return {"logits": x.float()}


# A network of the student's own


def batch_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield normalised images."""
    for name, about, N in (("five", "five images", 5), ("single", "a single image", 1)):
        images = torch.tensor(rng.uniform(-2, 2, size=(N, 1, 48, 48)).round(2)).float()
        yield case(name, about, images=images)


@check(
    "small_cnn", "the rules for a small network", {name: f"return.{name}" for name in PROMISES},
    batch_cases,
)  # fmt: skip
def small_cnn_properties(images: torch.Tensor) -> Answers:
    """Say what every network that keeps the rules has."""
    shape = torch.tensor([len(images), 7])
    return dict.fromkeys(PROMISES, 1) | {"shape": shape, "without_gradient": 0}
