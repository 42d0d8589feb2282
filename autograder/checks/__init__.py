"""The instructor's half: one module an assignment, with its checks and mistakes.

The module `autograder.checks.<assignment>` offers `checks(seed)`, the list of its
checks, and `MISTAKES`. Beside it, each file in `alternatives/` holds a right solution
in another style, which every check must accept.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch

from autograder.cases import RecordedCheck


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
    alternatives: tuple[Path, ...]


class UnknownAssignment(Exception):
    """There is no module of checks for an assignment."""


def load(assignment: str, seed: int = 0) -> Assignment:
    """Load the checks of an assignment; `seed` draws its hidden cases."""
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
    folder = Path(module.__file__).parent / "alternatives"
    alternatives = tuple(sorted(folder.glob("*.py"))) if hasattr(module, "__path__") else ()
    return Assignment(assignment, tuple(module.checks(seed)), tuple(module.MISTAKES), alternatives)


def names() -> list[str]:
    """List the assignments that have checks."""
    here = Path(__file__).parent
    return sorted(path.stem for path in here.iterdir() if path.stem[0] not in "_.")
