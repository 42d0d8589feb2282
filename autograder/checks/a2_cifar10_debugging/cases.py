"""What the cases of all checks have in common: a public sample and the hidden ones."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from autograder.cases import FLOAT64, Case, Tolerance

PUBLIC_SEED = 2024
Kind = tuple  # name, about, inputs, and for some a weight and a tolerance


def public_and_hidden(
    kinds: Callable[[np.random.RandomState], Iterable[Kind]], seed: int
) -> tuple[Case, ...]:
    """Return the cases of all kinds twice: drawn by the public seed, and by the hidden one."""
    return (*cases(kinds, PUBLIC_SEED, public=True), *cases(kinds, seed, public=False))


def cases(
    kinds: Callable[[np.random.RandomState], Iterable[Kind]], seed: int, public: bool
) -> Iterator[Case]:
    """Yield a case of each kind; names of public ones begin with `public_`."""
    for name, about, inputs, *rest in kinds(np.random.RandomState([seed, public])):
        weight: float = rest[0] if rest else 1.0
        tolerance: Tolerance = rest[1] if len(rest) > 1 else FLOAT64
        prefix = "public_" if public else ""
        yield Case(f"{prefix}{name}", about, inputs, weight, tolerance, public)
