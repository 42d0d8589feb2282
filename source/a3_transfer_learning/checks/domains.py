"""Images from two sources, split by source: `split_by_domain(domains, dev, test, seed)`.

Which images are drawn has no single right answer. A locked function of the notebook turns
what the student wrote into properties; the oracles say what these are.
"""

from collections.abc import Iterator

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check


def domain_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield sources in several proportions and orders, some of them too small."""
    few = int(rng.randint(20, 40))
    for name, about, selfies, frames, dev, test, order in (
        ("office", "a hundred selfies for each frame", 100 * few, few, few // 4, few // 3, "mixed"),
        ("camera_first", "camera frames first", 50, 30, 7, 9, "first"),
        ("camera_last", "camera frames last", 40, 26, 5, 8, "last"),
        ("more_camera", "more frames than selfies", 3, 37, 6, 4, "mixed"),
        ("no_selfies", "no selfies", 0, 17, 5, 6, "mixed"),
        ("all_held_out", "no frame is left to train on", 23, 11, 5, 6, "mixed"),
        ("no_dev", "dev = 0", 13, 8, 0, 3, "mixed"),
        ("one_frame", "one camera frame, for the test", 9, 1, 0, 1, "mixed"),
        ("nothing_left", "one camera frame and nothing else", 0, 1, 1, 0, "mixed"),
        ("too_few", "too few camera frames", 60, 9, 5, 5, "mixed"),
        ("no_camera", "no camera frame at all", 12, 0, 1, 0, "mixed"),
    ):
        last = np.array([0] * selfies + [1] * frames)
        orders = {"mixed": rng.permutation(last), "first": last[::-1], "last": last}
        yield case(name, about, domains=torch.tensor(orders[order].copy()), dev=dev, test=test)


def described(domains: torch.Tensor, dev: int, test: int) -> Answers:
    """Say what a split must look like, by counting."""
    selfies, frames = int((domains == 0).sum()), int((domains == 1).sum())
    if dev + test > frames:
        nothing = -torch.ones(3, 2).long()
        return {"refused": 1, "counts": nothing, "used_once": -1, "weights": nothing[0].double()}
    left = np.array([selfies, frames - dev - test])
    weights = [left.sum() / ((left > 0).sum() * n) if n else 0.0 for n in left]
    return {
        "refused": 0,
        "counts": torch.tensor([left.tolist(), [0, dev], [0, test]]),
        "used_once": len(domains),
        "weights": torch.tensor(weights, dtype=torch.float64),
    }


SPLIT = [
    check(name, title, {record: f"return.{record}" for record in records}, domain_cases)(described)
    for name, title, records in (
        ("split_parts", "what is in which part, by source", ("refused", "counts", "used_once")),
        ("split_weights", "weights of the two sources", ("refused", "weights")),
    )
]


def chance_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield enough seeds that each camera frame is drawn at least once."""
    for name, about, order in (("last", "camera frames last", 1), ("first", "and first", -1)):
        domains = torch.tensor(np.array([0] * int(rng.randint(5, 9)) + [1] * 30)[::order].copy())
        about = f"30 frames, 300 seeds, {about}"
        yield case(name, about, domains=domains, dev=3, test=4, seeds=300)


@check(
    "split_chance", "the seed decides, and not the order",
    {n: f"return.{n}" for n in ("repeatable", "neighbours", "ever_in_dev", "ever_in_test")},
    chance_cases,
)  # fmt: skip
def chances(domains: torch.Tensor, dev: int, test: int, seeds: int) -> dict[str, int]:
    """Expect each frame in each part: 300 draws miss one once in 10^12.

    The seven of one draw are all neighbours once in 10^5.
    """
    frames = int(domains.sum())
    return {"repeatable": 1, "neighbours": 0, "ever_in_dev": frames, "ever_in_test": frames}
