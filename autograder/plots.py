"""Pictures that the notebooks draw and that a student need not write.

They are for people. While a notebook is graded nothing is drawn, and matplotlib is not
even imported: that is a quarter of the time a submission takes.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import torch

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
COLOURS = ("#0072b2", "#d55e00", "#009e73")  # told apart by colour-blind readers too


def for_people(draw: Callable[..., None]) -> Callable[..., None]:
    """Let a picture be drawn except while the notebook is graded."""

    @wraps(draw)
    def drawn(*arguments: Any, **keywords: Any) -> None:
        if os.environ.get("NBGRADER_EXECUTION") != "autograde":
            draw(*arguments, **keywords)

    return drawn


@contextmanager
def figure(width: float, height: float, columns: int = 1) -> Iterator[Any]:
    """Yield the axes of a new figure, inches wide and high, and show it in the end."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, columns, figsize=(width, height), layout="constrained")
    yield axes
    plt.show()


@for_people
def points(X: torch.Tensor, y: torch.Tensor) -> None:
    """Scatter points X (N, 2) in the colours of their labels y (N,)."""
    with figure(5.2, 4) as axes:
        _scatter(axes, X, y)


@for_people
def decision_regions(
    predict: Callable[[torch.Tensor], torch.Tensor], X: torch.Tensor, y: torch.Tensor
) -> None:
    """Colour the plane by the predicted class, with the points X (N, 2) and labels y (N,) on it."""
    ticks = torch.linspace(-1.3, 1.3, 160, dtype=X.dtype)
    regions = predict(torch.cartesian_prod(ticks, ticks)).reshape(len(ticks), len(ticks)).T
    levels = [c - 0.5 for c in range(len(COLOURS) + 1)]
    accuracy = (predict(X) == y).double().mean().item()
    with figure(5.2, 4) as axes:
        axes.contourf(ticks, ticks, regions, levels=levels, colors=COLOURS, alpha=0.25)
        axes.set_title(f"predicted class; accuracy on the points {accuracy:.1%}")
        _scatter(axes, X, y)


@for_people
def curves(stats: Mapping[str, Sequence[float]]) -> None:
    """Draw the loss of each step, and the accuracies after each epoch."""
    with figure(10, 3.4, columns=2) as (left, right):
        left.plot(stats["loss_history"], lw=1)
        left.set(xlabel="step", ylabel="loss of the mini-batch", title="loss")
        for name, label in (("train_acc_history", "training"), ("val_acc_history", "validation")):
            values = stats[name]
            right.plot(range(1, len(values) + 1), values, label=label)
        right.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1.02), title="accuracy")
        right.xaxis.get_major_locator().set_params(integer=True)
        right.legend()


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


def _scatter(axes: "Axes", X: torch.Tensor, y: torch.Tensor) -> None:
    for label, colour in enumerate(COLOURS):
        chosen = X[y == label]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=14, color=colour, label=f"class {label}")
    axes.set(xlabel="first feature", ylabel="second feature", aspect="equal")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
