"""A figure for people: shown in the end, and not drawn while a notebook is graded."""

import base64
import sys

import matplotlib.pyplot as plt
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from autograder.notebook.plots.figure import COLOURS, describe, figure, for_people

figure_module = sys.modules[figure.__module__]


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


def test_a_figure_is_described_for_those_who_cannot_see_it():
    figure_, (left, right) = plt.subplots(1, 2)
    left.plot([1, 2], label="training")
    left.plot([2, 1], label="validation")
    left.set(xlabel="epoch", ylabel="loss", title="the bad run")
    right.imshow([[1, 2]])
    said = "Plot: the bad run, loss against epoch, training, validation; image"
    assert describe(figure_) == said
    plt.close(figure_)


@pytest.fixture
def displayed(monkeypatch):
    """What a notebook displays: pairs of data and metadata."""
    shown = []
    monkeypatch.setattr(figure_module, "get_ipython", lambda: "a shell")
    monkeypatch.setattr(
        figure_module,
        "display",
        lambda data, metadata=None, raw=True: shown.append((data, metadata)),
    )
    return shown


def test_a_notebook_shows_a_picture_with_its_description(displayed, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    with figure(3, 2) as axes:
        axes.set(title="a title")
        axes.plot([1, 2])
    ((data, metadata),) = displayed
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == data["text/plain"] == "Plot: a title"
    assert not plt.get_fignums()


def test_jupyterlab_which_shows_no_alt_text_gets_the_description_beside_the_picture(
    displayed, monkeypatch
):
    monkeypatch.setenv("JPY_SESSION_NAME", "mine.ipynb")
    with figure(3, 2) as axes:
        axes.set(title="a < b")
        axes.plot([1, 2])
    picture, (beside, _) = displayed
    assert "image/png" in picture[0]
    assert ">Plot: a &lt; b</div>" in beside["text/html"]
    assert "clip-path" in beside["text/html"]  # eyes do not see it twice


def test_lines_without_a_colour_of_their_own_are_told_apart_by_everybody(drawn):
    with figure(3, 2) as axes:
        lines = [axes.plot([1, 2])[0].get_color() for _ in range(7)]
    assert tuple(lines[:3]) == COLOURS
    assert len(set(lines)) == 7
    assert plt.rcParams["axes.prop_cycle"].by_key()["color"][0] not in COLOURS  # outside, as before


def test_a_student_s_own_figure_is_shown_after_one_of_the_course():
    cells = [
        "from autograder.notebook.plots import figure\nwith figure(3, 2) as axes: axes.plot([1])",
        "import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])",
    ]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, kernel_name="python3").execute()
    for cell in notebook.cells:
        (output,) = cell.outputs
        assert "image/png" in output.data
