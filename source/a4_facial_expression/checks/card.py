"""The data: its counts, and faces that stand in two splits."""

from collections.abc import Iterator

import numpy as np
import torch

from autograder.cases import Tolerance
from autograder.checks import Check, Kind, Mistake, public_and_hidden

Tensors = dict[str, torch.Tensor]
RATIO = Tolerance(rtol=1e-5, atol=1e-6)  # a division in float32 will do


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks of this part; `seed` draws the hidden cases."""
    yield Check(
        name="card_counts",
        title="labels of each class, and the imbalance ratio",
        records={"counts": "return.0", "ratio": "return.1"},
        cases=public_and_hidden(labels, seed),
        oracle=counted,
        pure=True,
    )
    yield Check(
        name="duplicate_pairs",
        title="pairs of identical images",
        records={"pairs": "return"},
        cases=public_and_hidden(image_sets, seed),
        oracle=compared,
        pure=True,
    )


# Counts


def labels(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield labels; some classes do not occur, at the end and in between."""
    for name, about, counts in (
        ("faces", "seven classes, all there", rng.randint(5, 60, size=7)),
        ("last_missing", "the last two classes do not occur", [*rng.randint(4, 30, size=4), 0, 0]),
        ("first_missing", "classes 0 and 2 do not occur", [0, 17, 0, *rng.randint(2, 9, size=2)]),
        ("rare", "one label of a class", [1, int(rng.randint(40, 90)), 23]),
        ("one_class", "only one class occurs", [0, 0, 12, 0]),
        ("single", "a single label", [0, 1, 0]),
    ):
        y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        inputs = {"y": torch.tensor(y, dtype=torch.int64), "num_classes": len(counts)}
        yield name, about, inputs, 1, RATIO


def counted(y: torch.Tensor, num_classes: int) -> Tensors:
    """Count label by label, in Python."""
    found = [y.tolist().count(label) for label in range(num_classes)]
    there = sorted(n for n in found if n)
    ratio = torch.tensor(there[-1] / there[0], dtype=torch.float64)
    return {"counts": torch.tensor(found), "ratio": ratio}


# Duplicates


