"""The solved student versions as a student runs them: every cell, training and pictures too."""

import time

import pytest
from nbclient import NotebookClient

from tests import submissions
from tests.test_notebooks import ASSIGNMENTS

MINUTES = 4  # on two cores, with the drawn data


@pytest.mark.slow
@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_it_runs_without_an_error_in_four_minutes_and_every_public_check_passes(
    assignment, tmp_path
):
    solved = submissions.source_notebook(assignment)
    notebook = submissions.in_release(assignment, solved)
    place = {"metadata": {"path": str(tmp_path)}}
    start = time.monotonic()
    NotebookClient(notebook, timeout=60 * MINUTES, kernel_name="python3", resources=place).execute()
    assert time.monotonic() - start < 60 * MINUTES
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
