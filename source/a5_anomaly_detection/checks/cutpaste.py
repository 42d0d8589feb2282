"""Synthetic defects: cut and paste."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from autograder.cases import Tolerance
from autograder.checks import Check, Kind, Mistake, number, public_and_hidden

Tensors = dict[str, torch.Tensor]
MARGIN = Tolerance(rtol=1e-9, atol=0.05)  # six standard errors of a mean of 1,200
KEPT = (
    "inputs_untouched", "other_randomness_untouched", "same_state_same_defects",
    "other_state_other_defects", "next_call_other_defects", "masks_whatever_the_image",
    "outside_untouched", "of_the_same_image", "whole_rectangles", "pasted_as_it_is",
)  # fmt: skip
NUMBERS = ("area", "ratio", "pasted_row", "pasted_column", "cut_row", "cut_column")
SIZES = (1200, 72, 108), (1500, 6, 9), (300, 3, 16)  # number, height, width
PLACES = ("first_places", "last_places", "independent")


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks; `seed` draws the hidden cases."""
    names = (*KEPT, *NUMBERS, "sides", *PLACES)
    yield Check(
        name="cut_paste_statistics",
        title="what is cut, and where it is pasted",
        records={name: f"return.{name}" for name in names},
        cases=public_and_hidden(states, seed),
        oracle=uniform,
    )


