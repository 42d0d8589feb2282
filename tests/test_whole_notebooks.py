"""The solved student versions as a student runs them: every cell, training and pictures too."""

import re
import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from autograder.grading.notebooks import grade_id
from tests import submissions
from tests.test_notebooks import ASSIGNMENTS

MINUTES = 6  # on two cores, with the drawn data, where COUNTING takes half a second
COUNTING = 10_000_000
LONG = 20  # seconds; a cell that takes longer says so


@pytest.fixture(scope="session")
def slowness() -> float:
    """How much slower this machine is than the one whose minutes are stated; at least 1."""
    start, total = time.perf_counter(), 0
    for number in range(COUNTING):
        total += number
    return max(1.0, (time.perf_counter() - start) / 0.5)


def seconds(notebook: NotebookNode) -> Iterator[tuple[int, float]]:
    """Yield the number of each code cell that ran, and the seconds it took."""
    for number, cell in enumerate(notebook.cells):
        if times := cell.metadata.get("execution"):
            begin, end = (
                datetime.fromisoformat(times[f"{when}"].replace("Z", "+00:00"))
                for when in ("iopub.execute_input", "shell.execute_reply")
            )
            yield number, (end - begin).total_seconds()


def is_announced(notebook: NotebookNode, number: int) -> bool:
    """Say whether a cell, or a text not far above it, says how long it takes."""
    near = "".join(cell.source for cell in notebook.cells[max(number - 4, 0) : number + 1])
    return re.search(r"\b(seconds?|minutes?|min)\b", near) is not None


@pytest.mark.slow
@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_it_runs_without_an_error_in_six_minutes_and_every_public_check_passes(
    assignment, tmp_path, slowness
):
    solved = submissions.source_notebook(assignment)
    notebook = submissions.in_release(assignment, solved)
    place = {"metadata": {"path": str(tmp_path)}}
    limit, start = 60 * MINUTES * slowness, time.monotonic()
    NotebookClient(notebook, timeout=int(limit), kernel_name="python3", resources=place).execute()
    took = time.monotonic() - start
    by_cell = list(seconds(notebook))
    print(f"\n{assignment}: {took:.0f} s, on a machine {slowness:.1f} times slower")
    for number, time_of_cell in by_cell:
        if time_of_cell > 3:
            print(f"{time_of_cell:6.1f} s  {grade_id(notebook.cells[number]) or number}")
    assert took < limit
    long = [number for number, time_of_cell in by_cell if time_of_cell > LONG * slowness]
    assert [n for n in long if not is_announced(notebook, n)] == []
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    said = [
        output["data"]["text/plain"] for output in outputs if "text/html" in output.get("data", {})
    ]
    checked = [text.splitlines()[0] for text in said if " passed" in text.splitlines()[0]]
    graded = [cell for cell in notebook.cells if cell.source.startswith("check.public")]
    assert len(checked) == len(graded)
    for line in checked:
        passed, total = line.split(": ")[1].split(" cases")[0].split(" of ")
        assert passed == total, line
