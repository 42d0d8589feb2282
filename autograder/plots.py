"""Where the plots of notebooks released with version 0.1 are: kept for one version more."""

from importlib import import_module
from pathlib import Path
from typing import Any

from autograder import assignments


def __getattr__(name: str) -> Any:
    """Look for a plot in the lessons of all assignments."""
    for place in assignments.__path__:
        for lesson in sorted(Path(place).glob("*/lesson")):
            plots = import_module(f"{assignments.__name__}.{lesson.parent.name}.lesson.plots")
            if hasattr(plots, name):
                return getattr(plots, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
