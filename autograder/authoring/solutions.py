"""Notebooks with other solutions in their cells.

The instructor's notebook with a mistake in it, the same in another style, a student's
answers put into the student version: all are one operation, `with_cells`.
"""

import ast
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from autograder.authoring.mistakes import Change, Mistake
from autograder.errors import UserError
from autograder.grading.notebooks import grade_id, is_autograded, runs_when_graded


class CellNotFound(UserError):
    """A notebook lacks a cell, or a cell lacks the text, that something refers to."""


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
    lines = source.split("\n")
    places = [(_place(lines, change, mistake), change) for change in mistake.changes]
    for start, change in sorted(places, key=lambda place: place[0], reverse=True):
        lines[start : start + len(change.before)] = change.after
    return with_cells(notebook, {mistake.cell: "\n".join(lines)})


def _place(lines: Sequence[str], change: Change, mistake: Mistake) -> int:
    """Return where the lines of a change are in a solution. Raises CellNotFound."""
    size = len(change.before)
    found = [i for i in range(len(lines)) if tuple(lines[i : i + size]) == change.before]
    if size == 0 or len(found) != 1:
        raise CellNotFound(
            f"mistake {mistake.name}: the lines {list(change.before)} occur {len(found)} times, "
            f"not once, in the cell {mistake.cell}; correct the lines with - in its file."
        )
    return found[0]


def only_checks_that_use(notebook: NotebookNode, cell: str) -> NotebookNode:
    """Copy a notebook without the check cells that a change in one cell cannot reach.

    It reaches the cells that use a name defined there, and those that use theirs in turn.
    """
    notebook = deepcopy(notebook)
    run = [c for c in notebook.cells if runs_when_graded(c)]
    names = [_names(c.source) for c in run]
    reached = {number for number, c in enumerate(run) if grade_id(c) == cell}
    while True:
        changed = set().union(*(names[number][0] for number in reached))
        more = {number for number, (_, used) in enumerate(names) if used & changed} - reached
        if not more:
            break
        reached |= more
    spared = {id(c) for number, c in enumerate(run) if number not in reached and is_autograded(c)}
    notebook.cells = [c for c in notebook.cells if id(c) not in spared]
    return notebook


def _names(source: str) -> tuple[set[str], set[str]]:
    """Return the names that a cell defines for others, and those that it uses anywhere.

    Both are empty if the cell is not Python.
    """
    try:
        tree = ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError:
        return set(), set()
    defined = set()
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            defined.add(statement.name)
        else:
            stored = (n for n in ast.walk(statement) if isinstance(n, ast.Name))
            defined |= {n.id for n in stored if isinstance(n.ctx, ast.Store)}
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    return defined, used


def with_functions(notebook: NotebookNode, file: Path) -> NotebookNode:
    """Copy a notebook; each function or class in a Python file replaces the cell of its name."""
    text = file.read_text()
    kinds = ast.FunctionDef, ast.ClassDef
    defined = [node for node in ast.parse(text).body if isinstance(node, kinds)]
    cells = set(map(grade_id, notebook.cells))
    if missing := next((d.name for d in defined if d.name not in cells), None):
        raise CellNotFound(f"alternatives/{file.name}: no cell has the grade_id {missing!r}.")
    return with_cells(notebook, {d.name: ast.get_source_segment(text, d) or "" for d in defined})
