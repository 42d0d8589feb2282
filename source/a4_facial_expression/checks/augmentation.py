"""Augmentation, and the batches that it is applied to."""

from collections.abc import Iterator
from math import ceil

import numpy as np
import torch

from autograder.cases import Tolerance
from autograder.checks import Check, Kind, Mistake, number, public_and_hidden

Tensors = dict[str, torch.Tensor]
CALLS = 600  # a transform at the weak end of every bound is refused once in 10^7
IMAGES = Tolerance(rtol=1e-4, atol=2e-5)  # float32, and means of hundreds of images


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks of this part; `seed` draws the hidden cases."""
    names = ("mirrored_half", "upside_down", "turned_far", "rotated", "perspective", "noise",
             "erased", "values_in_0_1", "same_seed_same_result", "other_seeds_differ")  # fmt: skip
    yield Check(
        name="augmentation_statistics",
        title=f"what the augmentation does, over {CALLS} calls",
        records={name: f"return.{name}" for name in names},
        cases=public_and_hidden(probes, seed),
        oracle=statistics,
        pure=True,
    )
    names = ("batch_sizes", "images", "came_as_often_as_asked", "in_random_order",
             "batches_are_mixed", "same_seed_same_order", "other_seed_other_order",
             "groups_small_enough", "groups", "augmented_in_0_1",
             "one_batch_at_a_time")  # fmt: skip
    yield Check(
        name="training_batches_values",
        title="one epoch of batches",
        records={name: f"return.{name}" for name in names},
        cases=public_and_hidden(epochs, seed),
        oracle=epoch,
        pure=True,
    )


# Augmentation


def probes(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield ramps to the right and downwards, and a grey that no patch has."""
    low, high = rng.uniform(0.15, 0.2), rng.uniform(0.8, 0.85)
    ramp = torch.linspace(low, high, 48).expand(48, 48)
    images = torch.stack([ramp, ramp.T, torch.full((48, 48), 0.75)])[:, None]
    inputs = {"probes": images.contiguous(), "calls": CALLS}
    yield "ramps", f"two ramps and a grey image, {CALLS} calls", inputs


def statistics(probes: torch.Tensor, calls: int) -> Tensors:
    """Say what the task asks for."""
    wanted = ("mirrored_half", "rotated", "perspective", "noise", "erased", "values_in_0_1",
              "same_seed_same_result", "other_seeds_differ")  # fmt: skip
    return {name: number(1) for name in wanted} | {
        "upside_down": number(0),
        "turned_far": number(0),
    }


# Batches


def epochs(rng: np.random.RandomState) -> Iterator[Kind]:
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
        inputs = {"X": X, "y": y, "batch_size": batch_size, "augmented": augmented,
                  "weights": None, "group": group}  # fmt: skip
        yield name, about, inputs, 1, IMAGES
    # So many that a class comes a half more or less often than it should once in 10^9.
    kinds = rng.permutation(np.repeat([0, 1, 2], (280, 200, 120)))
    patterns = torch.tensor(rng.randint(0, 256, size=(3, 1, 2, 3)), dtype=torch.uint8)
    weights = torch.tensor([0.5, 1.0, 2.5], dtype=torch.float64)[kinds]
    inputs = {"X": patterns[kinds], "y": torch.tensor(kinds), "batch_size": 64, "augmented": True,
              "weights": weights, "group": 20}  # fmt: skip
    yield "weighted", "600 images of three classes, with weights", inputs, 2, IMAGES


def epoch(
    X: torch.Tensor, y: torch.Tensor, batch_size: int, augmented: bool,
    weights: torch.Tensor | None, group: int,
) -> Tensors:  # fmt: skip
    """Say what an epoch must have, by counting; images by NumPy, in double precision."""
    full, left = divmod(len(X), batch_size)
    sizes = [batch_size] * full + [left] * (left > 0)
    pixels = X.numpy() / 255
    pixels = ((1 - pixels if augmented else pixels) - 0.5) / 0.25
    mean = [pixels[y.numpy() == kind].mean(axis=0) for kind in sorted(set(y.tolist()))]
    groups = [ceil(size / group) for size in sizes] if augmented else [0]
    several = number(len(X) > 1)
    return {
        "batch_sizes": torch.tensor(sizes, dtype=torch.int16),
        "images": torch.tensor(np.stack(mean)).float(),
        "came_as_often_as_asked": torch.ones(len(mean), dtype=torch.int16),
        "in_random_order": several,
        "batches_are_mixed": several,
        "same_seed_same_order": number(1),
        "other_seed_other_order": several,
        "groups_small_enough": number(1),
        "groups": number(sum(groups)),
        "augmented_in_0_1": number(1),
        "one_batch_at_a_time": number(1),
    }


