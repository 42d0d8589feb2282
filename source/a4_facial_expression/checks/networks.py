"""The network of the report, and a small one of the student's own."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from autograder.cases import FLOAT64, Tolerance
from autograder.checks import Check, Kind, Mistake, number, public_and_hidden

Tensors = dict[str, torch.Tensor]
WIDTHS = 64, 128, 256, 512  # channels of the four blocks
LAYERS = 4096, 1024, 256, 7  # outputs of the linear layers
SLOPE = (1 / 8 + 1 / 3) / 2  # of RReLU in evaluation mode
LOGITS = Tolerance(rtol=1e-3, atol=2e-4)  # float32: sums of up to 8192 products, eight times over


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks of this part; `seed` draws the hidden cases."""
    names = ("parameters", "shapes", "same_answer_twice", "image_for_itself", "dropped_in_blocks",
             "no_whole_maps", "slopes", "dropped_in_head", "slopes_in_head",
             "without_gradient")  # fmt: skip
    filled = public_and_hidden(filled_networks, seed)
    exact = tuple(replace(case, tolerance=FLOAT64) for case in filled)
    yield Check(
        name="report_cnn_structure",
        title="how the network of the report is built",
        records={name: f"return.{name}" for name in names},
        cases=exact,
        oracle=report_cnn_properties,
    )
    yield Check(
        name="report_cnn_output",
        title="its logits in evaluation mode",
        records={"logits": "return"},
        cases=filled,
        oracle=report_cnn,
    )
    names = ("shape", "finite", "within_budget", "maps_with_places", "head_of_features",
             "same_answer_twice", "image_for_itself", "logits", "without_gradient")  # fmt: skip
    yield Check(
        name="small_cnn",
        title="what a small network promises",
        records={name: f"return.{name}" for name in names},
        cases=public_and_hidden(batches, seed),
        oracle=small_cnn_properties,
    )


# The network of the report


