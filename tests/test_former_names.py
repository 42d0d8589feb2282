"""What notebooks released with version 0.1 import goes on working for one version more."""

import importlib

import pytest


@pytest.mark.parametrize(
    "module, names",
    [
        ("autograder", ("Checker",)),
        ("autograder.handed_in", ("load_handed_in", "save_handed_in")),
        ("autograder.plots", ("curves", "sweeps", "fit_history", "kernel_places", "heat_maps")),
        ("autograder.plots", ("accuracies",)),
        ("data_scripts.curves", ("WORDS", "draw", "resnet152")),
        ("data_scripts.drawn.resnet", ("ResNetDrawn",)),
    ],
)
def test_a_former_name_is_still_there(module, names):
    found = importlib.import_module(module)
    assert all(callable(getattr(found, name)) or name == "WORDS" for name in names)


def test_a_plot_that_never_was_is_an_attribute_error():
    from autograder import plots

    with pytest.raises(AttributeError, match="no attribute 'no_such_plot'"):
        plots.no_such_plot  # noqa: B018
