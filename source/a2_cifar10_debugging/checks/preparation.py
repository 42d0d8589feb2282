"""Preparing images, and drawing weights as images."""

from collections.abc import Iterator

import numpy as np
import torch

from autograder.cases import FLOAT32, Tolerance
from autograder.checks import Check, Kind, public_and_hidden

Tensors = dict[str, torch.Tensor]
STATISTICS = Tolerance(3e-4, 1e-5)  # wide enough to divide by one less, for so many pixels


def preparation_checks(seed: int) -> Iterator[Check]:
    """Yield the checks of `image_statistics`, `prepare` and `weight_images`."""
    yield Check(
        name="statistics_values",
        title="mean image and standard deviation",
        records={"mean_image": "return.0", "std": "return.1"},
        cases=public_and_hidden(image_sets, seed),
        oracle=statistics,
        pure=True,
    )
    yield Check(
        name="prepare_values",
        title="images, centred, scaled and flattened",
        records={"X": "return"},
        cases=public_and_hidden(images_to_prepare, seed),
        oracle=prepared,
        pure=True,
    )
    yield Check(
        name="weight_image_values",
        title="weights as images",
        records={"images": "return"},
        cases=public_and_hidden(weights, seed),
        oracle=drawn_weights,
        pure=True,
    )


def draw_images(rng: np.random.RandomState, N: int, H: int, W: int, low: int = 0) -> torch.Tensor:
    """Draw images (N, 3, H, W) whose mean differs from pixel to pixel."""
    base = rng.randint(low, 200, size=(3, H, W))
    return torch.tensor((base + rng.randint(0, 56, size=(N, 3, H, W))).astype(np.uint8))


def image_sets(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield images to measure."""
    about = "30 images of 14 x 18 pixels"
    yield "many", about, {"images": draw_images(rng, 30, 14, 18)}, 2, STATISTICS
    yield "two", "2 images", {"images": draw_images(rng, 2, 24, 32)}, 1, STATISTICS
    about = "bright images: sums far above 255"
    yield "bright", about, {"images": draw_images(rng, 25, 16, 12, low=150)}, 1, STATISTICS


def statistics(images: torch.Tensor) -> Tensors:
    """Compute the mean image and standard deviation by NumPy, in double precision."""
    scaled = images.numpy().astype(np.float64) / 255
    mean = scaled.mean(axis=0)
    std = np.sqrt(np.mean((scaled - mean) ** 2))
    return {"mean_image": torch.tensor(mean).float(), "std": torch.tensor(std)}


def images_to_prepare(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield images with the statistics of others."""
    for name, about, size in (
        ("some", "5 images of 8 x 6 pixels", (5, 8, 6)),
        ("single", "a single image", (1, 6, 7)),
        ("square", "4 images of 32 x 32 pixels", (4, 32, 32)),
    ):
        images = draw_images(rng, *size)
        mean = torch.tensor(rng.uniform(0.3, 0.6, size=(3, *size[1:])).round(3)).float()
        std = round(rng.uniform(0.15, 0.35), 3)
        inputs = {"images": images, "mean_image": mean, "std": std}
        yield name, about, inputs, 1, Tolerance(1e-4, 1e-5)  # near 0, float32 rounds like that


def prepared(images: torch.Tensor, mean_image: torch.Tensor, std: float) -> Tensors:
    """Prepare by NumPy, in double precision."""
    X = (images.numpy().astype(np.float64) / 255 - mean_image.double().numpy()) / std
    return {"X": torch.tensor(X.reshape(len(images), -1)).float()}


def weights(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield weight matrices."""
    W = torch.tensor(rng.randn(3, 3072).round(3))
    W[1] += 5
    W[2] *= 0.1
    yield "three", "3 units of very different size", {"W": W}, 2
    inputs = {"W": 1e-7 * torch.tensor(rng.randn(2, 3072).round(3))}
    yield "tiny", "weights of 1e-7", inputs, 1, FLOAT32  # 1e-12 beside them does no harm
    yield "single", "1 unit, float32", {"W": torch.tensor(rng.randn(1, 3072)).float()}, 1, FLOAT32
    W = torch.tensor(rng.randn(2, 3072).round(3))
    W[0] = 0.25
    yield "constant", "a unit whose weights are all equal", {"W": W}


def drawn_weights(W: torch.Tensor) -> Tensors:
    """Draw each unit by itself, channel by channel."""
    images = np.zeros((len(W), 32, 32, 3))
    for image, row in zip(images, W.double().numpy(), strict=True):
        low, high = row.min(), row.max()
        for channel in range(3):
            plane = row[1024 * channel : 1024 * (channel + 1)].reshape(32, 32)
            image[:, :, channel] = (plane - low) / (high - low) if high > low else 0
    return {"images": torch.tensor(images).to(W.dtype)}
