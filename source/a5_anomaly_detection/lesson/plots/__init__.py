"""Pictures of parts, of defects, and of what finds them."""

from .anomalies import score_strips
from .defect_maps import heat_maps
from .drawings import drawings

__all__ = [
    "drawings",
    "heat_maps",
    "score_strips",
]
