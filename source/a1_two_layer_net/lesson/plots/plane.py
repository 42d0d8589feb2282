"""Points in the plane, and what a classifier says of it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from autograder.notebook.plots import COLOURS, figure, for_people

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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


def _scatter(axes: "Axes", X: torch.Tensor, y: torch.Tensor) -> None:
    for label, colour in enumerate(COLOURS):
        chosen = X[y == label]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=14, color=colour, label=f"class {label}")
    axes.set(xlabel="first feature", ylabel="second feature", aspect="equal")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
