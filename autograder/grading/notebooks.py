"""Notebooks as bytes, and what their cells are to nbgrader and to us.

nbformat's own reader and writer validate and indent in Python, which takes long.
"""

from copy import copy

import nbformat
import orjson
from nbformat import NotebookNode
from nbformat.v4.rwbase import split_lines

from autograder import NOT_GRADED

NOTES = "gradient_check"  # in a notebook's metadata: what was repaired
VERDICT_MIME = "application/vnd.gradient-check.verdict+json"


def to_bytes(notebook: NotebookNode) -> bytes:
    """Write a notebook for a program to read."""
    return orjson.dumps(notebook)


def from_bytes(data: bytes) -> NotebookNode:
    """Read what `to_bytes` wrote."""
    return nbformat.from_dict(orjson.loads(data))


def to_file_bytes(notebook: NotebookNode) -> bytes:
    """Write a notebook as files of it look: texts as lists of lines, keys in order."""
    apart = copy(notebook)
    apart.cells = [_copied(cell) for cell in notebook.cells]
    return orjson.dumps(split_lines(apart), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


def _copied(cell: NotebookNode) -> NotebookNode:
    """Copy as much of a cell as `split_lines` changes in place."""
    cell = copy(cell)
    if cell.cell_type == "code":
        cell.outputs = [copy(output) for output in cell.outputs]
        for output in cell.outputs:
            if "data" in output:
                output.data = copy(output.data)
    return cell


def grade_id(cell: NotebookNode) -> str:
    """Return nbgrader's name for a cell, or an empty string."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def is_autograded(cell: NotebookNode) -> bool:
    """Say whether a judge gives this cell its points, and not a person."""
    metadata = cell.metadata.get("nbgrader", {})
    graded = bool(metadata.get("grade")) and not metadata.get("solution")
    return cell.cell_type == "code" and graded


def runs_when_graded(cell: NotebookNode) -> bool:
    """Say whether a cell is code, and not for people only."""
    return cell.cell_type == "code" and cell.source.split("\n", 1)[0].strip() != NOT_GRADED
