"""What an instructor may want to know of an assignment before a class depends on it."""

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution

from autograder.grading.course import AssignmentFolders
from autograder.grading.notebooks import grade_id
from autograder.grading.prepare import released_notebook
from autograder.notebook.cases import REFERENCES

HIDDEN = re.compile(r"(?ms)^ *### BEGIN HIDDEN TESTS.*?^ *### END HIDDEN TESTS *\n?")


def of_release(assignment: AssignmentFolders) -> str:
    """Say what is wrong with the student version; nothing if it is as it should be.

    Raises CourseError.
    """
    name, path = assignment.name, assignment.release / f"{assignment.name}.ipynb"
    if not path.is_file():
        return ""
    source = nbformat.read(assignment.notebook(), 4)
    if list(_told(source)) != list(_told(released_notebook(path))):
        return (
            f"{name}: {assignment.named(assignment.notebook())} has changed since the student "
            f"version was written; run `autograder release {name}`, and hand it out again."
        )
    if _in_git(path) and not _as_committed(path):
        return (
            f"{name}: the student version, {assignment.named(path)}, is not committed: is it the "
            "one that the class has?"
        )
    return ""


def of_cases(assignments: Iterable[AssignmentFolders]) -> str:
    """Say which assignments have hidden cases that everybody can read; nothing if none has."""
    paths = {assignment.name: assignment.source / REFERENCES for assignment in assignments}
    names = [name for name, path in paths.items() if _in_git(path) and _as_committed(path)]
    if not names:
        return ""
    return (
        f"{', '.join(names)}: the hidden cases are those of the repository, which everybody can "
        f"read. If the class counts, draw others: `autograder reference {names[0]} --seed N`, "
        "with a number of your own."
    )


def _told(notebook: NotebookNode) -> Iterator[tuple[str, str, float]]:
    """Yield what students are told: names, texts outside of solutions and hidden tests, points."""
    for cell in notebook.cells:
        text = "" if is_solution(cell) else HIDDEN.sub("", cell.source).strip()
        points = float(cell.metadata.nbgrader.points) if is_grade(cell) else 0.0
        yield grade_id(cell), text, points


def _in_git(path: Path) -> bool:
    return _git(path, "ls-files", "--error-unmatch", path.name)


def _as_committed(path: Path) -> bool:
    return _git(path, "diff", "--quiet", "HEAD", "--", path.name)


def _git(path: Path, *command: str) -> bool:
    """Say whether git says yes; it does not if there is none."""
    try:
        done = subprocess.run(["git", "-C", str(path.parent), *command], capture_output=True)
    except OSError:
        return False
    return done.returncode == 0
