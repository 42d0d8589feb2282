"""Pictures of parts, of defects, and of what finds them."""

from autograder.notebook.plots import heat_maps

from .anomalies import score_strips
from .drawings import drawings, one_of_each

__all__ = [
    "drawings",
    "heat_maps",
    "one_of_each",
    "score_strips",
]