def filled_networks(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield the numbers to fill the network with, and images."""
    longest = LAYERS[0] + 16 * WIDTHS[-1] - 1  # rows of the largest matrix, each one further on
    sequence = torch.tensor(rng.randn(longest).round(3)).float()
    sequence[7:14] = 8 * (-1.0) ** torch.arange(7)  # the last biases: logits of both signs
    coarse = rng.randn(2, 1, 8, 8)  # so that the images differ in more than noise
    images = torch.tensor((np.kron(coarse, np.ones((8, 8))) + rng.randn(2, 1, 64, 64)).round(2))
    inputs = {"sequence": sequence, "images": images.float()}
    yield "two", "two images", inputs, 1, LOGITS


def report_cnn_properties(sequence: torch.Tensor, images: torch.Tensor) -> Tensors:
    """Say what the report says."""
    shapes = [[width, 32 >> block, 32 >> block] for block, width in enumerate(WIDTHS)]
    inputs = (16 * WIDTHS[-1], *LAYERS)
    convolutions = zip((1, *WIDTHS), WIDTHS, strict=False)
    parameters = sum(9 * a * b + b + 2 * b for a, b in convolutions)
    parameters += sum(a * b + b for a, b in zip(inputs, LAYERS, strict=False))
    return {
        "parameters": torch.tensor(parameters),
        "shapes": torch.tensor(shapes, dtype=torch.int16),
        "same_answer_twice": number(1),
        "image_for_itself": number(1),
        "dropped_in_blocks": torch.full((4,), 0.25),
        "no_whole_maps": number(1),
        "slopes": number(2),
        "dropped_in_head": torch.tensor([0.5, 0.5, 0, 0]),
        "slopes_in_head": number(1),
        "without_gradient": number(0),
    }


def report_cnn(sequence: torch.Tensor, images: torch.Tensor) -> Tensors:
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


def batches(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield normalised images."""
    for name, about, N in (("five", "five images", 5), ("single", "a single image", 1)):
        images = torch.tensor(rng.uniform(-2, 2, size=(N, 1, 48, 48)).round(2)).float()
        yield name, about, {"images": images}


def small_cnn_properties(images: torch.Tensor) -> Tensors:
    """Say what every network that keeps its promises has."""
    kept = ("finite", "within_budget", "maps_with_places", "head_of_features",
            "same_answer_twice", "image_for_itself", "logits")  # fmt: skip
    shape = {"shape": torch.tensor([len(images), 7]), "without_gradient": number(0)}
    return shape | {name: number(1) for name in kept}


STRUCTURE, OUTPUT = ("report_cnn_structure",), ("report_cnn_output",)
BOTH = (*STRUCTURE, *OUTPUT)
BLOCK = "return nn.Sequential(convolution, norm, activation, nn.MaxPool2d(2), nn.Dropout(0.25))"
FIRST = "block(1, 64, nn.RReLU())"
HEAD_1 = "nn.Dropout(0.5), nn.Linear(8192, 4096), nn.RReLU()"
HEAD_2 = "nn.Dropout(0.5), nn.Linear(4096, 1024), nn.RReLU()"
HEAD_3 = "nn.Linear(1024, 256), nn.RReLU()"
FORWARD = "return self.head(self.blocks(x))"
LAYERS_OF_SMALL = "self.features = nn.Sequential("
LAST = "*layer(48, 96),"
SMALL = "return self.head(self.features(x))"
SMALL_HEAD = "nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.3), nn.Linear(9 * 96, 7)"


def report(
    name: str, change: dict[str, str], checks: tuple[str, ...], share: float, hint: str
) -> Mistake:
    """Build a mistake in `ReportCNN`."""
    return Mistake(name, "ReportCNN", change, checks, share, hint)


def block(name: str, layers: str, checks: tuple[str, ...], share: float, hint: str) -> Mistake:
    """Put other layers into each block."""
    return report(name, {BLOCK: f"return nn.Sequential({layers})"}, checks, share, hint)


def small(name: str, change: dict[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `SmallCNN`."""
    return Mistake(name, "SmallCNN", change, ("small_cnn",), share, hint)


MISTAKES: tuple[Mistake, ...] = (
    report("fixed_slope", {FIRST: "block(1, 64, nn.LeakyReLU(11 / 48))"}, STRUCTURE, 0.8,
           "the slope of the first block's activation is the same in every pass of training (1 "
           "would be no activation at all). RReLU draws it; as a function, F.rrelu(x, "
           "training=self.training)."),
    report("fixed_slopes_in_head",
           {part: part.replace("nn.RReLU()", "nn.LeakyReLU(11 / 48)")
            for part in (HEAD_1, HEAD_2, HEAD_3)}, STRUCTURE, 0.8,
           "the slopes of the head's activations are not drawn in each pass of training. RReLU "
           "draws them; as a function, F.rrelu(x, training=self.training)."),
    block("pooled_before_the_norm",
          "convolution, nn.MaxPool2d(2), norm, activation, nn.Dropout(0.25)", OUTPUT, 0.5,
          "the blocks pool before the batch norm. The order is convolution, norm, activation, "
          "pooling, dropout: it matters, since a norm with a negative scale turns the largest "
          "number into the smallest."),
    block("norm_after_activation",
          "convolution, activation, norm, nn.MaxPool2d(2), nn.Dropout(0.25)", OUTPUT, 0.5,
          "the batch norm comes behind the activation. Put it before."),
    block("norm_missing", "convolution, activation, nn.MaxPool2d(2), nn.Dropout(0.25)", BOTH, 0.4,
          "the batch norms are missing: 1,920 parameters."),
    block("averaged_instead_of_max",
          "convolution, norm, activation, nn.AvgPool2d(2), nn.Dropout(0.25)", OUTPUT, 0.5,
          "the blocks take the mean of 2 × 2 places. Max pooling takes the largest."),
    block("whole_maps_dropped",
          "convolution, norm, activation, nn.MaxPool2d(2), nn.Dropout2d(0.25)", STRUCTURE, 0.8,
          "Dropout2d drops whole maps. Here single numbers are dropped: nn.Dropout."),
    block("half_dropped", "convolution, norm, activation, nn.MaxPool2d(2), nn.Dropout(0.5)",
          STRUCTURE, 0.8, "the blocks drop half of their numbers. Their probability is 0.25."),
    block("no_dropout_in_blocks", "convolution, norm, activation, nn.MaxPool2d(2)", STRUCTURE, 0.6,
          "the dropout at the end of each block is missing."),
    block("no_activation_in_blocks", "convolution, norm, nn.MaxPool2d(2), nn.Dropout(0.25)", BOTH,
          0.3, "there is no activation in the blocks."),
    report("relu_in_the_first_block", {FIRST: FIRST.replace("RReLU", "ReLU")}, BOTH, 0.6,
           "the first block has a ReLU. It should be an RReLU, which lets a part of the negative "
           "numbers through."),
    report("leaky_relu", {FIRST: "block(1, 64, nn.LeakyReLU())"}, BOTH, 0.6,
           "the first block's activation has the slope 0.01 of a leaky ReLU. RReLU's slope is "
           "drawn between 1/8 and 1/3."),
    report("rrelu_in_every_block",
           {BLOCK: BLOCK.replace("activation", "nn.RReLU()")}, OUTPUT, 0.6,
           "all four blocks have RReLU. Only the first one has; the others have ReLU."),
    report("relu_in_the_head",
           {HEAD_1: HEAD_1.replace("RReLU", "ReLU"), HEAD_2: HEAD_2.replace("RReLU", "ReLU"),
            HEAD_3: HEAD_3.replace("RReLU", "ReLU")}, OUTPUT, 0.6,
           "the head has ReLU. Its activations are RReLU."),
    report("activation_forgotten", {HEAD_3: "nn.Linear(1024, 256)"}, OUTPUT, 0.6,
           "there is no activation between the last two linear layers, so together they are only "
           "one."),
    report("probabilities", {FORWARD: "return self.head(self.blocks(x)).softmax(dim=1)"}, OUTPUT,
           0.5, "the outputs are probabilities. Return logits: cross_entropy does the softmax."),
    report("activation_behind_the_logits", {"nn.Linear(256, 7),": "nn.Linear(256, 7), nn.RReLU(),"},
           OUTPUT, 0.5, "there is an activation behind the last layer. Logits are left as they "
           "are."),
    report("convolutions_without_bias", {"padding=1)": "padding=1, bias=False)"}, BOTH, 0.7,
           "the convolutions have no bias: 960 parameters are missing. A bias before a batch norm "
           "is of no use, but the report has it."),
    report("no_padding", {"padding=1)": "padding=0)", "Linear(8192,": "Linear(2048,"}, STRUCTURE,
           0.3, "the convolutions have no padding, so the maps shrink by two pixels each."),
    report("dropout_before_the_third_layer", {HEAD_3: f"nn.Dropout(0.5), {HEAD_3}"}, STRUCTURE, 0.8,
           "there is dropout in front of the third linear layer. Only the first two have it."),
    report("no_dropout_in_the_head",
           {HEAD_1: HEAD_1.replace("nn.Dropout(0.5), ", ""),
            HEAD_2: HEAD_2.replace("nn.Dropout(0.5), ", "")}, STRUCTURE, 0.6,
           "there is no dropout in the head. It stands in front of the first two linear layers."),
    report("dropout_always_on", {FORWARD: "return self.head(F.dropout(self.blocks(x), 0.25))"},
           STRUCTURE, 0.4, "in evaluation mode two passes differ. F.dropout is told the mode by "
           "training=self.training; nn.Dropout knows it."),
    report("norm_of_the_batch", {"Norm2d(c_out)": "Norm2d(c_out, track_running_stats=False)"},
           BOTH, 0.4, "in evaluation mode the answer for an image depends on the others in its "
           "batch. A batch norm keeps running statistics for that."),
    report("blocks_cut_off", {FORWARD: "return self.head(self.blocks(x).detach())"}, STRUCTURE, 0.3,
           "parameters of the blocks get no gradient. Something between blocks and head leaves "
           "autograd: detach, .data or no_grad."),
    small("far_too_large", {LAST: "*layer(48, 512), *layer(512, 96),"}, 0.4,
          "the network has more than 300,000 parameters. Count by layer to see where they "
          "are."),
    small("pooled_in_features",
          {LAST: f"{LAST} nn.AdaptiveMaxPool2d(1),",
           "nn.MaxPool2d(2), nn.Flatten()": "nn.Flatten()", "9 * 96": "96"}, 0.5,
          "features returns no maps, or maps of fewer than 3 × 3 places. Average over the places "
          "in the head: section 10 needs to know where something was found."),
    small("small_probabilities", {SMALL: "return self.head(self.features(x)).softmax(dim=1)"}, 0.4,
          "the outputs are probabilities. Return logits, that is head(features(x))."),
    small("log_probabilities", {SMALL_HEAD: SMALL_HEAD + ", nn.LogSoftmax(dim=1)"}, 0.6,
          "the outputs are probabilities, or their logarithms, or what an activation makes of "
          "them. Nothing comes behind the last layer: cross_entropy does the softmax."),
    small("normalised_again", {SMALL: "return self.head(self.features(normalise(x)))"}, 0.6,
          "forward is not head(features(x)): it does something else on the way. The images are "
          "normalised already."),
    small("always_dropping", {SMALL: "return self.head(F.dropout(self.features(x), 0.3))"}, 0.4,
          "in evaluation mode two passes differ. F.dropout is told the mode by "
          "training=self.training; nn.Dropout knows it."),
    small("norm_of_this_batch", {"Norm2d(c_out)": "Norm2d(c_out, track_running_stats=False)"}, 0.4,
          "in evaluation mode the answer for an image depends on the others in its batch."),
    small("unused_layer",
          {LAYERS_OF_SMALL: f"self.spare = nn.Linear(128, 128)\n        {LAYERS_OF_SMALL}"}, 0.7,
          "there are parameters that the output does not depend on: a layer that is defined "
          "and never used, or cut off from the gradient."),
    small("features_cut_off", {SMALL: "return self.head(self.features(x).detach())"}, 0.3,
          "no parameter of features gets a gradient. Something leaves autograd: detach, .data or "
          "no_grad."),
    small("ten_classes", {"nn.Linear(9 * 96, 7)": "nn.Linear(9 * 96, 10)"}, 0.4,
          "there are ten logits for each image. There are seven expressions."),
)  # fmt: skip
