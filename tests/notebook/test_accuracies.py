"""Accuracies with their intervals, as they are drawn."""

import numpy as np

from autograder.notebook import plots


def draw():
    """Two classifiers, with intervals from 10 % below to 20 % above."""
    plots.accuracies({"a": (7, 10), "b": (6, 8)}, lambda right, total: (
        right / total - 0.1, right / total + 0.2,
    ))  # fmt: skip


def test_axes_have_labels_and_a_row_each_the_first_on_top(drawn):
    draw()
    (axes,) = drawn[0].axes
    assert "%" in axes.get_xlabel() and axes.get_ylabel() == "classifier"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    bottom, top = axes.get_ylim()
    assert top < 0 < 1 < bottom


def test_each_row_has_its_share_in_percent_and_its_interval(drawn):
    draw()
    lines = [line.get_xydata() for line in drawn[0].axes[0].lines]
    assert np.allclose(lines[0], [[60, 0], [90, 0]])
    assert np.allclose(lines[1], [[70, 0]])
    assert np.allclose(lines[2], [[65, 1], [95, 1]])
    assert np.allclose(lines[3], [[75, 1]])


def test_nothing_is_drawn_while_a_notebook_is_graded(drawn, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    draw()
    assert drawn == []
