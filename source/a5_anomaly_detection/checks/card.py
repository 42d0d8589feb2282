"""The card of a category on disk, and a split that leaks nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from autograder.cases import Tolerance
from autograder.checks import Check, Kind, Mistake, number, public_and_hidden

Tensors = dict[str, torch.Tensor]
SHARES = Tolerance(rtol=1e-5, atol=1e-9)  # a mean of shares, in float32 as well
MANY = 64  # seeds in a row: then images that never move are counted
PROMISES = ("int64_tensors", "sorted", "each_image_once", "groups_together", "kinds_on_both_sides",
            "close_to_share", "same_seed_same_split", "other_seeds_other_splits",
            "images_that_never_move", "pairs_always_apart")  # fmt: skip


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks of this part; `seed` draws the hidden cases."""
    names = ("keys_of_images", "images", "heights", "widths", "keys_of_covered", "covered")
    yield Check(
        name="card_values",
        title="what a category has on disk",
        records={name: f"return.{name}" for name in names},
        cases=public_and_hidden(categories, seed),
        oracle=described,
    )
    yield Check(
        name="split_values",
        title="what a stratified split by groups promises",
        records={name: f"return.{name}" for name in PROMISES},
        cases=public_and_hidden(grouped_images, seed),
        oracle=promised,
        pure=True,
    )


# The card


