"""PaDiM: a Gaussian at each place."""

from collections.abc import Iterator

import numpy as np
import torch

from autograder.authoring.checks import Draws, Sketch, case, check
from autograder.notebook.cases import FLOAT32, FLOAT64, Tolerance

Tensors = dict[str, torch.Tensor]
FITTED = Tolerance(rtol=1e-9, atol=1e-12)  # no float32 on the way
OFFSET = Tolerance(rtol=1e-3, atol=1e-4)  # float32, centred first: ten times better than this
DISTANCES = Tolerance(rtol=1e-9, atol=1e-12)  # nor here
AT_THE_MEAN = Tolerance(FLOAT64.rtol, 1e-5)  # a root may have 1e-12 added under it
ILL_CONDITIONED = Tolerance(rtol=1e-6, atol=1e-8)  # the inverse of the covariance will do


def correlated(rng: Draws, N: int, C: int, H: int, W: int) -> torch.Tensor:
    """Draw features with another mean and another covariance at each place."""
    mixing = rng.randn(H, W, C, C) / np.sqrt(C) + 0.5 * np.eye(C)
    features = np.einsum("hwcd,ndhw->nchw", mixing, rng.randn(N, C, H, W))
    return torch.tensor((features + 2 * rng.randn(C, H, W)).round(3))


def feature_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield features and epsilon."""
    for name, about, size, epsilon in (
        ("plain", "11 images, 4 channels, 3 × 5 places", (11, 4, 3, 5), 0.3),
        ("few", "fewer images than channels: 4 and 7", (4, 7, 2, 3), 0.05),
        ("channel", "a single channel", (6, 1, 4, 3), 0.2),
        ("two", "two images, a row of 5 places", (2, 3, 1, 5), 0.4),
    ):
        features = correlated(rng, *size)
        yield case(name, about, features=features, epsilon=epsilon)
    features = correlated(rng, 9, 5, 3, 2)
    features[:, 1], features[:, 3] = 0, features[:, 4]
    yield case("dead", "one channel is 0 everywhere, two are equal", features=features, epsilon=0.1)
    means = torch.tensor(rng.uniform(300, 900, size=(3, 2, 4)).round(1))
    features = (correlated(rng, 24, 3, 2, 4) + means).float()
    about = "float32, means from 300 to 900"
    yield case("offset", about, 3, features=features, epsilon=0.25, tolerance=OFFSET)


@check(
    "gaussians_fit", "a Gaussian at each place", {"mean": "return.0", "factor": "return.1"},
    feature_cases, tolerance=FITTED, pure=True,
)  # fmt: skip
def fitted(features: torch.Tensor, epsilon: float) -> Tensors:
    """Let NumPy fit, place by place, in double precision."""
    values = features.double().numpy()
    N, C, H, W = values.shape
    factor = np.zeros((H, W, C, C))
    for h, w in np.ndindex(H, W):
        covariance = np.cov(values[:, :, h, w], rowvar=False).reshape(C, C)
        factor[h, w] = np.linalg.cholesky(covariance + epsilon * np.eye(C))
    mean = np.array([[np.mean(values[:, c], axis=0)] for c in range(C)]).reshape(C, H, W)
    found = {"mean": mean, "factor": factor}
    return {name: torch.tensor(value).to(features.dtype) for name, value in found.items()}


def lower(rng: Draws, H: int, W: int, C: int, least: float) -> torch.Tensor:
    """Draw lower triangular matrices, with a diagonal from `least` to 2."""
    matrices = np.tril(0.5 * rng.randn(H, W, C, C), -1)
    diagonal = np.exp(rng.uniform(np.log(least), np.log(2), size=(H, W, C)))
    return torch.tensor((matrices + diagonal[..., None] * np.eye(C)).round(6))


def distance_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield features, means and factors."""
    for name, about, (n, C, H, W), least, tolerance in (
        ("plain", "6 images, 4 channels, 3 × 5 places", (6, 4, 3, 5), 0.4, DISTANCES),
        ("single", "a single image", (1, 5, 2, 3), 0.4, DISTANCES),
        ("channel", "a single channel", (5, 1, 4, 3), 0.4, DISTANCES),
        ("narrow", "Gaussians a thousand times as wide as they are high", (4, 3, 3, 2), 0.002,
         ILL_CONDITIONED),
        ("float32", "float32", (7, 3, 2, 4), 0.5, Tolerance(1e-3, FLOAT32.atol)),
    ):  # fmt: skip
        mean = torch.tensor((2 * rng.randn(C, H, W)).round(3))
        features = mean + torch.tensor((1.5 * rng.randn(n, C, H, W)).round(3))
        inputs = {"features": features, "mean": mean, "factor": lower(rng, H, W, C, least)}
        if name == "float32":
            inputs = {key: value.float() for key, value in inputs.items()}
        yield case(name, about, **inputs, tolerance=tolerance)
    mean = torch.tensor((2 * rng.randn(3, 2, 2)).round(3))
    features = torch.stack([mean, mean + 1, mean - 30])
    features[1, :, 0, 1] = mean[:, 0, 1]
    inputs = {"features": features, "mean": mean, "factor": lower(rng, 2, 2, 3, 0.4)}
    about = "features equal to the mean, and far from it"
    yield case("mean", about, **inputs, tolerance=AT_THE_MEAN)


@check(
    "gaussians_distance", "distance to the Gaussian of the place", {"distance": "return"},
    distance_cases, pure=True,
)  # fmt: skip
def distances(features: torch.Tensor, mean: torch.Tensor, factor: torch.Tensor) -> Tensors:
    """Substitute forward, number by number, in double precision."""
    x, m, L = (value.double().numpy() for value in (features, mean, factor))
    n, C, H, W = x.shape
    found = np.zeros((n, H, W))
    for h, w in np.ndindex(H, W):
        rest = (x - m)[:, :, h, w].copy()
        for c in range(C):
            solved = rest[:, c] / L[h, w, c, c]
            rest -= solved[:, None] * L[h, w, :, c]
            found[:, h, w] = np.hypot(found[:, h, w], solved)
    return {"distance": torch.tensor(found).to(features.dtype)}
