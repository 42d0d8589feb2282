"""Pictures for transfer learning: image sizes, histories of fine-tuning, dev against use."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from autograder.notebook.plots import COLOURS, accuracies, figure, for_people

__all__ = ["accuracies", "fit_history", "said_and_found", "what_a_backbone_sees"]


@for_people
def what_a_backbone_sees(
    image: torch.Tensor,
    sizes: Sequence[int],
    preprocess: Callable[[torch.Tensor, int], torch.Tensor],
    backbone: Any,
    device: str = "cpu",
) -> None:
    """Show an image (1, 3, H, W) as prepared at each size, and the first map of every stage."""
    rows = []
    for size in sizes:
        prepared = preprocess(image, size).to(device)
        with torch.no_grad():
            maps = backbone.maps(prepared) if backbone.stages else []
        rows.append([_stretched(prepared[0]), *[found[0, :1].cpu() for found in maps]])
    with figure(2.1 * len(rows[0]), 2.4 * len(rows), rows=len(rows), columns=len(rows[0])) as grid:
        for axes_of_row, row in zip(grid.reshape(len(rows), -1), rows, strict=True):
            for axes, picture in zip(axes_of_row, row, strict=True):
                axes.imshow(picture.permute(1, 2, 0).numpy(), cmap="viridis")
                axes.set(xlabel="x [pixels]", ylabel="y [pixels]")
                for axis in (axes.xaxis, axes.yaxis):
                    axis.get_major_locator().set_params(integer=True)
                axes.set_title(f"{picture.shape[2]} × {picture.shape[1]}", fontsize=10)


@for_people
def fit_history(history: Mapping[str, Sequence[float]]) -> None:
    """Draw loss, accuracy and learning rate by epoch; a dot marks the epoch that was kept."""
    epochs = range(1, len(history["loss"]) + 1)
    best = min(epochs, key=lambda epoch: history["loss"][epoch - 1])
    titles = {"loss": "validation loss", "accuracy": "validation accuracy", "rate": "learning rate"}
    with figure(11, 3.2, columns=3) as grid:
        for axes, (name, title) in zip(grid, titles.items(), strict=True):
            axes.plot(epochs, history[name], color=COLOURS[0])
            axes.plot(best, history[name][best - 1], "o", color=COLOURS[1])
            axes.set(xlabel="epoch", ylabel=title, title=title)
            axes.xaxis.get_major_locator().set_params(integer=True)
        grid[1].set_ylim(0, 1)
        grid[2].set_yscale("log")


@for_people
def said_and_found(accuracies: Mapping[str, Sequence[float]]) -> None:
    """Draw for each way its accuracy on dev and in use, joined by a line."""
    places = range(len(accuracies), 0, -1)
    said, found = zip(*accuracies.values(), strict=True)
    with figure(8, 0.45 * len(accuracies) + 1.2) as axes:
        axes.hlines(places, said, found, color="0.7")
        axes.plot(said, places, "o", color=COLOURS[1], label="dev says")
        axes.plot(found, places, "o", color=COLOURS[0], label="in use")
        axes.set_yticks(list(places), list(accuracies))
        axes.set(xlim=(0, 1), xlabel="accuracy")
        axes.legend(loc="lower right")


def _stretched(image: torch.Tensor) -> torch.Tensor:
    """Bring an image (3, H, W) of any range into 0..1."""
    low, high = image.min(), image.max()
    return ((image - low) / (high - low).clamp(min=1e-6)).cpu()
