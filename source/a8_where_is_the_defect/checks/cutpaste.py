"""Synthetic defects: cut and paste."""

from collections.abc import Iterator, Sequence

import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance

MARGIN = Tolerance(rtol=1e-9, atol=0.05)  # six standard errors of a mean of 1,200
KEPT = (
    "inputs_untouched", "other_randomness_untouched", "same_state_same_defects",
    "other_state_other_defects", "next_call_other_defects", "masks_whatever_the_image",
    "outside_untouched", "of_the_same_image", "whole_rectangles", "pasted_as_it_is",
)  # fmt: skip
NUMBERS = ("area", "ratio", "pasted_row", "pasted_column", "cut_row", "cut_column")
SIZES = (1200, 72, 108), (1500, 6, 9), (300, 3, 16), (300, 16, 3)  # number, height, width
SIDES = "sides", "smallest_sides", "largest_sides"
PLACES = ("first_places", "last_places", "independent")


def state_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield the seed of a generator, and numbers and sizes of images."""
    seed, sizes = int(rng.randint(2**30)), [list(size) for size in SIZES]
    yield case(
        "sizes", "1,200 images of 72 × 108, tiny ones, flat and narrow ones", seed=seed, sizes=sizes
    )


@check(
    "cut_paste_statistics", "what is cut, and where it is pasted",
    {name: f"return.{name}" for name in (*KEPT, *NUMBERS, *SIDES, *PLACES)}, state_cases,
    tolerance=MARGIN,
)  # fmt: skip
def uniform(seed: int, sizes: Sequence[Sequence[int]]) -> Answers:
    """Give the statistics of independent numbers uniform in 0..1, and of the sides."""
    known = torch.tensor([0.5, (1 / 12) ** 0.5, 0.0, 1.0]).double()
    return {
        **dict.fromkeys((*KEPT, *PLACES), 1),
        **dict.fromkeys(NUMBERS, known),
        "sides": usual_sides(*sizes[1][1:]),
        "smallest_sides": torch.ones(2).double(),  # among so many, of images so small
        "largest_sides": torch.tensor([sizes[2][1], sizes[3][2]]).double(),
    }


def usual_sides(H: int, W: int) -> torch.Tensor:
    """Integrate the mean height and width over all areas and ratios, as shares of the image."""
    middles = (torch.arange(1000).double() + 0.5) / 1000
    area = (H * W * (0.02 + 0.13 * middles))[:, None]
    ratio = 0.3 * 11**middles
    sides = ((area * ratio).sqrt(), H), ((area / ratio).sqrt(), W)
    means = [side.round().clamp(1, limit).mean() / limit for side, limit in sides]
    return torch.stack(means)
