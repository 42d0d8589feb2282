"""Synthetic defects: cut and paste."""

from collections.abc import Iterator

import numpy as np
import torch

from autograder.cases import Tolerance
from autograder.checks import Check, Kind, Mistake, number, public_and_hidden

Tensors = dict[str, torch.Tensor]
MARGIN = Tolerance(rtol=1e-9, atol=0.1)  # six standard errors of a mean of 300
KEPT = (
    "forms", "inputs_untouched", "other_randomness_untouched", "same_state_same_defects",
    "other_state_other_defects", "outside_untouched", "of_the_same_image", "pasted_as_it_is",
    "whole_rectangles", "independent",
)  # fmt: skip


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks; `seed` draws the hidden cases."""
    names = ("images_are", "masks_are", *KEPT, "means", "spreads", "ranges")
    yield Check(
        name="cut_paste_statistics",
        title="what is cut, and where it is pasted",
        records={name: f"return.{name}" for name in names},
        cases=public_and_hidden(states, seed),
        oracle=uniform,
    )


def states(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield the state of a generator, and the number and size of images."""
    inputs = {"seed": int(rng.randint(2**30)), "N": 300, "H": 72, "W": 108}
    yield "wide", "300 images of 72 × 108", inputs, 1, MARGIN


def uniform(seed: int, N: int, H: int, W: int) -> Tensors:
    """Say what six independent numbers that are uniform in 0..1 have."""
    return {
        "images_are": torch.tensor([N, 3, H, W]),
        "masks_are": torch.tensor([N, 1, H, W]),
        **{name: number(1) for name in KEPT},
        "means": torch.full((6,), 0.5).double(),
        "spreads": torch.full((6,), (1 / 12) ** 0.5).double(),
        "ranges": torch.tensor([[0.0] * 6, [1.0] * 6]).double(),
    }


PASTED = ("cut_paste_statistics",)
PASTE = "image[:, Y : Y + h, X : X + w] = old[:, y : y + h, x : x + w]"
AREA = "uniform(0.02, 0.15) * H * W"
RATIO = "math.exp(uniform(math.log(0.3), math.log(3.3)))"

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
