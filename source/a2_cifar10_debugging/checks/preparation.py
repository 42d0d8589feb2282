"""Preparing images."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance

STATISTICS = Tolerance(3e-4, 1e-5)  # for sums in float32
PREPARED = Tolerance(1e-4, 1e-5)  # near 0, float32 rounds like that


def draw_images(
    rng: Draws, N: int, H: int, W: int, low: int = 0, spread: Sequence[int] = (56, 56, 56)
) -> torch.Tensor:
    """Draw images (N, 3, H, W) whose mean differs from pixel to pixel, and `spread` by channel."""
    base = rng.randint(low, 200, size=(3, H, W))
    noise = rng.randint(0, np.reshape(spread, (3, 1, 1)), size=(N, 3, H, W))
    return torch.tensor((base + noise).astype(np.uint8))


def statistics_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield images to measure."""
    yield case("many", "30 images of 14 x 18 pixels", 2, images=draw_images(rng, 30, 14, 18))
    yield case("two", "2 images", images=draw_images(rng, 2, 24, 32))
    images = draw_images(rng, 25, 16, 12, low=150)
    yield case("bright", "bright images: sums far above 255", images=images)
    images = draw_images(rng, 4, 5, 4, spread=(6, 25, 56))
    yield case("channels", "4 images of 5 x 4 pixels: blue varies most", images=images)
    yield case("few", "3 images of 2 x 3 pixels", images=draw_images(rng, 3, 2, 3))


@check(
    "statistics_values", "mean image and standard deviation",
    {"mean_image": "return.0", "std": "return.1"}, statistics_cases, tolerance=STATISTICS,
    pure=True,
)  # fmt: skip
def statistics(images: torch.Tensor) -> Answers:
    """Compute the mean image and standard deviation with NumPy, in double precision."""
    scaled = images.numpy().astype(np.float64) / 255
    mean = scaled.mean(axis=0)
    return {"mean_image": torch.tensor(mean).float(), "std": np.sqrt(np.mean((scaled - mean) ** 2))}


def prepare_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield images with the statistics of others."""
    for name, about, size in (
        ("some", "5 images of 8 x 6 pixels", (5, 8, 6)),
        ("single", "a single image", (1, 6, 7)),
        ("square", "4 images of 32 x 32 pixels", (4, 32, 32)),
    ):
        images = draw_images(rng, *size)
        mean = torch.tensor(rng.uniform(0.3, 0.6, size=(3, *size[1:])).round(3)).float()
        std = round(rng.uniform(0.15, 0.35), 3)
        yield case(name, about, images=images, mean_image=mean, std=std)


@check(
    "prepare_values", "images, centred, scaled and flattened", {"X": "return"}, prepare_cases,
    tolerance=PREPARED, pure=True,
)  # fmt: skip
def prepared(images: torch.Tensor, mean_image: torch.Tensor, std: float) -> Answers:
    """Prepare with NumPy, in double precision."""
    X = (images.numpy().astype(np.float64) / 255 - mean_image.double().numpy()) / std
    return {"X": torch.tensor(X.reshape(len(images), -1)).float()}
