"""What pictures are drawn with."""

import subprocess
import sys

from autograder.notebook import plots
from tests.submissions import ASSIGNMENTS


def draw():
    plots.accuracies({"a": (7, 10), "b": (9, 10)}, lambda right, total: (right / total, 1.0))


def test_axes_have_labels_and_a_row_each(drawn):
    draw()
    (axes,) = drawn[0].axes
    assert axes.get_xlabel() and axes.get_ylabel()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]


def test_nothing_is_drawn_while_a_notebook_is_graded(drawn, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    draw()
    assert drawn == []


def test_matplotlib_is_imported_only_to_draw():
    lessons = [f"autograder.assignments.{name}.lesson.plots" for name in ASSIGNMENTS]
    code = (
        f"import sys; from importlib import import_module; [*map(import_module, {lessons})]\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
