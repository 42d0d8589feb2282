"""Heat maps beside the images they belong to, as they are drawn."""

import torch

from autograder.notebook import plots


def draw():
    """Two images with two maps each, then one with one."""
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    masks = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    masks[1, 0, 2:5, 3:6] = True
    plots.heat_maps(images, masks, {"one": torch.rand(2, 4, 4), "two": torch.zeros(2, 8, 8)}, "ab")
    plots.heat_maps(images[:1], masks[:1], {"one": torch.rand(1, 4, 4)}, "a")


def test_every_picture_has_labelled_axes(drawn):
    draw()
    assert len(drawn) == 2
    for figure in drawn:
        assert {"x [pixels]"} <= {axes.get_xlabel() for axes in figure.axes}
        assert all(axes.get_ylabel() for axes in figure.axes if axes.get_subplotspec() is None)
        assert figure.axes[0].get_ylabel() == "y [pixels]"


def test_the_outline_of_a_mask_is_drawn_over_the_image_and_its_maps(drawn):
    draw()
    outlined = [bool(axes.collections) for axes in drawn[0].axes[:6]]
    assert outlined == [False, False, False, True, True, True]  # the first image has no defect


def test_nothing_is_drawn_while_a_notebook_is_graded(drawn, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    draw()
    assert drawn == []
