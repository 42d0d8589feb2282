"""Pictures of parts, of defects, and of what finds them."""

from autograder.notebook.plots import accuracies

from .anomalies import detection_curves, found_boxes, score_strips
from .classifying import defect_rows, focal_losses
from .defect_maps import heat_maps, masks_beside
from .drawings import drawings, pairs

__all__ = [
    "accuracies",
    "defect_rows",
    "detection_curves",
    "drawings",
    "focal_losses",
    "found_boxes",
    "heat_maps",
    "masks_beside",
    "pairs",
    "score_strips",
]
