"""A figure for people: shown in the end, and not drawn while a notebook is graded."""

import pytest

from autograder.notebook.plots.figure import COLOURS, figure, for_people


def test_a_figure_has_its_size_and_is_shown_when_all_is_drawn(drawn):
    with figure(6, 2) as axes:
        axes.plot([1, 2])
        assert drawn == []
    (shown,) = drawn
    assert shown.get_size_inches().tolist() == [6, 2]
    assert shown.axes == [axes]


@pytest.mark.parametrize("columns, rows, shape", [(3, 1, (3,)), (1, 2, (2,)), (3, 2, (2, 3))])
def test_a_figure_may_have_several_axes(drawn, columns, rows, shape):
    with figure(6, 2, columns, rows) as axes:
        assert axes.shape == shape
    assert len(drawn[0].axes) == columns * rows


def test_a_figure_that_could_not_be_drawn_is_not_shown(drawn):
    with pytest.raises(ZeroDivisionError), figure(6, 2):
        1 / 0  # noqa: B018
    assert drawn == []


def test_what_is_for_people_is_drawn_except_while_a_notebook_is_graded(monkeypatch):
    asked = []

    @for_people
    def draw(*numbers, **more):
        """Draw numbers."""
        asked.append((numbers, more))

    draw(1, colour="red")
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    draw(2)
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    draw(3)
    assert asked == [((1,), {"colour": "red"}), ((3,), {})]
    assert (draw.__name__, draw.__doc__) == ("draw", "Draw numbers.")


def test_colours_differ_in_how_bright_they_are_too():
    """So they can be told apart in print, and by eyes that see no colour."""
    bright = [sum(int(c[i : i + 2], 16) * w for i, w in ((1, 0.3), (3, 0.59), (5, 0.11)))
              for c in COLOURS]  # fmt: skip
    assert min(abs(a - b) for a in bright for b in bright if a != b) > 5
