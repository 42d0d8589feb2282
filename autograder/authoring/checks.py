"""The instructor's half: one module an assignment, with its checks and mistakes.

The module `autograder.checks.<assignment>` offers `checks(seed)`, the list of its
checks, and `MISTAKES`. Beside it, each file in `alternatives/` holds a right solution
in another style, which every check must accept, and `beside/` holds what a solved
notebook has beside it: what it trained.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from inspect import signature
from pathlib import Path

import numpy as np
import torch

from autograder.cases import FLOAT64, Case, RecordedCheck

PUBLIC_SEED = 2024
Kind = tuple  # of case: name, about, inputs, and for some a weight and a tolerance


@dataclass(frozen=True, kw_only=True)
class Check(RecordedCheck):
    """A check as its author writes it: with an oracle that knows the right answer.

    The oracle takes a case's inputs and returns the right value of each record by name,
    found another way than the notebook's solution (autograd, torch.nn.functional, a
    closed form).
    """

    oracle: Callable[..., Mapping[str, torch.Tensor]]


@dataclass(frozen=True)
class Mistake:
    """A named wrong solution: the instructor's, with one change in one cell.

    `change` maps text of the solution cell `cell` to what stands there instead. Every
    check in `checks` must refuse it; `share` is the part of the points it keeps.
    """

    name: str
    cell: str
    change: Mapping[str, str]
    checks: tuple[str, ...]
    share: float
    hint: str


@dataclass(frozen=True)
class Assignment:
    """What an instructor knows of an assignment."""

    name: str
    checks: tuple[Check, ...]
    mistakes: tuple[Mistake, ...]
    alternatives: tuple[Path, ...] = ()
    beside: Mapping[str, Path] = field(default_factory=dict)


class UnknownAssignment(Exception):
    """There is no module of checks for an assignment."""


class NoRealData(Exception):
    """An assignment has no cases of real data."""


def load(assignment: str, seed: int = 0, real: bool = False) -> Assignment:
    """Load the checks of an assignment; `seed` draws its hidden cases.

    With `real`, those that measure quality get cases of real data beside the drawn ones.
    Raises UnknownAssignment; NoRealData if it uses none, or DataNotFound if that is not here.
    """
    name = f"{__name__}.{assignment}"
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise UnknownAssignment(
            f"autograder/checks/{assignment}.py: no such file; "
            f"the assignments with checks are {', '.join(names())}."
        ) from None
    uses_real = "real" in signature(module.checks).parameters
    if real and not uses_real:
        raise NoRealData(f"{assignment} has no cases of real data; leave out --real.")
    drawn = module.checks(seed, real=True) if real else module.checks(seed)
    folder = Path(module.__file__).parent if hasattr(module, "__path__") else None
    return Assignment(
        assignment,
        tuple(drawn),
        tuple(module.MISTAKES),
        tuple(sorted(folder.glob("alternatives/*.py"))) if folder else (),
        {path.name: path for path in sorted(folder.glob("beside/*"))} if folder else {},
    )


def public_and_hidden(
    kinds: Callable[[np.random.RandomState], Iterable[Kind]], seed: int
) -> tuple[Case, ...]:
    """Return the cases of all kinds twice: drawn by the public seed, and by the hidden one.

    A kind without a tolerance has that of float64. Names of public cases begin with `public_`.
    """
    return (*_cases(kinds, PUBLIC_SEED, public=True), *_cases(kinds, seed, public=False))


def _cases(
    kinds: Callable[[np.random.RandomState], Iterable[Kind]], seed: int, public: bool
) -> Iterator[Case]:
    for name, about, inputs, *rest in kinds(np.random.RandomState([seed, public])):
        weight, tolerance = (*rest, *(1.0, None)[len(rest) :])
        prefix = "public_" if public else ""
        yield Case(prefix + name, about, inputs, weight, tolerance or FLOAT64, public)


def number(value: float) -> torch.Tensor:
    """Write a number as what is recorded of one."""
    return torch.tensor(float(value), dtype=torch.float64)


def names() -> list[str]:
    """List the assignments that have checks."""
    here = Path(__file__).parent
    return sorted(path.stem for path in here.iterdir() if path.stem[0] not in "_.")
