"""Pictures of faces, of training runs, and of what a network confuses."""

from .faces import attention, class_shares, face_rows
from .fairness import confusion_matrix, prior_adjustment
from .training_runs import training_runs

__all__ = [
    "attention",
    "class_shares",
    "confusion_matrix",
    "face_rows",
    "prior_adjustment",
    "training_runs",
]