def states(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield the state of a generator, and numbers and sizes of images."""
    inputs = {"seed": int(rng.randint(2**30)), "sizes": [list(size) for size in SIZES]}
    yield "sizes", "1,200 images of 72 × 108, tiny ones and flat ones", inputs, 1, MARGIN


def uniform(seed: int, sizes: Sequence[Sequence[int]]) -> Tensors:
    """Say what six independent numbers that are uniform in 0..1 have, and how long sides are."""
    known = torch.tensor([0.5, (1 / 12) ** 0.5, 0.0, 1.0]).double()
    return {
        **dict.fromkeys((*KEPT, *PLACES), number(1)),
        **dict.fromkeys(NUMBERS, known),
        "sides": usual_sides(*sizes[1][1:]),
    }


def usual_sides(H: int, W: int) -> torch.Tensor:
    """Integrate the mean height and width over all areas and ratios, as shares of the image."""
    middles = (torch.arange(1000).double() + 0.5) / 1000
    area = (H * W * (0.02 + 0.13 * middles))[:, None]
    ratio = 0.3 * 11**middles
    sides = ((area * ratio).sqrt(), H), ((area / ratio).sqrt(), W)
    means = [side.round().clamp(1, limit).mean() / limit for side, limit in sides]
    return torch.stack(means)


PASTED = ("cut_paste_statistics",)
PASTE = "image[:, Y : Y + h, X : X + w] = old[:, y : y + h, x : x + w]"
AREA = "uniform(0.02, 0.15) * H * W"
RATIO = "math.exp(uniform(math.log(0.3), math.log(3.3)))"
PLACE = "int(torch.randint(limit + 1, (), generator=generator))"
SHAPE = "    H, W = images.shape[2:]\n"

MISTAKES = (
    Mistake(
        "ratio_drawn_itself",
        "cut_paste",
        {RATIO: "uniform(0.3, 3.3)"},
        PASTED,
        0.6,
        "most rectangles are tall: the ratio itself was drawn uniformly. Draw its logarithm.",
    ),
    Mistake(
        "side_and_not_area",
        "cut_paste",
        {AREA: "(uniform(0.02, 0.15) ** 0.5 * max(H, W)) ** 2"},
        PASTED,
        0.4,
        "the areas are too large: 2 to 15 % is meant of the image's pixels, H · W.",
    ),
    Mistake(
        "areas_too_small",
        "cut_paste",
        {AREA: "(uniform(0.02, 0.15)) ** 2 * H * W"},
        PASTED,
        0.3,
        "the areas are too small: 2 to 15 % is a share of the area, not of a side.",
    ),
    Mistake(
        "pasted_in_place",
        "cut_paste",
        {"old[:, y : y + h, x : x + w]": "old[:, Y : Y + h, X : X + w]"},
        PASTED,
        0.2,
        "the rectangle was pasted where it was cut, so nothing changed. Draw the two places apart.",
    ),
    Mistake(
        "of_another_image",
        "cut_paste",
        {PASTE: PASTE.replace("old[", "images[0][")},
        PASTED,
        0.3,
        "the rectangle comes from another image. Cut it out of the same one.",
    ),
    Mistake(
        "cut_from_the_corner",
        "cut_paste",
        {"old[:, y : y + h, x : x + w]": "old[:, :h, :w]"},
        PASTED,
        0.4,
        "every rectangle was cut from the upper left corner. Draw where it is cut, too.",
    ),
    Mistake(
        "never_at_the_edge",
        "cut_paste",
        {"randint(limit + 1,": "randint(max(limit // 2, 1),"},
        PASTED,
        0.4,
        "some places are never drawn. A rectangle of height h has H − h + 1 of them, all alike.",
    ),
    Mistake(
        "last_place_never",
        "cut_paste",
        {PLACE: "int(torch.randint(max(limit, 1), (), generator=generator))"},
        PASTED,
        0.7,
        "the last place is never drawn, neither at the lower edge nor at the right one: randint "
        "stays below its limit. There are H − h + 1 places for the upper edge.",
    ),
    Mistake(
        "ends_half_as_likely",
        "cut_paste",
        {PLACE: "round(limit * torch.rand((), generator=generator).item())"},
        PASTED,
        0.7,
        "the first place and the last are drawn half as often as others: only half an interval is "
        "rounded to each. Draw a whole number from 0 to H − h with randint.",
    ),
    Mistake(
        "sides_rounded_down",
        "cut_paste",
        {
            "round(math.sqrt(area * ratio))": "int(math.sqrt(area * ratio))",
            "round(math.sqrt(area / ratio))": "int(math.sqrt(area / ratio))",
        },
        PASTED,
        0.7,
        "in small images the rectangles are too small: int cuts off what is behind the point. "
        "Round to the nearest whole number.",
    ),
    Mistake(
        "area_drawn_by_logarithm",
        "cut_paste",
        {AREA: "math.exp(uniform(math.log(0.02), math.log(0.15))) * H * W"},
        PASTED,
        0.6,
        "small areas are too frequent: the logarithm of the area was drawn uniformly. That is meant"
        " for the ratio; the area itself is uniform.",
    ),
    Mistake(
        "mask_of_what_changed",
        "cut_paste",
        {"return pasted, masks": "return pasted, (pasted != images).any(dim=1, keepdim=True)"},
        PASTED,
        0.5,
        "the mask shows where pixels have changed. Background pasted upon background belongs to it "
        "as well: mark the whole rectangle.",
    ),
    Mistake(
        "generator_not_advanced",
        "cut_paste",
        {
            SHAPE: SHAPE + "    generator = torch.Generator().manual_seed(generator.initial_seed())"
            "\n"
        },
        PASTED,
        0.5,
        "the next call with the same generator gives the same defects again: the numbers came from "
        "a copy of it. In training, every batch would have the same rectangles.",
    ),
    Mistake(
        "mask_of_the_cut",
        "cut_paste",
        {"mask[:, Y : Y + h, X : X + w] = True": "mask[:, y : y + h, x : x + w] = True"},
        PASTED,
        0.3,
        "the mask shows where the rectangle was cut. The defect is where it was pasted.",
    ),
    Mistake(
        "mask_of_the_outline",
        "cut_paste",
        {
            "mask[:, Y : Y + h, X : X + w] = True": (
                "mask[:, Y : Y + h, X : X + w] = True\n"
                "        mask[:, Y + 1 : Y + h - 1, X + 1 : X + w - 1] = False"
            )
        },
        PASTED,
        0.3,
        "the mask lacks part of the rectangle. All that was pasted over belongs to it.",
    ),
    Mistake(
        "images_overwritten",
        "cut_paste",
        {"pasted, masks = images.clone(), ": "pasted, masks = images, "},
        PASTED,
        0.5,
        "the images that came in were painted over, and the good ones are gone. Work on a copy.",
    ),
    Mistake(
        "generator_ignored",
        "cut_paste",
        {
            "torch.rand((), generator=generator)": "torch.rand(())",
            "torch.randint(limit + 1, (), generator=generator)": "torch.randint(limit + 1, ())",
        },
        PASTED,
        0.5,
        "the random numbers do not come from the generator, so nobody can repeat them. Pass "
        "generator=generator.",
    ),
    Mistake(
        "seeded_in_the_function",
        "cut_paste",
        {
            "    H, W = images.shape[2:]\n": (
                "    H, W = images.shape[2:]\n    generator.manual_seed(0)\n"
            )
        },
        PASTED,
        0.5,
        "whatever the state of the generator, the defects are the same: it was seeded anew. Leave "
        "that to the caller.",
    ),
    Mistake(
        "one_defect_for_all",
        "cut_paste",
        {
            "    H, W = images.shape[2:]\n": (
                "    H, W = images.shape[2:]\n    state = generator.get_state()\n"
            ),
            "        area, ratio": "        generator.set_state(state)\n        area, ratio",
        },
        PASTED,
        0.3,
        "all images have the same rectangle in the same place. Draw anew for each image.",
    ),
)
