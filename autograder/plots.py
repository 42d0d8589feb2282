"""Pictures that the notebooks draw and that a student need not write."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import FancyArrowPatch

COLOURS = ("#0072b2", "#d55e00", "#009e73")  # told apart by colour-blind readers too


def points(X: torch.Tensor, y: torch.Tensor) -> None:
    """Scatter points X (N, 2) in the colours of their labels y (N,)."""
    figure, axes = plt.subplots(figsize=(5.2, 4), layout="constrained")
    _scatter(axes, X, y)
    plt.show()


def decision_regions(
    predict: Callable[[torch.Tensor], torch.Tensor], X: torch.Tensor, y: torch.Tensor
) -> None:
    """Colour the plane by the predicted class, with the points X (N, 2) and labels y (N,) on it."""
    ticks = torch.linspace(-1.3, 1.3, 160, dtype=X.dtype)
    grid = torch.cartesian_prod(ticks, ticks)
    regions = predict(grid).reshape(len(ticks), len(ticks)).T
    figure, axes = plt.subplots(figsize=(5.2, 4), layout="constrained")
    levels = [c - 0.5 for c in range(len(COLOURS) + 1)]
    axes.contourf(ticks, ticks, regions, levels=levels, colors=COLOURS, alpha=0.25)
    _scatter(axes, X, y)
    accuracy = (predict(X) == y).double().mean().item()
    axes.set_title(f"predicted class; accuracy on the points {accuracy:.1%}")
    plt.show()


def curves(stats: Mapping[str, Sequence[float]]) -> None:
    """Draw the loss of each step, and the accuracies after each epoch."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
    left.plot(stats["loss_history"], lw=1)
    left.set(xlabel="step", ylabel="loss of the mini-batch", title="loss")
    for name, label in (("train_acc_history", "training"), ("val_acc_history", "validation")):
        values = stats[name]
        right.plot(range(1, len(values) + 1), values, label=label)
    right.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1.02), title="accuracy")
    right.xaxis.get_major_locator().set_params(integer=True)
    right.legend()
    plt.show()


def computational_graph() -> None:
    """Draw the two-layer net as a graph: values forward, the shapes of their gradients backward."""
    nodes = {
        "X": (0, 1, "(N, D)"), "W1": (0, 0, "(D, H)"), "b1": (1.3, 0, "(H,)"),
        "X W1 + b1": (2.2, 1, "(N, H)"), "ReLU": (4.1, 1, "(N, H)"), "W2": (4.1, 0, "(H, C)"),
        "b2": (5.4, 0, "(C,)"), "hidden W2 + b2": (6.2, 1, "(N, C)"),
        "softmax loss": (8.4, 1, "()"), "penalty": (8.4, -0.75, "()"), "loss": (10, 0.3, "()"),
    }  # fmt: skip
    edges = [
        ("X", "X W1 + b1"), ("W1", "X W1 + b1"), ("b1", "X W1 + b1"), ("X W1 + b1", "ReLU"),
        ("ReLU", "hidden W2 + b2"), ("W2", "hidden W2 + b2"), ("b2", "hidden W2 + b2"),
        ("hidden W2 + b2", "softmax loss"), ("softmax loss", "loss"),
        ("W1", "penalty"), ("W2", "penalty"), ("penalty", "loss"),
    ]  # fmt: skip
    figure, axes = plt.subplots(figsize=(11, 3.4), layout="constrained")
    boxes = {}
    for name, (x, y, shape) in nodes.items():
        style = {"boxstyle": "round,pad=0.35", "fc": "#eef3f8", "ec": "#44546a"}
        boxes[name] = axes.text(
            x, y, f"{name}\n{shape}", ha="center", va="center", fontsize=9, bbox=style, zorder=3
        )
    for start, end in edges:
        _edge(axes, nodes, boxes, start, end)
    axes.plot([], [], color="#44546a", label="forward: values")
    axes.plot(
        [],
        [],
        color="#d55e00",
        ls="--",
        label="backward: gradients, each with the shape of its value",
    )
    axes.legend(loc="lower center", ncols=2, frameon=False, bbox_to_anchor=(0.5, -0.16))
    axes.set(xlim=(-0.7, 10.7), ylim=(-1.15, 1.45))
    axes.axis("off")
    plt.show()


def _edge(axes: plt.Axes, nodes: Mapping, boxes: Mapping, start: str, end: str) -> None:
    """Draw an arrow from box to box and, unless it starts at the data, a gradient back."""
    style = {"arrowstyle": "-|>", "mutation_scale": 12, "shrinkA": 3, "shrinkB": 3}
    ends = {"posA": nodes[start][:2], "posB": nodes[end][:2]}
    boxed = {"patchA": boxes[start].get_bbox_patch(), "patchB": boxes[end].get_bbox_patch()}
    axes.add_patch(FancyArrowPatch(**ends, **boxed, **style, color="#44546a"))
    if start != "X":
        back = {"posA": ends["posB"], "posB": ends["posA"]}
        boxed = {"patchA": boxed["patchB"], "patchB": boxed["patchA"]}
        curve = {"connectionstyle": "arc3,rad=0.25", "linestyle": "--", "color": "#d55e00"}
        axes.add_patch(FancyArrowPatch(**back, **boxed, **style, **curve))


def _scatter(axes: plt.Axes, X: torch.Tensor, y: torch.Tensor) -> None:
    for label, colour in enumerate(COLOURS):
        chosen = X[y == label]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=14, color=colour, label=f"class {label}")
    axes.set(xlabel="first feature", ylabel="second feature", aspect="equal")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
