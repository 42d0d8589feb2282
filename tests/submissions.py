"""The sample classes of this clone, by the names of its assignments."""

from functools import cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.authoring import checks
from autograder.authoring import sample_class as classes
from autograder.authoring.checks import Assignment
from autograder.authoring.sample_class import Student, cells_of, submit
from autograder.grading.course import Course, open_course

__all__ = ["ROOT", "Student", "cells_of", "submit"]

ROOT = Path(__file__).parents[1]
ASSIGNMENTS = sorted(path.parent.name for path in ROOT.glob("source/*/references.safetensors"))


@cache
def clone() -> Course:
    """Open the course of this clone."""
    return open_course(ROOT)


def folder(assignment: str) -> Path:
    """Return the folder of an assignment."""
    return ROOT / "source" / assignment


def known(assignment: str) -> Assignment:
    """Load the checks and the mistakes of an assignment."""
    return checks.load(folder(assignment))


def source_notebook(assignment: str) -> NotebookNode:
    """Read the instructor's notebook."""
    return nbformat.read(folder(assignment) / f"{assignment}.ipynb", 4)


def released_notebook(assignment: str) -> NotebookNode:
    """Read the student version."""
    return nbformat.read(ROOT / "assignments" / assignment / f"{assignment}.ipynb", 4)


def in_release(assignment: str, solved: NotebookNode) -> NotebookNode:
    """Put the solution cells of a notebook into the student version."""
    return classes.in_release(released_notebook(assignment), solved)


def sample_class(assignment: str) -> list[Student]:
    """Build every student of the sample class."""
    return classes.sample_class(clone().assignment(assignment))


def lay_out(target: Path) -> dict[str, int]:
    """Make a course folder with every sample class in `submitted/`."""
    return classes.lay_out(clone(), target)
