"""The autoencoder, and its error as a map."""

from collections.abc import Iterator

import numpy as np
import torch

from autograder.cases import FLOAT32, Tolerance
from autograder.checks import Check, Kind, Mistake, number, public_and_hidden

Tensors = dict[str, torch.Tensor]
MEAN_OF_SQUARES = Tolerance(rtol=1e-6, atol=1e-9)


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks; `seed` draws the hidden cases."""
    kept = ("code_is_narrow", "between_0_and_1", "nothing_goes_round", "drawn_from_the_code",
            "codes_differ", "image_for_itself", "within_budget")  # fmt: skip
    yield Check(
        name="autoencoder_structure",
        title="what an autoencoder promises",
        records={name: f"return.{name}" for name in ("shape", "unused_parameters", *kept)},
        cases=public_and_hidden(images, seed),
        oracle=lambda images: {
            "shape": torch.tensor(images.shape),
            "unused_parameters": number(0),
            **{name: number(1) for name in kept},
        },
    )
    names = "maps", "training_afterwards", "state_untouched", "needs_gradient"
    yield Check(
        name="error_map_values",
        title="the error of a drawing, as maps",
        records={name: f"return.{name}" for name in names},
        cases=public_and_hidden(drawers, seed),
        oracle=errors,
        pure=True,
    )


def images(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield a few coarse images in 0..1, the first and the last one different."""
    for name, about, N in (("four", "four images", 4), ("two", "two images", 2)):
        coarse = rng.uniform(0, 1, size=(N, 3, 6, 6)).round(2)
        yield name, about, {"images": torch.tensor(np.kron(coarse, np.ones((16, 16)))).float()}