FLIP = "v2.RandomHorizontalFlip(p=0.5)"
ROTATION = "v2.RandomRotation(15, interpolation=v2.InterpolationMode.BILINEAR)"
PERSPECTIVE = "        v2.RandomPerspective(distortion_scale=0.2, p=0.5),\n"
NOISE = "        v2.RandomApply([v2.GaussianNoise(sigma=0.05)], p=0.2),\n"
ERASED = "v2.RandomErasing(p=0.25, scale=(0.02, 0.1))"
COMPOSED = "return v2.Compose(["
ORDER = "order = torch.randperm(len(X))"
BATCHES = "for rows in order.split(batch_size):"
DRAWN = "order = torch.tensor(list(torch.utils.data.WeightedRandomSampler(weights, len(X))))"
SCALED = "images = X[rows].float() / 255"
GROUPS = "images = torch.cat([augmentation(part) for part in images.split(group)])"
YIELDED = "yield normalise(images), y[rows]"


def augment(name: str, change: dict[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `make_augmentation`."""
    return Mistake(name, "make_augmentation", change, ("augmentation_statistics",), share, hint)


def batched(name: str, change: dict[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `training_batches`."""
    return Mistake(name, "training_batches", change, ("training_batches_values",), share, hint)


MISTAKES: tuple[Mistake, ...] = (
    augment("never_mirrored", {f"        {FLIP},\n": ""}, 0.6,
            "no image is mirrored, left and right. Half of them should be."),
    augment("always_mirrored", {FLIP: "v2.RandomHorizontalFlip(p=1.0)"}, 0.6,
            "all images are mirrored. Half of them should be: p=0.5."),
    augment("upside_down", {FLIP: f"{FLIP}, v2.RandomVerticalFlip()"}, 0.3,
            "faces are upside down. No test image is; mirror left and right only."),
    augment("flipped_the_wrong_way", {FLIP: "v2.RandomVerticalFlip(p=0.5)"}, 0.2,
            "images are mirrored upside down, and never left and right: that is "
            "RandomHorizontalFlip."),
    augment("any_angle", {"RandomRotation(15": "RandomRotation(180"}, 0.3,
            "images are rotated by any angle. A face is tilted by some degrees: at most 30."),
    augment("right_angles", {"RandomRotation(15": "RandomRotation(90"}, 0.3,
            "images are rotated by up to 90 degrees. A face is tilted by some degrees: at most "
            "30."),
    augment("not_rotated", {f"        {ROTATION},\n": ""}, 0.6,
            "images are not rotated, by hardly anything, or to one side only."),
    augment("no_perspective", {PERSPECTIVE: ""}, 0.7, "no image is seen in perspective."),
    augment("no_noise", {NOISE: ""}, 0.7, "no image has noise."),
    augment("nothing_erased", {f"        {ERASED},\n": ""}, 0.7,
            "nothing is ever erased, or not to black."),
    augment("mostly_erased", {ERASED: "v2.RandomErasing(p=1.0, scale=(0.5, 0.8))"}, 0.4,
            "most of what is to be seen is erased. A patch of 2 to 10 % of the area, in 20 to 50 % "
            "of the images."),
    augment("out_of_range", {"sigma=0.05": "sigma=0.05, clip=False"}, 0.6,
            "values leave 0…1: noise that is not clipped, or a patch that is not black."),
    augment("nothing_at_all", {COMPOSED: f"return v2.Identity()\n    {COMPOSED}"}, 0.0,
            "nothing happens to the images."),
    augment("chance_from_elsewhere",
            {COMPOSED: "import random\n\n    chance = random.Random()\n    " + COMPOSED
             + "v2.Lambda(lambda x: (torch.manual_seed(chance.randrange(10**9)), x)[1]),"},
            0.5, "the same seed gives another result each time: chance comes from somewhere else "
            "than torch."),
    augment("the_same_every_time",
            {COMPOSED: f"{COMPOSED}v2.Lambda(lambda x: (torch.manual_seed(0), x)[1]),"},
            0.1, "every call does the same to its images, whatever the seed."),
    batched("not_shuffled", {ORDER: "order = torch.arange(len(X))"}, 0.4,
            "the samples come in the order in which they are stored. Draw an order for each "
            "epoch."),
    batched("only_batches_shuffled",
            {ORDER: "order = torch.arange(len(X))",
             BATCHES: "parts = order.split(batch_size)\n"
             "    for rows in [parts[i] for i in torch.randperm(len(parts))]:"},
            0.5, "each batch holds neighbours of the list. Shuffle the samples, then batch them."),
    batched("labels_left_behind", {"y[rows]": "y[rows.sort().values]"}, 0.2,
            "labels do not belong to their images. Take both by the same row numbers."),
    batched("last_batch_dropped",
            {BATCHES: "whole = max(len(X) // batch_size, 1) * batch_size\n"
             "    for rows in order[:whole].split(batch_size):"}, 0.5,
            "the last batch is missing where it is smaller than the others."),
    batched("not_scaled", {SCALED: "images = X[rows].float()"}, 0.4,
            "the images are still in 0…255 when they are augmented or normalised. Divide by 255."),
    batched("not_normalised", {YIELDED: "yield images, y[rows]"}, 0.5,
            "the images are not normalised."),
    batched("normalised_before_augmenting",
            {SCALED: "images = normalise(X[rows].float() / 255)", YIELDED: "yield images, y[rows]"},
            0.5, "the images were normalised before they were augmented. An augmentation expects "
            "0…1: black patches would be grey ones, and noise would be clipped."),
    batched("not_augmented", {GROUPS: "pass"}, 0.4, "the augmentation is not used."),
    batched("augmented_at_once", {GROUPS: "images = augmentation(images)"}, 0.5,
            "the whole batch goes through the augmentation in one call, so all of its images are "
            "tilted by the same angle. Use groups of at most `group`."),
    batched("augmented_one_by_one", {"images.split(group)": "images.split(1)"}, 0.7,
            "each image goes through the augmentation by itself, which is right and slow. Use "
            "groups of `group`."),
    batched("always_groups_of_ten", {"images.split(group)": "images.split(10)"}, 0.7,
            "the groups are always of ten images. Use the argument."),
    batched("augmented_first",
            {BATCHES: f"X = X.float() / 255\n    if augmentation is not None:\n        "
             f"{GROUPS.replace('images', 'X')}\n    augmentation = None\n    {BATCHES}",
             SCALED: "images = X[rows]"}, 0.5,
            "all images were augmented before the first batch was yielded. Prepare a batch when it "
            "is asked for."),
    batched("weights_ignored", {DRAWN: ORDER}, 0.5,
            "with weights, each sample still came once: they were ignored, or the samples were "
            "drawn without replacement. Draw N samples with replacement, by weight."),
    batched("weights_upside_down", {"Sampler(weights,": "Sampler(1 / weights,"}, 0.5,
            "the samples with the smaller weights came more often."),
    batched("weights_squared", {"Sampler(weights,": "Sampler(weights**2,"}, 0.6,
            "the weights were not used in proportion: those of large weight came too often."),
    batched("numpys_chance",
            {ORDER: "import numpy\n\n        chance = numpy.random.RandomState()\n"
             "        order = torch.from_numpy(chance.permutation(len(X)))"}, 0.7,
            "after torch.manual_seed the order is another one each time: chance does not come "
            "from torch's global generator."),
    batched("one_order_for_ever",
            {ORDER: "chance = torch.Generator().manual_seed(0)\n"
             "        order = torch.randperm(len(X), generator=chance)"}, 0.5,
            "every epoch has the same order, whatever the seed. Use torch's global generator."),
)  # fmt: skip
