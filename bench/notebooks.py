"""What the cells of a solved source notebook define: the student's own functions."""

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from os import environ
from typing import Any
from unittest.mock import patch

from IPython.core.inputtransformer2 import TransformerManager

from autograder.grading.notebooks import grade_id
from tests.submissions import source_notebook


class Notebook(dict[str, Any]):
    """The names that the cells of an assignment's source notebook have defined so far.

    `settings` are what its cell of settings would set: REAL, DEVICE and so on.
    """

    def __init__(self, assignment: str, **settings: Any) -> None:
        super().__init__(settings)
        self.assignment = assignment
        cells = source_notebook(assignment).cells
        self.code = {grade_id(cell): cell.source for cell in cells if grade_id(cell)}

    def run(self, *cells: str, until: str = "", change: Mapping[str, str] | None = None) -> None:
        """Run cells, named by their grade_id, in this order. They print nothing and draw nothing.

        With `until`, run only what comes before this text. `change` replaces texts by others.
        Raises KeyError for a cell, or a text in it, that is not there.
        """
        for cell in cells:
            code = self.code[cell]
            for text in (*(change or {}), until):
                if text not in code:
                    raise KeyError(f"{self.assignment}: the cell {cell} has no {text!r}")
            code = code.partition(until)[0] if until else code
            for text, other in (change or {}).items():
                code = code.replace(text, other)
            drawn = {"NBGRADER_EXECUTION": "autograde"}  # a lesson draws nothing when graded
            with patch.dict(environ, drawn), redirect_stdout(io.StringIO()):
                exec(TransformerManager().transform_cell(code), self)
