"""Pictures of faces, of what a network confuses, and of formulae."""

from .faces import attention, class_shares, face_rows, parameter_shares
from .fairness import confusion_matrix, prior_adjustment
from .mathematics import adagrad_gap, kernel_places
from .training_runs import training_runs

__all__ = [
    "adagrad_gap",
    "attention",
    "class_shares",
    "confusion_matrix",
    "face_rows",
    "kernel_places",
    "parameter_shares",
    "prior_adjustment",
    "training_runs",
]
