"""Images beside what was found in them: heat maps, and outlines of masks."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from autograder.notebook.plots.figure import figure, for_people

OUTLINE = "#00e5ff"  # seen on dark and on bright places


@for_people
def heat_maps(
    images: torch.Tensor,
    masks: torch.Tensor,
    maps: Mapping[str, torch.Tensor],
    titles: Sequence[str],
) -> None:
    """Draw a row for each image (n, 3, H, W), uint8: itself, then each of its maps (n, h, w).

    The outline is that of its mask (n, 1, H, W). Each type of map has one scale for all rows,
    which ends where the highest 1 % begin.
    """
    with rows_of(images, titles, len(maps)) as grid:
        for column, (name, found) in enumerate(maps.items(), start=1):
            found = found.float().cpu()
            low, high = found.min().item(), np.quantile(found.numpy(), 0.99)
            for row, axes in enumerate(grid[:, column]):
                extent = (-0.5, images.shape[3] - 0.5, images.shape[2] - 0.5, -0.5)
                drawn = axes.imshow(found[row].numpy(), cmap="inferno", vmin=low, vmax=high,
                                    extent=extent)  # fmt: skip
                outline(axes, masks[row, 0])
                axes.set_title(name, fontsize=9)
            axes.figure.colorbar(
                drawn, ax=list(grid[:, column]), shrink=0.5, label=name, extend="max"
            )
        for row, axes in enumerate(grid[:, 0]):
            outline(axes, masks[row, 0])


@contextmanager
def rows_of(images: torch.Tensor, titles: Sequence[str], columns: int) -> Generator[Any]:
    """Yield a grid of axes (n, 1 + columns) with the images, by title, in its first column."""
    with figure(2.7 * (1 + columns), 2.2 * len(images), 1 + columns, len(images)) as grid:
        grid = grid.reshape(len(images), 1 + columns)
        for axes in grid.flat:
            axes.set(xlabel="x [pixels]", ylabel="y [pixels]")
            axes.label_outer()
        for axes, image, title in zip(grid[:, 0], images, titles, strict=True):
            axes.imshow(image.permute(1, 2, 0).cpu().numpy())
            axes.set_title(title, fontsize=9)
        yield grid


def outline(axes: Any, mask: torch.Tensor, colour: str = OUTLINE) -> None:
    """Draw a line round what is true in a mask (H, W) or (1, H, W)."""
    if mask.any():
        shown = mask.reshape(mask.shape[-2:]).float().cpu().numpy()
        axes.contour(shown, levels=[0.5], colors=colour, linewidths=1)
