"""The assignments of a course, one folder each, wherever the course lies.

In the student's package they are folders of this one. In a course they are in its `source/`
folder: the course that the notebook lies in comes first, then the clone that this file is in.
A notebook imports from here what is written for it alone:

    from autograder.assignments.a2_cifar10_debugging.lesson import plots
"""

import importlib
import sys
from pathlib import Path

from autograder.errors import UserError


class AssignmentNotFound(UserError):
    """There is no folder of an assignment."""


def _sources() -> list[str]:
    here = Path.cwd()
    above = [p / "source" for p in (here, *here.parents) if (p / "nbgrader_config.py").is_file()]
    return [str(path) for path in (*above[:1], Path(__file__).parents[2] / "source")]


__path__ = [*_sources(), *__path__]


def use(source: Path) -> None:
    """Look for assignments in the `source` folder of a course first.

    What was imported of assignments elsewhere is forgotten: two courses may have the same names.
    """
    if str(source) == __path__[0]:
        return
    __path__.insert(0, str(source))
    for name in [n for n in sys.modules if n.startswith(f"{__name__}.")]:
        del sys.modules[name]
    importlib.invalidate_caches()


def find(assignment: str) -> Path:
    """Return the folder of an assignment. Raises AssignmentNotFound."""
    for place in __path__:
        if (folder := Path(place) / assignment).is_dir():
            return folder
    raise AssignmentNotFound(
        f"{assignment}: there is no such assignment here; update the course's package, or "
        "correct the name in Checker(…)."
    )
