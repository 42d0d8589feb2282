"""Photographs of parts, and how an autoencoder redraws them."""

from collections.abc import Sequence

import torch

from autograder.notebook.plots import figure, for_people
from autograder.notebook.plots.heat_maps import outline


@for_people
def one_of_each(
    images: torch.Tensor, masks: torch.Tensor, classes: torch.Tensor, names: Sequence[str]
) -> None:
    """Draw the first image (N, 3, H, W), uint8, of each class, with its mask (N, 1, H, W)."""
    with figure(1.9 * len(names), 2.1, len(names)) as axes:
        for kind, (axis, name) in enumerate(zip(axes, names, strict=True)):
            first = int((classes == kind).nonzero()[0])
            axis.imshow(images[first].permute(1, 2, 0).numpy())
            outline(axis, masks[first])
            axis.set(xticks=[], yticks=[])
            axis.set_title(name, fontsize=9)


@for_people
def drawings(
    images: torch.Tensor, drawn: torch.Tensor, maps: torch.Tensor, titles: Sequence[str]
) -> None:
    """Draw images and their drawings (n, 3, H, W) in 0..1, and maps (n, h, w) below, a column each.

    All maps have one scale, which ends at the 99.5th percentile.
    """
    n = len(images)
    rows = {"photograph": images, "drawing": drawn, "squared error": maps}
    top = float(torch.quantile(maps.flatten().float(), 0.995))
    with figure(1.7 * n, 5.2, n, 3) as axes:
        for row, (name, values) in zip(axes, rows.items(), strict=True):
            for axis, value in zip(row, values, strict=True):
                if value.dim() == 3:
                    axis.imshow(value.permute(1, 2, 0).numpy())
                else:
                    shown = axis.imshow(value.numpy(), cmap="magma", vmin=0, vmax=top)
                axis.set(xticks=[], yticks=[])
            row[0].set_ylabel(name)
        for axis, title in zip(axes[0], titles, strict=True):
            axis.set_title(title, fontsize=9)
        axes[0][0].figure.colorbar(shown, ax=axes[2], shrink=0.8, label="mean squared error")