def drawers(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield weights of a tiny model, images, a cell and a mode."""
    for name, about, (N, H, W), cell, training, dtype in (
        ("squares", "three images of 8 × 12, squares of 4 × 4", (3, 8, 12), 4, False,
         torch.float64),
        ("training", "the model arrives in training mode", (5, 6, 4), 2, True, torch.float64),
        ("pixels", "squares of one pixel", (2, 3, 5), 1, False, torch.float64),
        ("single", "a single image", (1, 9, 6), 3, True, torch.float64),
        ("float32", "in float32", (2, 4, 10), 2, False, torch.float32),
    ):  # fmt: skip
        weights = {
            "layers.0.weight": drawn(rng, 3, 3, 1, 1), "layers.0.bias": drawn(rng, 3),
            "layers.1.weight": drawn(rng, 3), "layers.1.bias": drawn(rng, 3),
            "layers.1.running_mean": drawn(rng, 3),
            "layers.1.running_var": torch.tensor(rng.uniform(0.5, 2, 3).round(3)),
        }  # fmt: skip
        weights = {key: value.to(dtype) for key, value in weights.items()}
        weights["layers.1.num_batches_tracked"] = torch.tensor(2)
        x = torch.tensor(rng.uniform(0, 1, (N, 3, H, W)).round(3)).to(dtype)
        inputs = {"weights": weights, "x": x, "cell": cell, "training": training}
        yield name, about, inputs, 1, FLOAT32 if dtype is torch.float32 else MEAN_OF_SQUARES


def drawn(rng: np.random.RandomState, *shape: int) -> torch.Tensor:
    """Draw numbers with three decimals."""
    return torch.tensor(rng.randn(*shape).round(3))


def errors(weights: Tensors, x: torch.Tensor, cell: int, training: bool) -> Tensors:
    """Draw pixel by pixel in NumPy, in double precision, and average square by square."""
    w = {key: value.double().numpy() for key, value in weights.items()}
    X = x.double().numpy()
    z = np.einsum("oc,nchw->nohw", w["layers.0.weight"][..., 0, 0], X)
    z += (w["layers.0.bias"] - w["layers.1.running_mean"])[:, None, None]
    z *= (w["layers.1.weight"] / np.sqrt(w["layers.1.running_var"] + 1e-5))[:, None, None]
    drawing = 1 / (1 + np.exp(-z - w["layers.1.bias"][:, None, None]))
    N, _, H, W = X.shape
    maps = np.empty((N, H // cell, W // cell))
    for n, i, j in np.ndindex(maps.shape):
        square = np.s_[n, :, i * cell : (i + 1) * cell, j * cell : (j + 1) * cell]
        maps[n, i, j] = np.mean((X[square] - drawing[square]) ** 2)
    left = {"training_afterwards": number(training), "state_untouched": number(1)}
    return {"maps": torch.tensor(maps).to(x.dtype), "needs_gradient": number(0), **left}


STRUCTURE, MAPS = ("autoencoder_structure",), ("error_map_values",)
SQUARES = "squares = (model(x) - x).square().mean(dim=1, keepdim=True)  # (N, 1, H, W)"

MISTAKES = (
    Mistake(
        "not_between_0_and_1",
        "Autoencoder",
        {"self.decoder(code).sigmoid()": "self.decoder(code)"},
        STRUCTURE,
        0.5,
        "the drawings can leave the range 0…1, with these weights or with others that training may "
        "find. End decode with a sigmoid.",
    ),
    Mistake(
        "code_too_wide",
        "Autoencoder",
        {
            "widths = down(3, 16), down(16, 32), down(32, 64), down(64, 64)": (
                "widths = down(3, 16), down(16, 32), down(32, 64)"
            ),
            "up(32, 64), up(64, 32), up(32, 16), last": "up(32, 64), up(64, 16), last",
        },
        STRUCTURE,
        0.5,
        "the code is too wide: it could carry a defect through. An image has 3 · 96 · 96 numbers, "
        "its code may have a sixteenth of that.",
    ),
    Mistake(
        "goes_round_the_code",
        "Autoencoder",
        {"return self.decode(self.encode(x))": "return (self.decode(self.encode(x)) + x) / 2"},
        STRUCTURE,
        0.3,
        "something of the image goes round the code, and so does every defect. forward(x) is "
        "decode(encode(x)) and nothing else.",
    ),
    Mistake(
        "wide_and_round_the_code",
        "Autoencoder",
        {
            "widths = down(3, 16), down(16, 32), down(32, 64), down(64, 64)": (
                "widths = down(3, 16), down(16, 32), down(32, 64)"
            ),
            "up(32, 64), up(64, 32), up(32, 16), last": "up(32, 64), up(64, 16), last",
            "return self.decode(self.encode(x))": "return (self.decode(self.encode(x)) + x) / 2",
        },
        STRUCTURE,
        0.2,
        "two promises are broken: the code is wider than a sixteenth of the image's numbers, and "
        "something of the image goes round it. forward(x) is decode(encode(x)) and nothing else.",
    ),
    Mistake(
        "leaves_the_range_with_a_skip",
        "Autoencoder",
        {"return self.decode(self.encode(x))": "return self.decode(self.encode(x)) + x"},
        STRUCTURE,
        0.2,
        "the image is added to its drawing. So every defect goes round the code, and the result "
        "leaves 0…1. forward(x) is decode(encode(x)) and nothing else.",
    ),
    Mistake(
        "too_many_parameters",
        "Autoencoder",
        {
            "down(32, 64), down(64, 64)": "down(32, 256), down(256, 64)",
        },
        STRUCTURE,
        0.6,
        "there are more than 400,000 parameters. A convolution of k × k has k · k · inputs · "
        "outputs weights: use fewer channels.",
    ),
    Mistake(
        "half_the_size",
        "Autoencoder",
        {
            "up(32, 64), up(64, 32), up(32, 16), last": "up(32, 64), up(64, 16), last",
        },
        STRUCTURE,
        0.3,
        "the drawing has another size than the image. There are as many steps up as down.",
    ),
    Mistake(
        "layer_left_out",
        "Autoencoder",
        {
            "self.encoder = nn.Sequential(*widths, nn.Conv2d(64, 32, 1))": (
                "self.encoder = nn.Sequential(*widths, nn.Conv2d(64, 32, 1))\n"
                "        self.forgotten = nn.Linear(32, 32)"
            ),
        },
        STRUCTURE,
        0.6,
        "a layer that was made is not used: its parameters get no gradient. Call it, or take it "
        "out.",
    ),
    Mistake(
        "code_ignored",
        "Autoencoder",
        {"return self.decoder(code).sigmoid()": "return self.decoder(0 * code).sigmoid()"},
        STRUCTURE,
        0.1,
        "the drawing does not depend on the code: whatever the image, it is the same.",
    ),
    Mistake(
        "absolute_error",
        "error_maps",
        {".square()": ".abs()"},
        MAPS,
        0.4,
        "this is the absolute error. Square the differences.",
    ),
    Mistake(
        "summed_over_channels",
        "error_maps",
        {"mean(dim=1, keepdim=True)": "sum(dim=1, keepdim=True)"},
        MAPS,
        0.5,
        "the channels were added up: three times too much. Take their mean.",
    ),
    Mistake(
        "difference_of_means",
        "error_maps",
        {SQUARES: "squares = (model(x) - x).mean(dim=1, keepdim=True).square()"},
        MAPS,
        0.3,
        "the channels were averaged before squaring, so too much red and too little blue cancel. "
        "Square first.",
    ),
    Mistake(
        "largest_of_a_square",
        "error_maps",
        {"F.avg_pool2d": "F.max_pool2d"},
        MAPS,
        0.3,
        "the largest error of each square was taken. Take the mean.",
    ),
    Mistake(
        "root_of_the_error",
        "error_maps",
        {"F.avg_pool2d(squares, cell)[:, 0]": "F.avg_pool2d(squares, cell)[:, 0].sqrt()"},
        MAPS,
        0.5,
        "there is a root too many. The map is the mean of the squares itself.",
    ),
    Mistake(
        "drawn_in_training_mode",
        "error_maps",
        {"    model.eval()\n": ""},
        MAPS,
        0.5,
        "the model drew in the mode it came in, with dropout and the statistics of the batch. "
        "Call model.eval() first.",
    ),
    Mistake(
        "mode_not_restored",
        "error_maps",
        {"    model.train(was_training)\n": ""},
        MAPS,
        0.7,
        "the model is left in evaluation mode, and whoever trains on finds batch norm frozen. "
        "Put it back into the mode it came in.",
    ),
    Mistake(
        "always_training_afterwards",
        "error_maps",
        {"model.train(was_training)": "model.train()"},
        MAPS,
        0.7,
        "the model is in training mode afterwards, also if it was not before.",
    ),
    Mistake(
        "gradient_attached",
        "error_maps",
        {"with torch.no_grad():": "if True:"},
        MAPS,
        0.7,
        "the maps carry a gradient, and with it the memory of the whole network. Use "
        "torch.no_grad().",
    ),
)
