"""The pictures of the two-layer net."""

from autograder.assignments.a1_two_layer_net.lesson import plots
from data_scripts import toy

STATS = {"loss_history": [2.0, 1.0], "train_acc_history": [0.5], "val_acc_history": [0.4]}


def draw_all():
    data = toy.load()
    plots.points(data.X, data.y)
    plots.decision_regions(lambda X: (X[:, 0] > 0).long(), data.X, data.y)
    plots.curves(STATS)
    plots.computational_graph()


def test_every_axis_has_a_label(drawn):
    draw_all()
    assert len(drawn) == 4
    for figure in drawn[:3]:
        assert all(axes.get_xlabel() and axes.get_ylabel() for axes in figure.axes)


def test_nothing_is_drawn_while_a_notebook_is_graded(drawn, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    draw_all()
    assert drawn == []
