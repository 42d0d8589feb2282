"""Notebooks with other solutions in their cells.

The instructor's notebook with a mistake in it, the same in another style, a student's
answers put into the student version: all are one operation, `with_cells`.
"""

import ast
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

from nbformat import NotebookNode

from autograder.checks import Mistake


class CellNotFound(Exception):
    """A notebook lacks a cell, or a cell lacks the text, that something refers to."""


def grade_id(cell: NotebookNode) -> str:
    """Return nbgrader's name for a cell, or an empty string."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def with_cells(notebook: NotebookNode, sources: Mapping[str, str]) -> NotebookNode:
    """Copy a notebook and replace the source of cells by grade_id. Raises CellNotFound."""
    notebook = deepcopy(notebook)
    cells = {grade_id(cell): cell for cell in notebook.cells}
    for name, source in sources.items():
        if name not in cells:
            raise CellNotFound(f"no cell has the grade_id {name!r}.")
        cells[name].source = source
    return notebook


def with_mistake(notebook: NotebookNode, mistake: Mistake) -> NotebookNode:
    """Copy a solved notebook and make one mistake in it. Raises CellNotFound."""
    source = next((c.source for c in notebook.cells if grade_id(c) == mistake.cell), None)
    if source is None:
        raise CellNotFound(f"mistake {mistake.name}: no cell has the grade_id {mistake.cell!r}.")
    for right, wrong in mistake.change.items():
        if source.count(right) != 1:
            raise CellNotFound(
                f"mistake {mistake.name}: {right!r} stands {source.count(right)} times, not once, "
                f"in the cell {mistake.cell}; correct the mistake's change."
            )
        source = source.replace(right, wrong)
    return with_cells(notebook, {mistake.cell: source})


def with_functions(notebook: NotebookNode, file: Path) -> NotebookNode:
    """Copy a notebook; each function or class in a Python file replaces the cell of its name."""
    text = file.read_text()
    kinds = ast.FunctionDef, ast.ClassDef
    defined = [node for node in ast.parse(text).body if isinstance(node, kinds)]
    return with_cells(notebook, {d.name: ast.get_source_segment(text, d) for d in defined})
