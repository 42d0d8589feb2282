"""Find what is wrong with an instructor's notebook, before anything is made from it."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterator

import jupytext
import nbformat
from nbformat import NotebookNode

from autograder.grading.course import AssignmentFolders, CourseError
from autograder.grading.notebooks import grade_id, is_autograded

HIDDEN = re.compile(r"""\.hidden\(\s*["']([^"']+)""")


def proofread(assignment: AssignmentFolders) -> NotebookNode:
    """Read the instructor's notebook. Raises CourseError, a sentence for each problem."""
    path = assignment.notebook()
    notebook = nbformat.read(path, 4)
    place = assignment.named(path)
    text = path.with_suffix(".py")
    if text.exists() and parts(jupytext.read(text)) != parts(notebook):
        raise CourseError(
            f"{place}: it differs from {text.name}; `autograder sync {assignment.name}` writes "
            f"it from there, `jupytext --to py:percent {path.name}` goes the other way."
        )
    if found := [*open_regions(notebook), *wrong_names(notebook)]:
        raise CourseError("\n".join(f"{place}, {problem}" for problem in found))
    return notebook


def open_regions(notebook: NotebookNode) -> Iterator[str]:
    """Yield the cells in which a region for the instructor begins and does not end."""
    for number, cell in enumerate(notebook.cells, start=1):
        for region in ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME"):
            marks = re.findall(rf"(BEGIN|END) {region}", cell.source)
            if marks != ["BEGIN", "END"] * (len(marks) // 2):
                name = grade_id(cell) or cell.cell_type
                yield f"cell {number} ({name}): BEGIN {region} and END {region} do not match."


def wrong_names(notebook: NotebookNode) -> Iterator[str]:
    """Yield the cells whose grade_id is taken, or is not the name of the check they run."""
    often = Counter(map(grade_id, notebook.cells))
    for number, cell in enumerate(notebook.cells, start=1):
        name = grade_id(cell)
        if name and often[name] > 1:
            yield f"cell {number} ({name}): {often[name]} cells have this grade_id; rename one."
        checks = HIDDEN.findall(cell.source)
        if is_autograded(cell) and checks != [name]:
            found = " and ".join(checks) or "none"
            yield f"cell {number} ({name}): its check.hidden(…) names {found}, not its grade_id."


def unrecorded(notebook: NotebookNode, checks: Collection[str]) -> Iterator[str]:
    """Yield the graded cells for which there is no check of their name."""
    for number, cell in enumerate(notebook.cells, start=1):
        if is_autograded(cell) and grade_id(cell) not in checks:
            yield f"cell {number} ({grade_id(cell)}): there is no check of this name"


def parts(notebook: NotebookNode) -> list[tuple[str, str, dict]]:
    """Return what an author writes of each cell: its type, its text, and nbgrader's metadata."""
    return [
        (cell.cell_type, cell.source, dict(cell.metadata.get("nbgrader", {})))
        for cell in notebook.cells
    ]


def digest(notebook: NotebookNode) -> str:
    """Return a digest of what its author wrote."""
    text = json.dumps(parts(notebook), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
