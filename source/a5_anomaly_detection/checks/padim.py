"""PaDiM: a Gaussian at each place."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from autograder.cases import FLOAT32, FLOAT64, Tolerance
from autograder.checks import Check, Kind, Mistake, public_and_hidden

Tensors = dict[str, torch.Tensor]
FITTED = Tolerance(rtol=1e-6, atol=1e-9)
OFFSET = Tolerance(rtol=1e-3, atol=1e-4)  # float32, centred first: ten times better than this
DISTANCES = Tolerance(rtol=1e-6, atol=1e-8)
AT_THE_MEAN = Tolerance(FLOAT64.rtol, 1e-5)  # a root may have 1e-12 added under it
ILL_CONDITIONED = Tolerance(rtol=1e-4, atol=1e-8)  # the inverse of the covariance will do


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks; `seed` draws the hidden cases."""
    yield Check(
        name="gaussians_fit",
        title="a Gaussian at each place",
        records={"mean": "return.0", "factor": "return.1"},
        cases=public_and_hidden(feature_cases, seed),
        oracle=fitted,
        pure=True,
    )
    yield Check(
        name="gaussians_distance",
        title="distance to the Gaussian of the place",
        records={"distance": "return"},
        cases=public_and_hidden(distance_cases, seed),
        oracle=distances,
        pure=True,
    )


def correlated(rng: np.random.RandomState, N: int, C: int, H: int, W: int) -> torch.Tensor:
    """Draw features with another mean and another covariance at each place."""
    mixing = rng.randn(H, W, C, C) / np.sqrt(C) + 0.5 * np.eye(C)
    features = np.einsum("hwcd,ndhw->nchw", mixing, rng.randn(N, C, H, W))
    return torch.tensor((features + 2 * rng.randn(C, H, W)).round(3))


