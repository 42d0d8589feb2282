"""The autoencoder, and its error as a map."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import FLOAT32, Tolerance

MEAN_OF_SQUARES = Tolerance(rtol=1e-9, atol=1e-12)  # no float32 on the way
PROMISES = ("code_is_narrow", "between_0_and_1", "nothing_goes_round", "drawn_from_the_code",
            "codes_differ", "image_for_itself", "within_budget")  # fmt: skip
MAPS = "maps", "parts_in_training_mode", "state_untouched", "needs_gradient"


def image_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield a few coarse images in 0..1, the first and the last one different."""
    for name, about, N in (("four", "four images", 4), ("two", "two images", 2)):
        coarse = rng.uniform(0, 1, size=(N, 3, 6, 6)).round(2)
        yield case(name, about, images=torch.tensor(np.kron(coarse, np.ones((16, 16)))).float())


@check(
    "autoencoder_structure", "the rules for an autoencoder",
    {name: f"return.{name}" for name in ("shape", "unused_parameters", *PROMISES)}, image_cases,
)  # fmt: skip
def promised(images: torch.Tensor) -> Answers:
    """Say that every rule is kept."""
    kept = dict.fromkeys(PROMISES, 1)
    return {"shape": torch.tensor(images.shape), "unused_parameters": 0, **kept}


def error_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield weights of a tiny model, images, a cell and a mode."""
    for name, about, (N, H, W), cell, training, dtype in (
        ("squares", "three images of 8 × 12, squares of 4 × 4", (3, 8, 12), 4, False,
         torch.float64),
        ("training", "the model arrives in training mode", (5, 6, 4), 2, True, torch.float64),
        ("pixels", "squares of one pixel", (2, 3, 5), 1, False, torch.float64),
        ("single", "a single image", (1, 9, 6), 3, True, torch.float64),
        ("float32", "in float32", (2, 4, 10), 2, False, torch.float32),
    ):  # fmt: skip
        weights = {key: value.to(dtype) for key, value in draw_weights(rng).items()}
        weights["layers.1.num_batches_tracked"] = torch.tensor(2)
        x = torch.tensor(rng.uniform(0, 1, (N, 3, H, W)).round(3)).to(dtype)
        tolerance = FLOAT32 if dtype is torch.float32 else None
        inputs = {"weights": weights, "x": x, "cell": cell, "training": training}
        yield case(name, about, **inputs, tolerance=tolerance)


def draw_weights(rng: Draws) -> dict[str, torch.Tensor]:
    """Draw the weights of a 1 × 1 convolution and a batch norm, with three decimals."""
    drawn = {
        "layers.0.weight": rng.randn(3, 3, 1, 1), "layers.0.bias": rng.randn(3),
        "layers.1.weight": rng.randn(3), "layers.1.bias": rng.randn(3),
        "layers.1.running_mean": rng.randn(3), "layers.1.running_var": rng.uniform(0.5, 2, 3),
    }  # fmt: skip
    return {key: torch.tensor(value.round(3)) for key, value in drawn.items()}


@check(
    "error_map_values", "squared errors, as maps",
    {name: f"return.{name}" for name in MAPS}, error_cases, tolerance=MEAN_OF_SQUARES, pure=True,
)  # fmt: skip
def errors(
    weights: Mapping[str, torch.Tensor], x: torch.Tensor, cell: int, training: bool
) -> Answers:
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
    left = {"parts_in_training_mode": 6 * training, "state_untouched": 1, "needs_gradient": 0}
    return {"maps": torch.tensor(maps).to(x.dtype), **left}
