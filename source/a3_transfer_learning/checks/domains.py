"""Images from two sources: `split_by_domain(domains, recordings, dev, test, seed)`.

More than one choice of held-out recordings is right. A locked function of the notebook
turns what the student wrote into properties; the oracles say what these are.
"""

from collections.abc import Iterator

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check

PARTS = (
    "refused", "selfies_in_dev_or_test", "dev", "test", "recordings_cut", "images_lost",
    "images_twice",
)  # fmt: skip


def images(rng: Draws, selfies: int, lengths: list[int], order: str) -> dict[str, torch.Tensor]:
    """Draw the images of selfies and recordings, each as long as `lengths` say.

    The numbers of the recordings have gaps, and come in no particular order.
    """
    numbers = rng.permutation(4 * len(lengths) + 1)[: len(lengths)]
    recordings = np.array([-1] * selfies + np.repeat(numbers, lengths).tolist())
    place = np.arange(len(recordings))
    place = {"mixed": rng.permutation(place), "first": place[::-1], "last": place}[order]
    recordings = torch.tensor(recordings[place].copy()).long()
    return {"domains": (recordings >= 0).long(), "recordings": recordings}


def domain_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield sources in several proportions and orders, some of them too small.

    A recording has more frames than dev and test have recordings, so frames that are drawn one
    by one never make a whole one. And no source is so rare that forty draws would miss it.
    """
    few = int(rng.randint(9, 14))
    unequal = rng.permutation(np.arange(6, 6 + few)).tolist()
    for name, about, selfies, lengths, dev, test, order in (
        ("office", "far more selfies than frames", 400, [7] * few, 3, 4, "mixed"),
        ("camera_first", "camera frames first", 50, [10] * 20, 7, 9, "first"),
        ("camera_last", "camera frames last", 40, [9] * 16, 5, 8, "last"),
        ("more_camera", "more frames than selfies", 40, [8] * 15, 6, 4, "mixed"),
        ("lengths", "recordings of different lengths", 60, unequal, 5, 3, "mixed"),
        ("no_selfies", "no selfies", 0, [8] * 17, 5, 6, "mixed"),
        ("all_held_out", "no frame is left to train on", 23, [7] * 11, 5, 6, "mixed"),
        ("no_dev", "dev = 0", 30, [6] * 8, 0, 3, "mixed"),
        ("one_recording", "one recording, for the test", 9, [8], 0, 1, "mixed"),
        ("nothing_left", "one recording and nothing else", 0, [3], 1, 0, "mixed"),
        ("one_frame", "one camera frame, and nothing held out", 9, [1], 0, 0, "mixed"),
        ("too_few", "too few recordings", 60, [7] * 9, 5, 5, "mixed"),
        ("no_camera", "no camera frame at all", 12, [], 1, 0, "mixed"),
    ):
        drawn = images(rng, selfies, lengths, order)
        yield case(name, about, **drawn, dev=dev, test=test)


def described(domains: torch.Tensor, recordings: torch.Tensor, dev: int, test: int) -> Answers:
    """Say what a split must look like, by counting."""
    names = set(recordings.tolist()) - {-1}
    if dev + test > len(names):
        refused = dict.fromkeys(PARTS, -1) | {"refused": 1}
        return {**refused, "total_weights": -torch.ones(2, dtype=torch.float64)}
    trained = [bool((domains == 0).any()), dev + test < len(names)]
    weights = [has / max(sum(trained), 1) for has in trained]
    return {
        **dict.fromkeys(PARTS, 0),
        "dev": dev,
        "test": test,
        "total_weights": torch.tensor(weights, dtype=torch.float64),
    }


SPLIT = [
    check(name, title, {record: f"return.{record}" for record in records}, domain_cases)(described)
    for name, title, records in (
        ("split_parts", "whole recordings in each split, and every image once", PARTS),
        ("split_weights", "share of the sources in the total weight",
         ("refused", "total_weights")),
    )
]  # fmt: skip


def chance_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield enough seeds that each recording is drawn at least once."""
    for name, about, order in (("last", "camera frames last", "last"), ("first", "first", "first")):
        drawn = images(rng, int(rng.randint(5, 9)), [3] * 30, order)
        about = f"30 recordings, 300 seeds, {about}"
        yield case(name, about, **drawn, dev=3, test=4, seeds=300)


@check(
    "split_chance", "a split by seed, or by time",
    {n: f"return.{n}" for n in ("repeatable", "never_in_dev", "never_in_test")},
    chance_cases,
)  # fmt: skip
def chances(
    domains: torch.Tensor, recordings: torch.Tensor, dev: int, test: int, seeds: int
) -> dict[str, int]:
    """Expect each recording in each split: 300 draws miss one once in 10^12."""
    return {"repeatable": 1, "never_in_dev": 0, "never_in_test": 0}
