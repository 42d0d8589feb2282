"""The two-layer net as a computational graph."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autograder.notebook.plots import figure, for_people

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NODES = {  # of the two-layer net: place in the picture, and shape
    "X": (0, 1, "(N, D)"), "W1": (0, 0, "(D, H)"), "b1": (1.3, 0, "(H,)"),
    "X W1 + b1": (2.2, 1, "(N, H)"), "ReLU": (4.1, 1, "(N, H)"), "W2": (4.1, 0, "(H, C)"),
    "b2": (5.4, 0, "(C,)"), "hidden W2 + b2": (6.2, 1, "(N, C)"),
    "softmax loss": (8.4, 1, "()"), "penalty": (8.4, -0.75, "()"), "loss": (10, 0.3, "()"),
}  # fmt: skip
EDGES = (
    ("X", "X W1 + b1"), ("W1", "X W1 + b1"), ("b1", "X W1 + b1"), ("X W1 + b1", "ReLU"),
    ("ReLU", "hidden W2 + b2"), ("W2", "hidden W2 + b2"), ("b2", "hidden W2 + b2"),
    ("hidden W2 + b2", "softmax loss"), ("softmax loss", "loss"),
    ("W1", "penalty"), ("W2", "penalty"), ("penalty", "loss"),
)  # fmt: skip
FORWARD, BACKWARD = {"color": "#44546a"}, {"color": "#d55e00", "linestyle": "--"}


@for_people
def computational_graph() -> None:
    """Draw the two-layer net as a graph: values forward, the shapes of their gradients backward."""
    with figure(11, 3.4) as axes:
        box = {"boxstyle": "round,pad=0.35", "fc": "#eef3f8", "ec": "#44546a"}
        boxes = {
            name: axes.text(
                x, y, f"{name}\n{shape}", ha="center", va="center", fontsize=9, bbox=box, zorder=3
            ).get_bbox_patch()
            for name, (x, y, shape) in NODES.items()
        }
        for start, end in EDGES:
            _arrow(axes, boxes, start, end, **FORWARD)
            if start != "X":  # the data have no gradient
                _arrow(axes, boxes, end, start, **BACKWARD, connectionstyle="arc3,rad=0.25")
        axes.plot([], [], **FORWARD, label="forward: values")
        label = "backward: gradients, each with the shape of its value"
        axes.plot([], [], **BACKWARD, label=label)
        axes.legend(loc="lower center", ncols=2, frameon=False, bbox_to_anchor=(0.5, -0.16))
        axes.set(xlim=(-0.7, 10.7), ylim=(-1.15, 1.45))
        axes.axis("off")


def _arrow(axes: "Axes", boxes: Mapping[str, Any], start: str, end: str, **style: Any) -> None:
    """Draw an arrow from the edge of one box to the edge of another."""
    from matplotlib.patches import FancyArrowPatch

    arrow = FancyArrowPatch(
        NODES[start][:2], NODES[end][:2], patchA=boxes[start], patchB=boxes[end],
        arrowstyle="-|>", mutation_scale=12, shrinkA=3, shrinkB=3, **style,
    )  # fmt: skip
    axes.add_patch(arrow)
