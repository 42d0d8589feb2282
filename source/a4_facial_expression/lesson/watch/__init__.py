"""What the checks look at: the student's work is called, and described in numbers."""

from .attention import watch_explanation
from .augmentation import try_augmentation
from .batches import watch_batches
from .networks import report_cnn_logits, report_cnn_properties, small_cnn_properties
from .opinions import watch_flipping
from .sessions import compare_sessions
from .training import watch_fit

__all__ = [
    "compare_sessions",
    "report_cnn_logits",
    "report_cnn_properties",
    "small_cnn_properties",
    "try_augmentation",
    "watch_batches",
    "watch_explanation",
    "watch_fit",
    "watch_flipping",
]
