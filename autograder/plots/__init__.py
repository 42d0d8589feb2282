"""Pictures that the notebooks draw and that a student need not write.

They are for people. While a notebook is graded nothing is drawn, and matplotlib is not
even imported: that is a quarter of the time a submission takes.
"""

from autograder.plots.debugging import (
    confusions,
    histories,
    image_rows,
    rate_range,
    sweeps,
    swish,
    templates,
    training,
)
from autograder.plots.graph import computational_graph
from autograder.plots.history import curves
from autograder.plots.plane import decision_regions, points
from autograder.plots.transfer import accuracies, fit_history, what_a_backbone_sees

__all__ = [
    "accuracies",
    "computational_graph",
    "confusions",
    "curves",
    "decision_regions",
    "fit_history",
    "histories",
    "image_rows",
    "points",
    "rate_range",
    "sweeps",
    "swish",
    "templates",
    "training",
    "what_a_backbone_sees",
]
