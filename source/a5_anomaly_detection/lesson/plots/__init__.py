"""Pictures of parts, of defects, and of what finds them."""

from autograder.notebook.plots import accuracies

from .anomalies import detection_curves, score_strips
from .classifying import defect_rows, focal_losses
from .defect_maps import heat_maps
from .drawings import drawings

__all__ = [
    "accuracies",
    "defect_rows",
    "detection_curves",
    "drawings",
    "focal_losses",
    "heat_maps",
    "score_strips",
]