def categories(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield categories: how many images of each split and kind, and whether they are colour."""
    for name, about, numbers, channels, weight in (
        ("sizes", "colour images of several sizes",
         {"train/good": 4, "test/good": 2, "test/crack": 3, "test/hole": 2}, 3, 2),
        ("grey", "grey images; a kind with one image, and one whose name begins like another",
         {"train/good": 3, "test/good": 3, "test/broken": 1, "test/broken_large": 4}, 1, 2),
        ("one_kind", "a single kind of defect",
         {"train/good": 2, "test/good": 1, "test/defective": 5}, 3, 1),
    ):  # fmt: skip
        sizes, masks = draw_category(rng, numbers, channels)
        yield name, about, {"sizes": sizes, "masks": masks}, weight, SHARES


def draw_category(
    rng: np.random.RandomState, numbers: Mapping[str, int], channels: int
) -> tuple[dict[str, list[int]], Tensors]:
    """Draw a size for each image, and a mask for each defective one, large in small images.

    The images of the test part are the smallest and the widest, those of the training part the
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
                rows = rng.randint(9, 14) if height < 23 else rng.randint(3, 7)
                columns = rng.randint(4, 20)
                mask = np.zeros((height, width), np.uint8)
                top, left = rng.randint(height - rows), rng.randint(width - columns)
                mask[top : top + rows, left : left + columns] = 255
                mask[top, left : left + columns] = rng.randint(1, 128)  # not all are 255
                masks[f"{kind}/{place:03}"] = torch.tensor(mask)
    return sizes, masks


def described(sizes: Mapping[str, Sequence[int]], masks: Tensors) -> Tensors:
    """Say what was drawn, without a file."""
    images = Counter(name.rpartition("/")[0] for name in sizes)
    shares = {}
    for name, mask in masks.items():
        share = torch.count_nonzero(mask).item() / mask.numel()
        shares.setdefault(name.partition("/")[0], []).append(share)
    means = [sum(shares[kind]) / len(shares[kind]) for kind in sorted(shares)]
    heights, widths, _ = (sorted(values) for values in zip(*sizes.values(), strict=True))
    return {
        "keys_of_images": number(1),
        "images": torch.tensor([images[part] for part in sorted(images)]),
        "heights": torch.tensor([heights[0], heights[-1]]),
        "widths": torch.tensor([widths[0], widths[-1]]),
        "keys_of_covered": number(1),
        "covered": torch.tensor(means, dtype=torch.float64),
    }


# The split


def grouped_images(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield kinds and groups: `sizes` are those of the groups of each kind."""
    several = [[3, 1, 4, 2, 2, 5], [6, 1, 1], [2, 7], [4, 3, 3, 1, 1, 2, 4], [5]]
    uneven = [[3] * 12 + [1] * 12, [1, 12, 1, 1], [4] * 11 + [1] * 13]
    for name, about, sizes, share, times, weight in (
        ("parts", "five kinds; a kind with two groups, and one with a single one", several, 0.5, 8,
         2),
        ("most", "80 % on the first side", several, 0.8, 8, 2),
        ("uneven", "large groups and single images", uneven, 0.5, 24, 2),
        ("images", f"every image a group of its own, {MANY} seeds", [[1] * n for n in (6, 9, 14)],
         0.45, MANY, 2),
        ("pairs", "a kind with two images", [[1] * 11, [1, 1], [1] * 8], 0.1, 8, 1),
        ("single", "one image", [[1]], 0.5, 3, 1),
    ):  # fmt: skip
        counts = [sum(groups) for groups in sizes]
        kinds = rng.choice(20, size=len(sizes), replace=False)  # any numbers
        names = rng.choice(900, size=sum(map(len, sizes)), replace=False) + 17
        order = rng.permutation(sum(counts))
        y = np.repeat(kinds, counts)[order]
        groups = np.repeat(names, np.concatenate(sizes))[order]
        inputs = {"y": torch.tensor(y), "groups": torch.tensor(groups), "share": share,
                  "seed": int(rng.randint(1000)), "times": times}  # fmt: skip
        yield name, about, inputs, weight


def promised(y: torch.Tensor, groups: torch.Tensor, share: float, seed: int, times: int) -> Tensors:
    """Say that every promise is kept."""
    never = dict.fromkeys(("images_that_never_move", "pairs_always_apart"), number(0))
    return dict.fromkeys(PROMISES, number(1)) | never


GLOB = 'folder.glob("*/*/*.png")'
SHARE = "(np.asarray(image) > 0).mean()"
SIZE = "sizes.append(image.size)"
COUNT = 'images[f"{split}/{kind}"] = images.get(f"{split}/{kind}", 0) + 1'
ORDER = "order = torch.randperm(len(names), generator=generator)"
BOUNDED = "taken = max(min(taken, len(names) - 1), 1)"
TAKEN = "taken = int((reached - wanted).abs().argmin()) + 1"
SEEDED = "torch.Generator().manual_seed(seed)"
RETURNED = "return inside.nonzero().flatten(), (~inside).nonzero().flatten()"


def card(name: str, change: Mapping[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `card_from_disk`."""
    return Mistake(name, "card_from_disk", change, ("card_values",), share, hint)


def split(name: str, change: Mapping[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `stratified_split`."""
    return Mistake(name, "stratified_split", change, ("split_values",), share, hint)


MISTAKES: tuple[Mistake, ...] = (
    card("heights_and_widths_swapped",
         {"widths, heights = zip": "heights, widths = zip"}, 0.5,
         "heights and widths are swapped. image.size of PIL is (width, height); the shape of an "
         "array is (height, width)."),
    card("sizes_of_training_images",
         {SIZE: 'sizes += [image.size] if split == "train" else []'}, 0.6,
         "the sizes are those of the training images only. Take all images."),
    card("sizes_of_test_images",
         {SIZE: 'sizes += [image.size] if split == "test" else []'}, 0.6,
         "the sizes are those of the test images only. Take all images."),
    card("size_of_one_image", {"(min(heights), max(heights))": "(heights[0], heights[0])",
                               "(min(widths), max(widths))": "(widths[0], widths[0])"}, 0.4,
         "smallest and largest are the same: the size of one image was taken for that of all."),
    card("masks_counted_as_images",
         {"            else:\n": "            if True:\n"}, 0.5,
         "the masks were counted as images: ground_truth is no split."),
    card("splits_counted_together",
         {COUNT: 'for s in ("train", "test"):\n                    '
          'found = len(list(folder.glob(f"*/{kind}/*.png")))\n                    '
          'images |= {f"{s}/{kind}": found} if (folder / s / kind).is_dir() else {}'}, 0.4,
         "a number of images counts several folders together. Look at split and kind."),
    card("kinds_that_begin_alike",
         {SHARE: 'np.mean([(np.asarray(Image.open(p)) > 0).mean() '
          'for p in folder.glob(f"ground_truth/{kind}*/*.png")])'}, 0.5,
         "a kind got the masks of another one as well, whose name begins like its own."),
    card("only_the_value_255", {"> 0).mean()": "== 255).mean()"}, 0.6,
         "only the bright pixels of the masks were counted. Every pixel that is not 0 belongs to "
         "the defect."),
    card("black_and_white", {SHARE: 'np.asarray(image.convert("1")).mean()'}, 0.6,
         "the masks were converted to black and white, and dark grey became black here and there. "
         "Compare the pixels with 0."),
    card("mean_grey_value", {SHARE: "np.asarray(image).mean() / 255"}, 0.6,
         "the mean grey value of the masks was taken. Count the pixels that are not 0."),
    card("number_of_the_last_file",
         {COUNT: 'images[f"{split}/{kind}"] = '
          'max(images.get(f"{split}/{kind}", 0), int(path.stem) + 1)'}, 0.6,
         "images were counted by the number of the last file, and some numbers are missing. Count "
         "the files."),
    card("share_in_percent", {SHARE: "100 * (np.asarray(image) > 0).mean()"}, 0.7,
         "the shares are in percent. They go from 0 to 1."),
    card("pixels_for_shares", {SHARE: "(np.asarray(image) > 0).sum()"}, 0.4,
         "these are numbers of pixels. Divide by the number of pixels of the mask."),
    card("pixels_of_all_masks_together",
         {SHARE: "(np.asarray(image) > 0)",
          "np.mean(found).item()": "sum(m.sum() for m in found) / sum(m.size for m in found)"}, 0.6,
         "the pixels of all masks of a kind were put together, so a large image counts more than "
         "a small one. Take the share of each mask, and then the mean of the shares."),
    card("median_share", {"np.mean(found)": "np.median(found)"}, 0.6,
         "this is the median of the shares. The mean is asked for."),
    split("groups_torn_apart",
          {"groups[y == kind].unique(return_counts=True)":
           "torch.arange(len(y))[y == kind].unique(return_counts=True)",
           "torch.isin(groups, ": "torch.isin(torch.arange(len(y)), "}, 0.4,
          "groups are on both sides: images were divided, where groups should be. That is the "
          "leak."),
    split("not_stratified",
          {"groups[y == kind]": "groups", "y.unique()": "y[:1]"}, 0.4,
          "kinds were not divided one by one: chance put more of some on one side."),
    split("groups_counted_instead_of_images",
          {TAKEN: "taken = int(share * len(names) + 0.5)"}, 0.6,
          "the share is one of the groups. Some groups are large: count their images."),
    split("kind_on_one_side",
          {BOUNDED: ""}, 0.6,
          "a kind with two groups or more is on one side only. Leave at least one group on each."),
    split("sides_swapped",
          {RETURNED: "return (~inside).nonzero().flatten(), inside.nonzero().flatten()"}, 0.5,
          "the two sides are swapped: share is that of the first one."),
    split("always_half", {"share * reached[-1]": "0.5 * reached[-1]"}, 0.4,
          "the sides are halves, whatever share is."),
    split("no_chance", {ORDER: "order = torch.arange(len(names))"}, 0.5,
          "every seed gives the same split: the groups are not in random order, or their order "
          "does not depend on the seed."),
    split("rotated_by_the_seed", {ORDER: "order = torch.arange(len(names)).roll(seed)"}, 0.6,
          "the seed only says where to begin, and the groups keep their order, so that some of "
          "them are never on the same side. Put them in random order."),
    split("only_neighbours_make_a_group",
          {"groups[y == kind].unique(return_counts=True)":
           "groups[y == kind].unique_consecutive(return_counts=True)",
           BOUNDED: f"{BOUNDED}\n        names = names.clone()"}, 0.5,
          "images of a group that do not follow each other were taken for several groups, as "
          "unique_consecutive and itertools.groupby do. Use unique, or sort first."),
    split("one_group_only", {TAKEN: "taken = 1"}, 0.4,
          "there is always one group of each kind on the first side. Take groups until about "
          "share · n images are there."),
    split("seed_not_used", {SEEDED: "torch.default_generator"}, 0.5,
          "the same seed gave two splits: chance depends on what was drawn before. Make a "
          "generator with this seed."),
    split("not_in_order",
          {RETURNED: "mixed = torch.randperm(len(y), generator=generator)\n"
           "    return mixed[inside[mixed]], mixed[~inside[mixed]]"}, 0.7,
          "the indices are not sorted."),
    split("masks_for_indices", {RETURNED: "return inside, ~inside"}, 0.3,
          "the sides are masks of truth values, or have another dtype or shape. Index tensors are "
          "asked for: mask.nonzero().flatten()."),
    split("lists_for_tensors",
          {RETURNED: "return torch.where(inside)[0].tolist(), torch.where(~inside)[0].tolist()"},
          0.8, "the sides are lists, or an empty one is float32. Return int64 tensors."),
    split("not_flattened", {RETURNED: "return inside.nonzero(), (~inside).nonzero()"}, 0.8,
          "the index tensors have the shape (n, 1), as nonzero returns it. Flatten them."),
    split("some_images_lost",
          {RETURNED: "return inside.nonzero().flatten()[1:], (~inside).nonzero().flatten()"}, 0.3,
          "not every image is on exactly one side."),
)  # fmt: skip