def feature_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield features and epsilon."""
    for name, about, size, epsilon in (
        ("plain", "11 images, 4 channels, 3 × 5 places", (11, 4, 3, 5), 0.3),
        ("few", "fewer images than channels: 4 and 7", (4, 7, 2, 3), 0.05),
        ("channel", "a single channel", (6, 1, 4, 3), 0.2),
        ("two", "two images, a row of 5 places", (2, 3, 1, 5), 0.4),
    ):
        features = correlated(rng, *size)
        yield name, about, {"features": features, "epsilon": epsilon}, 1, FITTED
    features = correlated(rng, 9, 5, 3, 2)
    features[:, 1], features[:, 3] = 0, features[:, 4]
    about = "one channel is 0 everywhere, two are equal"
    yield "dead", about, {"features": features, "epsilon": 0.1}, 1, FITTED
    means = torch.tensor(rng.uniform(300, 900, size=(3, 2, 4)).round(1))
    inputs = {"features": (correlated(rng, 24, 3, 2, 4) + means).float(), "epsilon": 0.25}
    yield "offset", "float32, means from 300 to 900", inputs, 3, OFFSET


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


def lower(rng: np.random.RandomState, H: int, W: int, C: int, least: float) -> torch.Tensor:
    """Draw lower triangular matrices, with a diagonal from `least` to 2."""
    matrices = np.tril(0.5 * rng.randn(H, W, C, C), -1)
    diagonal = np.exp(rng.uniform(np.log(least), np.log(2), size=(H, W, C)))
    return torch.tensor((matrices + diagonal[..., None] * np.eye(C)).round(6))


def distance_cases(rng: np.random.RandomState) -> Iterator[Kind]:
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
        yield name, about, inputs, 1, tolerance
    mean = torch.tensor((2 * rng.randn(3, 2, 2)).round(3))
    features = torch.stack([mean, mean + 1, mean - 30])
    features[1, :, 0, 1] = mean[:, 0, 1]
    inputs = {"features": features, "mean": mean, "factor": lower(rng, 2, 2, 3, 0.4)}
    yield "mean", "features equal to the mean, and far from it", inputs, 1, AT_THE_MEAN


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


FIT = partial(Mistake, cell="fit_gaussians", checks=("gaussians_fit",))
DISTANCE = partial(Mistake, cell="mahalanobis", checks=("gaussians_distance",))
CENTRED = "deviations = (features - mean).permute(2, 3, 1, 0)"
COVARIANCE = "covariance = deviations @ deviations.mT / (N - 1)"
EPSILON = "covariance = covariance + epsilon * torch.eye(C).to(features)"
FACTOR = "torch.linalg.cholesky(covariance)"
FROM_MEAN = "deviations = (features - mean).permute(2, 3, 1, 0)"
SOLVED = "torch.linalg.solve_triangular(factor, deviations, upper=False)"
LENGTH = "solved.square().sum(dim=2).sqrt()"
WIDTHS = "(factor @ factor.mT).diagonal(dim1=2, dim2=3)[..., None]"

MISTAKES: tuple[Mistake, ...] = (
    FIT(
        name="covariance_divided_by_n",
        change={"/ (N - 1)": "/ N"},
        share=0.7,
        hint="the covariance was divided by N. The sample covariance is divided by N − 1, since "
        "the mean was estimated from the same images.",
    ),
    FIT(
        name="covariance_not_divided",
        change={COVARIANCE: "covariance = deviations @ deviations.mT"},
        share=0.5,
        hint="the products were summed over the images and not divided by N − 1.",
    ),
    FIT(
        name="one_covariance_for_all_places",
        change={
            EPSILON: "covariance = covariance.mean(dim=(0, 1), keepdim=True).expand_as(covariance)"
            f"\n    {EPSILON}"
        },
        share=0.4,
        hint="every place has the same factor: the covariances were averaged over all places. "
        "PaDiM fits a Gaussian of its own at each place.",
    ),
    FIT(
        name="one_mean_for_all_places",
        change={
            "mean = features.mean(dim=0)": "mean = features.mean(dim=(0, 2, 3))[:, None, None]"
            ".repeat(1, *features.shape[2:])"
        },
        share=0.3,
        hint="the mean is the same at every place. Average over the images only: dim=0.",
    ),
    FIT(
        name="centred_by_image",
        change={CENTRED: CENTRED.replace("mean)", "features.mean(dim=(2, 3), keepdim=True))")},
        share=0.3,
        hint="from each image its own mean over the places was subtracted. Subtract the mean of "
        "the place over the images.",
    ),
    FIT(
        name="not_centred",
        change={CENTRED: CENTRED.replace("(features - mean)", "features")},
        share=0.4,
        hint="the products are of the features themselves. Subtract the mean first.",
    ),
    FIT(
        name="centred_too_late",
        change={
            CENTRED: "deviations = features.permute(2, 3, 1, 0)",
            COVARIANCE: "m = mean.permute(1, 2, 0)\n    covariance = (deviations @ deviations.mT "
            "- N * m[..., :, None] * m[..., None, :]) / (N - 1)",
        },
        share=0.6,
        hint="right as a formula, but E[x²] − E[x]² is the small difference of two large numbers: "
        "in float32, with means of 300 and more, few digits are left. Subtract the mean first.",
    ),
    FIT(
        name="epsilon_forgotten",
        change={EPSILON: "pass"},
        share=0.5,
        hint="epsilon has no effect. With fewer images than channels the covariance has no "
        "inverse: add epsilon to its diagonal.",
    ),
    FIT(
        name="epsilon_on_the_factor",
        change={EPSILON: "pass", FACTOR: f"{FACTOR} + epsilon * torch.eye(C).to(features)"},
        share=0.5,
        hint="epsilon was added to the factor. Add it to the covariance, before the factor is "
        "taken.",
    ),
    FIT(
        name="epsilon_everywhere",
        change={EPSILON: "covariance = covariance + epsilon"},
        share=0.5,
        hint="epsilon was added to all entries of the covariance. Add it to the diagonal: epsilon "
        "times the unit matrix.",
    ),
    FIT(
        name="upper_factor",
        change={FACTOR: f"{FACTOR}.mT.contiguous()"},
        share=0.6,
        hint="this is the upper factor, or the transposed one. L is lower triangular, with "
        "L Lᵀ = Σ.",
    ),
    FIT(
        name="covariance_itself",
        change={FACTOR: "covariance"},
        share=0.6,
        hint="this is the covariance itself. Return its Cholesky factor.",
    ),
    FIT(
        name="factor_of_the_inverse",
        change={FACTOR: "torch.linalg.cholesky(torch.linalg.inv(covariance))"},
        share=0.5,
        hint="this is the factor of the inverse of Σ. Take that of Σ: nothing need be inverted.",
    ),
    FIT(
        name="inverse_of_the_factor",
        change={FACTOR: f"torch.linalg.inv({FACTOR})"},
        share=0.5,
        hint="this is L⁻¹. Return L: mahalanobis solves with it.",
    ),
    FIT(
        name="variances_only",
        change={FACTOR: "torch.diag_embed(covariance.diagonal(dim1=2, dim2=3).sqrt())"},
        share=0.3,
        hint="only the diagonal of the covariance was used. How channels go together is what "
        "makes an unusual combination of usual values stand out.",
    ),
    FIT(
        name="places_transposed",
        change={CENTRED: CENTRED.replace("(2, 3,", "(3, 2,")},
        share=0.5,
        hint="height and width of the factor are swapped. It is (H, W, C, C).",
    ),
    DISTANCE(
        name="squared_distance",
        change={LENGTH: "solved.square().sum(dim=2)"},
        share=0.7,
        hint="this is the square of the distance. Take the root.",
    ),
    DISTANCE(
        name="euclidean_distance",
        change={SOLVED: "deviations"},
        share=0.2,
        hint="this is the Euclidean distance to the mean: the factor has no effect. Solve "
        "L z = x − μ, and take the length of z.",
    ),
    DISTANCE(
        name="divided_by_standard_deviations",
        change={SOLVED: f"deviations / {WIDTHS}.sqrt()"},
        share=0.3,
        hint="each channel was divided by its own standard deviation. Channels go together: solve "
        "with the whole factor.",
    ),
    DISTANCE(
        name="solved_with_the_transposed",
        change={SOLVED: "torch.linalg.solve_triangular(factor.mT, deviations, upper=True)"},
        share=0.5,
        hint="this is the solution of Lᵀ z = x − μ. Solve L z = x − μ, with L as it is.",
    ),
    DISTANCE(
        name="solved_with_half_a_factor",
        change={"upper=False": "upper=True"},
        share=0.4,
        hint="the factor was taken for an upper triangular matrix, so all but its diagonal was "
        "ignored. It is lower triangular: upper=False.",
    ),
    DISTANCE(
        name="multiplied_by_the_factor",
        change={SOLVED: "factor @ deviations"},
        share=0.3,
        hint="the deviation was multiplied by L. Solve L z = x − μ: what varies much should count "
        "less.",
    ),
    DISTANCE(
        name="factor_taken_for_the_covariance",
        change={LENGTH: "(deviations * torch.linalg.solve(factor, deviations)).sum(dim=2).sqrt()"},
        share=0.4,
        hint="dᵀ L⁻¹ d was computed, with the factor in the place of the covariance. Σ = L Lᵀ.",
    ),
    DISTANCE(
        name="averaged_over_channels",
        change={LENGTH: "solved.square().mean(dim=2).sqrt()"},
        share=0.6,
        hint="the squares were averaged over the channels. They are summed.",
    ),
    DISTANCE(
        name="mean_not_subtracted",
        change={FROM_MEAN: "deviations = features.permute(2, 3, 1, 0)"},
        share=0.3,
        hint="the mean was not subtracted from the features.",
    ),
    DISTANCE(
        name="regularised_again",
        change={SOLVED: "torch.linalg.solve_triangular(torch.linalg.cholesky(factor @ factor.mT "
                        "+ 0.01 * torch.eye(factor.shape[-1]).to(factor)), deviations, "
                        "upper=False)"},
        share=0.6,
        hint="something was added to the covariance once more. Epsilon is in the factor already.",
    ),
    DISTANCE(
        name="maps_transposed",
        change={"permute(2, 0, 1)": "permute(2, 1, 0)"},
        share=0.5,
        hint="height and width of the maps are swapped. They are (n, H, W).",
    ),
)  # fmt: skip
