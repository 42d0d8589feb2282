"""The assignment that `autograder new` writes, which docs/authors.md shows.

It needs no kernel here: its notebook runs in this process, which takes milliseconds.
"""

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
import torch
from nbformat import NotebookNode
from nbformat.v4 import new_output

from autograder.authoring import record as recording
from autograder.authoring.new import EXAMPLE as NAME
from autograder.authoring.new import TEMPLATE, new
from autograder.authoring.release import KERNEL, release, sync
from autograder.authoring.solutions import with_cells
from autograder.grading import pipeline
from autograder.grading.course import AssignmentFolders, open_course
from autograder.grading.execute import Ran
from autograder.grading.notebooks import from_bytes, grade_id, is_autograded, to_bytes
from autograder.grading.prepare import Prepared, load_assignment
from autograder.notebook import cases, evidence
from autograder.notebook.check import observe_check
from tests.submissions import submit

__all__ = ["NAME", "TEMPLATE"]

CHECK = "squared_error_values"
STUB = "def squared_error(prediction, target):\n    raise NotImplementedError"
RIGHT = STUB.replace("raise NotImplementedError", "return ((prediction - target)**2).sum(1).mean()")
MISTAKEN = RIGHT.replace(".sum(1)", "")  # the mistake mean_over_everything


def notebook() -> NotebookNode:
    """Build the example's source notebook."""
    built = jupytext.read(TEMPLATE / f"{NAME}.py")
    built.metadata["kernelspec"] = KERNEL
    return built


def install(course: Path) -> Path:
    """Write the example into a course folder. Returns its folder."""
    list(new(course, NAME))
    return course / "source" / NAME


def released(course: Path) -> AssignmentFolders:
    """Write the example into a course folder, record its references and release it."""
    folder = install(course)
    folders = open_course(course).assignment(NAME)
    sync(folders)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "recorded_by", recorded)
        patch.setattr(recording, "ThreadPoolExecutor", lambda _: ThreadPoolExecutor(1))
        recording.record(folders).write(folder)
    release(folders)
    return folders


def executed(nb: NotebookNode, challenge: bytes) -> NotebookNode:
    """Execute the notebook as a kernel would: evidence in its outputs, and errors."""
    nb, asked, names = deepcopy(nb), cases.from_bytes(challenge), {"torch": torch}
    for cell in nb.cells:
        if is_autograded(cell):
            function = names[re.search(r", (\w+)\)", cell.source)[1]]
            outcomes = observe_check(asked[grade_id(cell)], function)
            data = {evidence.MIME: evidence.to_output(grade_id(cell), outcomes)}
            cell.outputs = [new_output("display_data", data=data)]
        elif grade_id(cell) == "squared_error":  # cells above it set up what is here already
            exec(cell.source, names)
    return nb


def recorded(nb: NotebookNode, challenge: bytes, *_: Any) -> list[dict]:
    """Execute the notebook and return its evidence as recorded."""
    return [data for cell in executed(nb, challenge).cells for data in evidence.in_cell(cell)]


def hand_in(folders: AssignmentFolders, student: str, solution: str = STUB) -> Path:
    """Hand in the student version with a solution in it. Returns the notebook's path."""
    blank = nbformat.read(folders.release / f"{NAME}.ipynb", 4)
    return submit(
        folders.course.root, NAME, student, with_cells(blank, {"squared_error": solution})
    )


def grade(folders: AssignmentFolders) -> dict[str, str]:
    """Grade who handed in, without a kernel. Returns errors by student."""
    challenge = load_assignment(folders).challenge

    def run_class(_: Any, todo: Iterable[Prepared], __: Any) -> Iterator[tuple[Prepared, Ran]]:
        for prepared in todo:
            given = {name: from_bytes(text) for name, text in prepared.notebooks.items()}
            ran = {name: to_bytes(executed(nb, challenge)) for name, nb in given.items()}
            yield prepared, Ran(ran, 0.0, 0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "run_class", run_class)
        return {one.student: one.error for one in pipeline.grade(folders, shared=object())}
