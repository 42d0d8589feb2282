"""Augmentation."""

from collections.abc import Iterator

import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check

CALLS = 600  # transforms at the ends of all bounds were refused in none of 13,000 simulations
STATISTICS = {
    "mirrored_half": 1, "upside_down": 0, "turned_far": 0, "rotated": 1, "turned_enough": 1,
    "all_are_rotated": 1, "perspective": 1, "perspective_too_strong": 0, "noise": 1,
    "noise_too_often": 0, "noise_too_strong": 0, "erased": 1, "erased_too_often": 0,
    "patches_too_large": 0, "patches_are_black": 1, "values_in_0_1": 1,
    "same_seed_same_result": 1, "other_seeds_differ": 1,
}  # fmt: skip


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
