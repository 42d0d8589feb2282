"""Pictures that the notebooks draw and that a student need not write.

They are for people. While a notebook is graded nothing is drawn, and matplotlib is not
even imported: that is a quarter of the time a submission takes.
"""

from autograder.plots.anomalies import detection_curves, found_boxes, score_strips
from autograder.plots.classifying import defect_rows, focal_losses
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
from autograder.plots.defect_maps import heat_maps, masks_beside
from autograder.plots.drawings import drawings, pairs
from autograder.plots.faces import attention, class_shares, face_rows, parameter_shares
from autograder.plots.fairness import confusion_matrix, prior_adjustment
from autograder.plots.graph import computational_graph
from autograder.plots.history import curves
from autograder.plots.mathematics import adagrad_gap, kernel_places
from autograder.plots.plane import decision_regions, points
from autograder.plots.trainings import trainings
from autograder.plots.transfer import accuracies, fit_history, what_a_backbone_sees

__all__ = [
    "accuracies",
    "adagrad_gap",
    "attention",
    "class_shares",
    "computational_graph",
    "confusion_matrix",
    "confusions",
    "curves",
    "decision_regions",
    "defect_rows",
    "detection_curves",
    "drawings",
    "face_rows",
    "fit_history",
    "focal_losses",
    "found_boxes",
    "heat_maps",
    "histories",
    "image_rows",
    "kernel_places",
    "masks_beside",
    "pairs",
    "parameter_shares",
    "points",
    "prior_adjustment",
    "rate_range",
    "score_strips",
    "sweeps",
    "swish",
    "templates",
    "training",
    "trainings",
    "what_a_backbone_sees",
]
