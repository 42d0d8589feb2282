"""The assignments of a course, one folder each, wherever the course lies.

In the student's package they are folders of this one. In a course they are in its `source/`
folder: that of the course that the notebook lies in, or else of the clone that this file is in.
A notebook imports from here what is written for it alone:

    from autograder.assignments.a2_cifar10_debugging.lesson import plots
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType

from autograder.errors import UserError


class AssignmentNotFound(UserError):
    """An assignment has no folder here."""


def _sources() -> list[Path]:
    here = Path.cwd()
    above = (p / "source" for p in (here, *here.parents) if (p / "nbgrader_config.py").is_file())
    return [source for source in (*above, Path(__file__).parents[2] / "source") if source.is_dir()]


OWN = __path__[0]
__path__ = [*(str(source) for source in _sources()[:1]), OWN]


def use(source: Path) -> None:
    """Take the assignments from the `source` folder of a course, and from no other course.

    Assignments imported from elsewhere are forgotten: two courses may use the same names.
    """
    if str(source) == __path__[0]:
        return
    __path__[:] = [str(source), OWN]
    for name in [n for n in sys.modules if n.startswith(f"{__name__}.")]:
        del sys.modules[name]
        globals().pop(name.split(".")[2], None)
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


def lesson(assignment: str, name: str) -> ModuleType | None:
    """Return a module of an assignment's lesson, or None if the lesson has none of that name."""
    module = f"{__name__}.{assignment}.lesson.{name}"
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if f"{module}.".startswith(f"{error.name}."):
            return None
        raise
