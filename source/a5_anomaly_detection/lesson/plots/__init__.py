"""Pictures of parts, of defects, and of what finds them."""

from .anomalies import detection_curves, found_boxes, score_strips
from .defect_maps import heat_maps, masks_beside
from .drawings import drawings, pairs

__all__ = [
    "detection_curves",
    "drawings",
    "found_boxes",
    "heat_maps",
    "masks_beside",
    "pairs",
    "score_strips",
]
