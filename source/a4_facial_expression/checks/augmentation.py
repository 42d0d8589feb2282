"""Augmentation, and the batches that it is applied to."""

from collections.abc import Iterator
from math import ceil

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance

CALLS = 600  # transforms at the ends of all bounds were refused in none of 13,000 simulations
IMAGES = Tolerance(rtol=1e-4, atol=2e-5)  # float32, and means of hundreds of images
STATISTICS = {
    "mirrored_half": 1, "upside_down": 0, "turned_far": 0, "rotated": 1, "turned_enough": 1,
    "all_are_rotated": 1, "perspective": 1, "perspective_too_strong": 0, "noise": 1,
    "noise_too_often": 0, "noise_too_strong": 0, "erased": 1, "erased_too_often": 0,
    "patches_too_large": 0, "patches_are_black": 1, "values_in_0_1": 1,
    "same_seed_same_result": 1, "other_seeds_differ": 1,
}  # fmt: skip
OF_AN_EPOCH = (
    "batch_sizes", "images", "came_as_often_as_asked", "in_random_order", "batches_are_mixed",
    "same_seed_same_order", "other_seed_other_order", "groups_small_enough", "groups",
    "augmented_in_0_1", "one_batch_at_a_time",
)  # fmt: skip


# Augmentation


def probe_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield ramps to the right and downwards, and a grey that no patch has."""
    low, high = rng.uniform(0.15, 0.2), rng.uniform(0.8, 0.85)
    ramp = torch.linspace(low, high, 48).expand(48, 48)
    images = torch.stack([ramp, ramp.T, torch.full((48, 48), 0.75)])[:, None]
    about = f"two ramps and a grey image, {CALLS} calls"
    yield case("ramps", about, probes=images.contiguous(), calls=CALLS)


@check(
    "augmentation_statistics", f"what the augmentation does, over {CALLS} calls",
    {name: f"return.{name}" for name in STATISTICS}, probe_cases, pure=True,
)  # fmt: skip
def statistics(probes: torch.Tensor, calls: int) -> Answers:
    """Say what the task asks for."""
    return STATISTICS


# Batches


def epoch_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield images and labels, all different but where weights are given, and how to batch them."""
    for name, about, N, size, batch_size, group, augmented in (
        ("plain", "23 images in batches of 5", 23, (4, 6), 5, 10, False),
        ("augmented", "31 images in batches of 12, groups of 5", 31, (5, 3), 12, 5, True),
        ("whole", "24 images in batches of 8, groups of 8", 24, (3, 4), 8, 8, True),
        ("small_batches", "26 images in batches of 4, groups of 10", 26, (2, 5), 4, 10, True),
        ("single", "a single image", 1, (4, 3), 4, 10, True),
    ):
        X = torch.tensor(rng.randint(0, 256, size=(N, 1, *size)), dtype=torch.uint8)
        y = torch.tensor(rng.permutation(N))
        yield case(name, about, X=X, y=y, batch_size=batch_size, augmented=augmented, weights=None,
                   group=group)  # fmt: skip
    # So many that a class comes a half more or less often than it should once in 10^9.
    kinds = rng.permutation(np.repeat([0, 1, 2], (280, 200, 120)))
    patterns = torch.tensor(rng.randint(0, 256, size=(3, 1, 2, 3)), dtype=torch.uint8)
    weights = torch.tensor([0.5, 1.0, 2.5], dtype=torch.float64)[kinds]
    yield case("weighted", "600 images of three classes, with weights", 2, X=patterns[kinds],
               y=torch.tensor(kinds), batch_size=64, augmented=True, weights=weights,
               group=20)  # fmt: skip


@check(
    "training_batches_values", "one epoch of batches",
    {name: f"return.{name}" for name in OF_AN_EPOCH}, epoch_cases, tolerance=IMAGES, pure=True,
)  # fmt: skip
def epoch(
    X: torch.Tensor, y: torch.Tensor, batch_size: int, augmented: bool,
    weights: torch.Tensor | None, group: int,
) -> Answers:  # fmt: skip
    """Say what an epoch must have, by counting; images by NumPy, in double precision."""
    full, left = divmod(len(X), batch_size)
    sizes = [batch_size] * full + [left] * (left > 0)
    pixels = X.numpy() / 255
    pixels = ((1 - pixels if augmented else pixels) - 0.5) / 0.25
    mean = [pixels[y.numpy() == kind].mean(axis=0) for kind in sorted(set(y.tolist()))]
    several = len(X) > 1
    return dict.fromkeys(OF_AN_EPOCH, 1) | {
        "batch_sizes": torch.tensor(sizes, dtype=torch.int16),
        "images": torch.tensor(np.stack(mean)).float(),
        "came_as_often_as_asked": torch.ones(len(mean), dtype=torch.int16),
        "in_random_order": several,
        "batches_are_mixed": several,
        "other_seed_other_order": several,
        "groups": sum(ceil(size / group) for size in sizes) if augmented else 0,
    }
