"""The student version in JupyterLab, in a real browser."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from autograder.authoring.checks import mistakes
from autograder.authoring.solutions import with_cells, with_mistake
from tests import submissions
from tests.fixtures import A1
from tests.lab import BROWSER, opened, run_all, save, show

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium (Debian: apt-get install chromium)"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


PICTURE = """from autograder.notebook.plots import figure
with figure(3, 2) as axes:
    axes.set_title("two numbers")
    axes.plot([1, 2])"""


@pytest.fixture
def notebook(tmp_path):
    """The student version with the forward pass, whose ReLU is forgotten, and with a picture."""
    mistaken = with_mistake(submissions.source_notebook(A1), KNOWN["no_relu"])
    answers = {
        c.metadata.nbgrader.grade_id: c.source for c in mistaken.cells if "nbgrader" in c.metadata
    }
    blank = submissions.released_notebook(A1)
    path = tmp_path / f"{A1}.ipynb"
    filled = with_cells(blank, {"nn_forward_pass": answers["nn_forward_pass"]})
    filled.cells.insert(1, new_code_cell(PICTURE))
    nbformat.write(filled, path)
    return path


KNOWN = {mistake.name: mistake for mistake in mistakes(submissions.folder(A1))}


def test_a_run_in_jupyterlab_shows_the_table_and_the_hint(notebook):
    with opened(notebook) as page:
        run_all(page)
        show(page, "forward_scores: ")
        assert page.get_by_text("Looks like:").first.is_visible()
        assert page.get_by_text(KNOWN["no_relu"].hint).first.is_visible()
        read_aloud = page.locator(".jp-CodeCell .jp-OutputArea").first.aria_snapshot()
        assert "img" in read_aloud and "Plot: two numbers" in read_aloud
        save(page)
    saved = nbformat.read(notebook, 4)
    assert any("text/html" in o.get("data", {}) for c in saved.cells for o in c.get("outputs", []))
