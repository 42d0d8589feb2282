"""Notebooks as bytes, and what their cells are to nbgrader and to us.

nbformat's own reader and writer validate and indent in Python, which takes long.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import orjson
from nbformat import NotebookNode
from nbformat.v4.rwbase import split_lines

from autograder.notebook.mark import for_people_only

SYNCED = "gradient_check_synced"  # in a source notebook's metadata: the digest of its cells
NOTES = "gradient_check"  # in a notebook's metadata: what was repaired
VERDICT_MIME = "application/vnd.gradient-check.verdict+json"


def to_bytes(notebook: NotebookNode) -> bytes:
    """Write a notebook for a program to read."""
    return orjson.dumps(notebook)


def from_bytes(data: bytes) -> NotebookNode:
    """Read what `to_bytes` wrote."""
    return node(orjson.loads(data))


def node(value: Any) -> Any:
    """Make notebook nodes of the dicts in a value: nbformat's `from_dict`, in half the time."""
    if isinstance(value, dict):
        return _node_of((key, node(item)) for key, item in value.items())
    return [node(item) for item in value] if isinstance(value, list) else value


def _node_of(items: Iterable[tuple[str, Any]]) -> NotebookNode:
    """Make a node of items that are nodes already, without a look at each."""
    made = NotebookNode()
    dict.update(made, items)
    return made


def to_file_bytes(notebook: NotebookNode) -> bytes:
    """Write a notebook as files of it look: texts as lists of lines, keys in order."""
    apart = _node_of(notebook.items())
    apart.cells = [_copied(cell) for cell in notebook.cells]
    return orjson.dumps(split_lines(apart), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


def _copied(cell: NotebookNode) -> NotebookNode:
    """Copy as much of a cell as `split_lines` changes in place."""
    cell = _node_of(cell.items())
    if "attachments" in cell:
        named = ((name, _node_of(forms.items())) for name, forms in cell.attachments.items())
        cell.attachments = _node_of(named)
    if cell.cell_type == "code":
        cell.outputs = [_node_of(output.items()) for output in cell.outputs]
        for output in cell.outputs:
            if "data" in output:
                output.data = _node_of(output.data.items())
    return cell


def grade_id(cell: NotebookNode) -> str:
    """Return nbgrader's name for a cell, or an empty string."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def answers(notebook: NotebookNode) -> dict[str, str]:
    """Return what the score of each of nbgrader's cells depends on, by grade_id.

    That is its own text if a student writes in it, and else all code.
    """
    code = "\n\n".join("".join(c.source) for c in notebook.cells if c.cell_type == "code")
    return {
        grade_id(cell): "".join(cell.source) if cell.metadata.nbgrader.get("solution") else code
        for cell in notebook.cells
        if grade_id(cell)
    }


def answers_in(file: bytes) -> dict[str, str]:
    """Return the same for a file; nothing if it is no notebook."""
    with suppress(ValueError, AttributeError, TypeError, KeyError):
        return answers(from_bytes(file))
    return {}


def is_autograded(cell: NotebookNode) -> bool:
    """Say whether a judge gives this cell its points, and not a person."""
    metadata = cell.metadata.get("nbgrader", {})
    graded = bool(metadata.get("grade")) and not metadata.get("solution")
    return cell.cell_type == "code" and graded


def runs_when_graded(cell: NotebookNode) -> bool:
    """Say whether a cell is code, and not for the student only."""
    return cell.cell_type == "code" and not for_people_only(cell.source)
