"""The card of a category on disk, and a split that leaks nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance

SHARES = Tolerance(rtol=1e-5, atol=1e-9)  # a mean of shares, in float32 as well
MANY = 64  # seeds in a row: then images that never move are counted
VALUES = "keys_of_images", "images", "heights", "widths", "keys_of_covered", "covered"
PROMISES = ("int64_tensors", "sorted", "each_image_once", "groups_together", "kinds_on_both_sides",
            "close_to_share", "same_seed_same_split", "other_seeds_other_splits",
            "images_that_never_move", "pairs_always_apart")  # fmt: skip


# The card


def category_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield categories: how many images of each split and class, and whether they are colour."""
    for name, about, numbers, channels, weight in (
        ("sizes", "colour images of several sizes",
         {"train/good": 4, "test/good": 2, "test/crack": 3, "test/hole": 2}, 3, 2),
        ("grey", "grey images; a class with one image, and one whose name begins like another",
         {"train/good": 3, "test/good": 3, "test/broken": 1, "test/broken_large": 4}, 1, 2),
        ("one_kind", "a single type of defect",
         {"train/good": 2, "test/good": 1, "test/defective": 5}, 3, 1),
    ):  # fmt: skip
        sizes, masks = draw_category(rng, numbers, channels)
        yield case(name, about, weight, sizes=sizes, masks=masks)


def draw_category(
    rng: Draws, numbers: Mapping[str, int], channels: int
) -> tuple[dict[str, list[int]], dict[str, torch.Tensor]]:
    """Draw a size for each image, and a mask for each defective one.

    The images of the test set are the smallest and the widest, those of the training set the
    highest and the narrowest.
    """
    sizes, masks = {}, {}
    for part, count in numbers.items():
        split, kind = part.split("/")
        for place in range(count):
            place += (place > 0 and part == "test/good") or place > 1  # numbers are missing
            high, wide = ((17, 30), (29, 41)) if split == "test" else ((30, 52), (13, 28))
            height, width = int(rng.randint(*high)), int(rng.randint(*wide))
            sizes[f"{part}/{place:03}"] = [height, width, channels]
            if kind != "good":
                masks[f"{kind}/{place:03}"] = draw_mask(rng, height, width)
    return sizes, masks


def draw_mask(rng: Draws, height: int, width: int) -> torch.Tensor:
    """Draw the mask of a rectangular defect, which is large in small images."""
    rows = rng.randint(9, 14) if height < 23 else rng.randint(3, 7)
    columns = rng.randint(4, 20)
    mask = np.zeros((height, width), np.uint8)
    top, left = rng.randint(height - rows), rng.randint(width - columns)
    mask[top : top + rows, left : left + columns] = 255
    mask[top, left : left + columns] = rng.randint(1, 128)  # not all are 255
    mask[top, left] = 1
    return torch.tensor(mask)


@check(
    "card_values", "what a category has on disk", {name: f"return.{name}" for name in VALUES},
    category_cases, tolerance=SHARES,
)  # fmt: skip
def described(sizes: Mapping[str, Sequence[int]], masks: Mapping[str, torch.Tensor]) -> Answers:
    """Say what was drawn, without a file."""
    images = Counter(name.rpartition("/")[0] for name in sizes)
    shares = {}
    for name, mask in masks.items():
        share = torch.count_nonzero(mask).item() / mask.numel()
        shares.setdefault(name.partition("/")[0], []).append(share)
    means = [sum(shares[kind]) / len(shares[kind]) for kind in sorted(shares)]
    heights, widths, _ = (sorted(values) for values in zip(*sizes.values(), strict=True))
    return {
        "keys_of_images": 1,
        "images": torch.tensor([images[part] for part in sorted(images)]),
        "heights": torch.tensor([heights[0], heights[-1]]),
        "widths": torch.tensor([widths[0], widths[-1]]),
        "keys_of_covered": 1,
        "covered": torch.tensor(means, dtype=torch.float64),
    }


# The split


def split_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield classes and groups: `sizes` are those of the groups of each class."""
    several = [[3, 1, 4, 2, 2, 5], [6, 1, 1], [2, 7], [4, 3, 3, 1, 1, 2, 4], [5]]
    two_and_many = [[1, 1], [1] * 21]  # in this order: of the two, much is left to make up for
    uneven = [[3] * 12 + [1] * 12, [1, 12, 1, 1], [4] * 11 + [1] * 13]
    for name, about, sizes, share, times, weight in (
        ("parts", "five classes; one with two groups, and one with a single one", several, 0.5, 8,
         2),
        ("most", "80 % on the first side", several, 0.8, 8, 2),
        ("uneven", "large groups and single images", uneven, 0.5, 24, 2),
        ("images", f"every image a group of its own, {MANY} seeds", [[1] * n for n in (6, 9, 14)],
         0.45, MANY, 2),
        ("pairs", "a class with two images", [[1] * 11, [1, 1], [1] * 8], 0.1, 8, 1),
        ("single", "one image", [[1]], 0.5, 3, 1),
        ("few_left", "two images and 21, a tenth of them on the second side", two_and_many, 0.9, 8,
         1),
        ("few_taken", "two images and 21, a tenth of them on the first side", two_and_many, 0.1, 8,
         1),
    ):  # fmt: skip
        y, groups = draw_groups(rng, sizes)
        seed = int(rng.randint(1000))
        yield case(name, about, weight, y=y, groups=groups, share=share, seed=seed, times=times)


def draw_groups(rng: Draws, sizes: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw the class, in the order of `sizes`, and the group of each image, in random order."""
    counts = [sum(groups) for groups in sizes]
    kinds = np.sort(rng.choice(20, size=len(sizes), replace=False))  # any numbers
    names = rng.choice(900, size=sum(map(len, sizes)), replace=False) + 17
    order = rng.permutation(sum(counts))
    y = np.repeat(kinds, counts)[order]
    groups = np.repeat(names, np.concatenate(sizes))[order]
    return torch.tensor(y), torch.tensor(groups)


@check(
    "split_values", "properties of a stratified split by groups",
    {name: f"return.{name}" for name in PROMISES}, split_cases, pure=True,
)  # fmt: skip
def promised(y: torch.Tensor, groups: torch.Tensor, share: float, seed: int, times: int) -> Answers:
    """Say that the split has every property."""
    return dict.fromkeys(PROMISES, 1) | {"images_that_never_move": 0, "pairs_always_apart": 0}
