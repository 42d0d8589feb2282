"""What several topics need: numbers to draw, and a check of a function written by hand."""

from functools import partial

import torch

from autograder.authoring.checks import Draws, check
from autograder.notebook.cases import Tolerance

Tensors = dict[str, torch.Tensor]
FLOAT32_LOOSE = Tolerance(rtol=1e-4, atol=1e-5)  # sums that nearly cancel

# a check of a function that uses neither torch.nn nor autograd
by_hand = partial(check, by_hand=True, pure=True)


def drawn(rng: Draws, *shape: int) -> torch.Tensor:
    """Draw numbers of order 1."""
    return torch.tensor(rng.randn(*shape).round(3))


def bounded(rng: Draws, *shape: int) -> torch.Tensor:
    """Draw numbers of order 1, none near 0."""
    values = rng.uniform(0.2, 2, size=shape) * rng.choice([-1, 1], size=shape)
    return torch.tensor(values.round(3))
