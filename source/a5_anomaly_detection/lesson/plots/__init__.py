"""Pictures of parts, of defects, and of what finds them."""

from autograder.notebook.plots import heat_maps

from .anomalies import score_strips
from .drawings import drawings

__all__ = [
    "drawings",
    "heat_maps",
    "score_strips",
]
