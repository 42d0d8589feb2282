"""Pictures of the two-layer net."""

from .graph import computational_graph
from .history import curves
from .plane import decision_regions, points

__all__ = [
    "computational_graph",
    "curves",
    "decision_regions",
    "points",
]
