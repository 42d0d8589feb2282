"""What an augmentation does, by its statistics on ramps and on a flat grey image."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

Augmentation = Callable[[torch.Tensor], torch.Tensor]


def slopes(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Measure how images (T, 1, 48, 48) rise in the middle: to the right, and downwards."""
    middle = F.avg_pool2d(images[:, 0, 8:-8, 8:-8], 5, stride=1)  # (T, 28, 28), less noisy
    return middle[:, :, 8:] - middle[:, :, :-8], middle[:, 8:] - middle[:, :-8]


def median(values: torch.Tensor) -> torch.Tensor:
    """Compute the median of each image."""
    return values.flatten(1).median(dim=1).values


def perspective(rise: torch.Tensor) -> torch.Tensor:
    """Measure for each ramp how its slopes (T, 28, 20) differ between its halves."""
    rise = rise.abs()
    halves = (rise[:, :14], rise[:, 14:]), (rise[:, :, :10], rise[:, :, 10:])
    ratios = [(median(one) / median(other)).log().abs() for one, other in halves]
    return torch.maximum(*ratios)


def seeded(
    make_augmentation: Callable[[], Augmentation], seed: int, probes: torch.Tensor
) -> torch.Tensor:
    """Augment with the random numbers of a seed."""
    torch.manual_seed(seed)
    return make_augmentation()(probes)


def what_flat_images_show(
    images: torch.Tensor, grey: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Measure for each flat image (T, 1, 48, 48) how its middle, of 576 pixels, differs from grey.

    The darkest place of 5 x 5 pixels, the number of dark pixels, and the strength of the noise.
    """
    middle = images[:, 0, 12:-12, 12:-12]
    darkest = F.avg_pool2d(middle, 5, stride=1).flatten(1).amin(dim=1)
    dark = (middle < grey / 2).flatten(1).sum(dim=1)
    noise = 1.48 * median((middle - median(middle)[:, None, None]).abs())  # standard deviation
    return darkest, dark, noise


def undisturbed(ramps: torch.Tensor) -> torch.Tensor:
    """Say for each ramp (T, 1, 48, 48) whether its middle has neither noise nor a dark patch."""
    middle = ramps[:, 0, 12:-12, 12:-12]
    rough = median((middle[:, 1:-1, 1:-1] - F.avg_pool2d(middle, 3, stride=1)).abs())
    return (rough < 5e-3) & ((middle < 0.1).flatten(1).sum(dim=1) < 5)


def at_least(values: torch.Tensor) -> torch.Tensor:
    """Compute a lower bound of the mean of random values, wrong once in 30,000 times."""
    return values.mean() - 4 * values.std() / len(values) ** 0.5


def share_of(which: torch.Tensor) -> float:
    """Compute the share of what is true, 0 of nothing."""
    return which.double().sum().item() / max(len(which), 1)


def try_augmentation(
    make_augmentation: Callable[[], Augmentation], probes: torch.Tensor, calls: int
) -> dict[str, int]:
    """Describe an augmentation by its statistics on ramps to the right and downwards, and grey."""
    augmentation = make_augmentation()
    outputs = [augmentation(probes) for _ in range(calls)]
    if outputs[0].shape != probes.shape or outputs[0].dtype != probes.dtype:
        raise ValueError(f"the result is {tuple(outputs[0].shape)} of {outputs[0].dtype}")
    outputs = torch.stack(outputs)
    lowest, highest = outputs.aminmax()
    to_the_right, downwards, flat = outputs.unbind(dim=1)
    grey = probes[2].mean()
    darkest, dark, noise = what_flat_images_show(flat, grey)
    patch, noisy = darkest < grey - 0.12, noise > 1.5e-3
    clean = [~patch & ~noisy & undisturbed(ramps) for ramps in (to_the_right, downwards)]
    few = min(map(sum, clean)) < 60  # too often noise or patches: nothing can be said about others
    rise, _ = slopes(to_the_right)
    mirrored = share_of(median(rise) < 0)
    strengths = perspective(rise)[clean[0]]
    seen = strengths[strengths > 0.01]
    right, down = map(median, slopes(downwards))
    turned = torch.atan2(right, down).rad2deg()
    angle = turned.abs()
    tilt = torch.minimum(angle, 180 - angle)[clean[1] | few]  # upside down or not
    largest = tilt.quantile(0.95)
    results = [seeded(make_augmentation, seed, probes) for seed in (1, 1, *range(2, 12))]
    others = [not torch.equal(results[0], result) for result in results[2:]]
    return {
        "mirrored_half": int(mirrored > 0.35) + int(mirrored > 0.65),  # 0 never, 1 half, 2 always
        "upside_down": int(share_of(angle > 135) > 0.1),
        "turned_far": int(largest > 35),
        "rotated": int(min(share_of(turned > 6), share_of(turned < -6)) > 0.05),  # to both sides
        "turned_enough": int(largest > 8.6),
        "all_are_rotated": int(share_of(tilt < 0.5) < 0.15),
        "perspective": int(few or len(seen) > 0.04 * len(strengths)),
        "perspective_too_strong": int(len(seen) > 9 and at_least(seen) > 0.064),
        "noise": int(share_of(noisy) > 0.12),
        "noise_too_often": int(share_of(noisy) > 0.65),
        "noise_too_strong": int(share_of(noise[noisy] > 0.13) > 0.5),
        "erased": int(share_of(patch) > 0.04),
        "erased_too_often": int(share_of(patch) > 0.6),
        "patches_too_large": int(share_of(dark[patch] > 270) > 0.02),
        "patches_are_black": int(darkest.min() < 0.15),
        "values_in_0_1": int(lowest > -1e-4 and highest < 1 + 1e-4),
        "same_seed_same_result": int(torch.equal(results[0], results[1])),
        "other_seeds_differ": int(sum(others) > 5),
    }
