"""The assignment that `autograder new` writes, which docs/authors.md shows."""

from pathlib import Path

import jupytext
from nbformat import NotebookNode

from autograder.authoring.new import EXAMPLE as NAME
from autograder.authoring.new import TEMPLATE, new
from autograder.authoring.release import KERNEL

__all__ = ["NAME", "TEMPLATE"]


def notebook() -> NotebookNode:
    """Build the example's source notebook."""
    built = jupytext.read(TEMPLATE / f"{NAME}.py")
    built.metadata["kernelspec"] = KERNEL
    return built


def install(course: Path) -> Path:
    """Write the example into a course folder. Returns its folder."""
    list(new(course, NAME))
    return course / "source" / NAME