def image_sets(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield two sets of images with a border of one pixel that is cropped off.

    `copies` are places in the first and in the second set where one image stands, before both
    sets are shuffled. Of the rest, some have the same pixels in another order, so that no sum
    and no histogram tells them apart, or differ in a single pixel.
    """
    for name, about, sizes, copies, weight in (
        ("some", "a few copies, in any order", (9, 7),
         [((1,), (5,)), ((4,), (0,)), ((8,), (3,))], 1),
        ("several", "images that occur several times", (11, 10),
         [((7, 2), (6, 1)), ((9, 3, 5), (4,)), ((8,), (7, 0, 2))], 4),
        ("none", "no copies, but the same pixels in another order", (6, 5), [], 2),
        ("same_place", "copies at the same place and elsewhere", (8, 8),
         [((2,), (2,)), ((5,), (5,)), ((0,), (6,))], 1),
        ("single", "one image against five", (1, 5), [((0,), (3, 1))], 1),
        ("many", "140 and 90 images", (140, 90), [((n,), (n,)) for n in range(25)], 1),
    ):  # fmt: skip
        first, second = (rng.randint(0, 256, size=(n, 1, 5, 7)) for n in sizes)
        inside = (slice(None), slice(1, -1), slice(1, -1))
        for here, there in copies:
            for images, places in ((first, here), (second, there)):
                for place in places:
                    images[place][inside] = first[here[0]][inside]
        taken = {j for _, there in copies for j in there}
        moved, rolled, changed = sorted(set(range(sizes[1])) - taken)[:3]
        for j, axis in ((moved, 1), (rolled, 2)):
            second[j][inside] = np.roll(first[0][inside], 1, axis=axis)
        second[changed][inside] = first[0][inside]
        second[changed, 0, 2, 3] ^= 1
        orders = rng.permutation(sizes[0]), rng.permutation(sizes[1])
        if name == "same_place":
            orders = orders[0], orders[0]
        inputs = {
            key: torch.tensor(images[order], dtype=torch.uint8)
            for key, images, order in zip(("first", "second"), (first, second), orders, strict=True)
        }
        yield name, about, inputs, weight


def compared(first: torch.Tensor, second: torch.Tensor) -> Tensors:
    """Compare every image with every other one, pixel by pixel."""
    one, other = (part[:, 0, 1:-1, 1:-1].flatten(1) for part in (first, second))
    return {"pairs": (one[:, None] == other[None]).all(dim=2).nonzero()}


KEY = "places.setdefault(image.numpy().tobytes(), []).append(i)"
LOOKED_UP = "pairs += [(i, j) for i in places.get(image.numpy().tobytes(), [])]"


def counts(name: str, change: dict[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `class_counts`."""
    return Mistake(name, "class_counts", change, ("card_counts",), share, hint)


def pairs(name: str, change: dict[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `find_duplicates`."""
    return Mistake(name, "find_duplicates", change, ("duplicate_pairs",), share, hint)


def by_key(name: str, key: str, share: float, hint: str) -> Mistake:
    """Look images up by another key."""
    change = {text: text.replace("image.numpy().tobytes()", key) for text in (KEY, LOOKED_UP)}
    return pairs(name, change, share, hint)


MISTAKES: tuple[Mistake, ...] = (
    counts("classes_missing_at_the_end", {", minlength=num_classes": ""}, 0.5,
           "counts ends at the largest label that occurs. It has an entry for each of num_classes "
           "classes, 0 for one that does not occur."),
    counts("ratio_upside_down",
           {"counts.max() / counts[counts > 0].min()": "counts[counts > 0].min() / counts.max()"},
           0.5, "the ratio is upside down: largest count divided by smallest, so at least 1."),
    counts("ratio_to_the_mean",
           {"counts[counts > 0].min()": "counts[counts > 0].double().mean()"}, 0.5,
           "the largest count was divided by the mean count. Divide by the smallest one."),
    counts("absent_class_counted_as_one",
           {"counts[counts > 0].min()": "counts.clamp(min=1).min()"}, 0.6,
           "a class that does not occur took part in the ratio, as if it occurred once. Only "
           "classes that occur count."),
    counts("shares_for_counts",
           {"return counts, ratio.item()": "return counts / counts.sum(), ratio.item()"}, 0.3,
           "the first result has shares, not counts. Return whole numbers."),
    by_key("sum_as_key", "int(image.sum())", 0.3,
           "images were taken for equal because their pixels have the same sum. Other images have "
           "that sum too: use all bytes as the key."),
    by_key("histogram_as_key", "image.flatten().sort().values.numpy().tobytes()", 0.4,
           "images were taken for equal because they have the same pixels in another order."),
    by_key("identity_as_key", "image", 0.0,
           "no pair was found. A tensor as a key, hash(tensor) and id(tensor) only know the very "
           "same object; use its bytes."),
    pairs("last_partner_only",
          {KEY: "places[image.numpy().tobytes()] = [i]"}, 0.5,
          "of an image that stands several times in the first set, only the last place was found. "
          "Keep a list of places for each key."),
    pairs("first_partner_only",
          {KEY: "places.setdefault(image.numpy().tobytes(), [i])"}, 0.5,
          "of an image that stands several times in the first set, only the first place was found. "
          "Keep a list of places for each key."),
    pairs("each_image_once",
          {LOOKED_UP: LOOKED_UP.replace("places.get(", "places.pop(")}, 0.4,
          "an image that stands several times in the second set was found only once."),
    pairs("same_place_only",
          {LOOKED_UP: LOOKED_UP.replace(", [])", ", []) if i == j")}, 0.0,
          "only images at the same place were compared. A copy may stand anywhere."),
    pairs("places_swapped", {"[(i, j) for i in": "[(j, i) for i in"}, 0.5,
          "the two places are swapped: i is the place in first, j the one in second."),
    pairs("not_sorted", {"return sorted(pairs)": "return pairs"}, 0.6,
          "the pairs are right and not sorted: by i, and then by j."),
)  # fmt: skip
