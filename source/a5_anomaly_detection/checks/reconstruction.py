"""The autoencoder."""

from collections.abc import Iterator

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check

PROMISES = ("code_is_narrow", "between_0_and_1", "nothing_goes_round", "drawn_from_the_code",
            "codes_differ", "image_for_itself", "within_budget")  # fmt: skip


def image_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield a few coarse images in 0..1, the first and the last one different."""
    for name, about, N in (("four", "four images", 4), ("two", "two images", 2)):
        coarse = rng.uniform(0, 1, size=(N, 3, 6, 6)).round(2)
        yield case(name, about, images=torch.tensor(np.kron(coarse, np.ones((16, 16)))).float())


@check(
    "autoencoder_structure", "the rules for an autoencoder",
    {name: f"return.{name}" for name in ("shape", "unused_parameters", *PROMISES)}, image_cases,
)  # fmt: skip
def promised(images: torch.Tensor) -> Answers:
    """Say that every rule is kept."""
    kept = dict.fromkeys(PROMISES, 1)
    return {"shape": torch.tensor(images.shape), "unused_parameters": 0, **kept}
