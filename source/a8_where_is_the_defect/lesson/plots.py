"""Pictures of defects: heat maps, masks beside each other, boxes, and synthetic defects."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from autograder.notebook.plots import figure, for_people

OUTLINE = "#00e5ff"  # seen on dark and on bright places
TRUE, FOUND = OUTLINE, "magenta"  # where a defect is, and where one was found


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
    with _rows(images, titles, len(maps)) as grid:
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


@for_people
def masks_beside(
    images: torch.Tensor, masks: Mapping[str, torch.Tensor], titles: Sequence[str]
) -> None:
    """Draw a row for each image (n, 3, H, W), uint8: itself, then masks (n, H, W), bool, by name.

    The first mask is the true one; its outline is drawn over the others.
    """
    truth = next(iter(masks.values()))
    with _rows(images, titles, len(masks)) as grid:
        for column, (name, found) in enumerate(masks.items(), start=1):
            for row, axes in enumerate(grid[:, column]):
                axes.imshow(found[row].cpu().numpy(), cmap="gray", vmin=0, vmax=1)
                outline(axes, truth[row])
                axes.set_title(name, fontsize=9)


@for_people
def found_boxes(
    images: torch.Tensor,
    truth: tuple[torch.Tensor, Sequence[torch.Tensor]],
    found: tuple[torch.Tensor, Sequence[torch.Tensor]],
    titles: Sequence[str],
) -> None:
    """Draw images (n, 3, H, W), uint8, with outlines and boxes of what is there and was found.

    `truth` and `found` are masks (n, H, W), bool, and for each image boxes (k, 4), xyxy.
    """
    with figure(3 * len(images), 3.3, len(images)) as grid:
        for n, axes in enumerate([grid] if len(images) == 1 else grid):
            axes.imshow(images[n].permute(1, 2, 0).cpu().numpy())
            for colour, (masks, boxes) in ((TRUE, truth), (FOUND, found)):
                outline(axes, masks[n], colour)
                for x1, y1, x2, y2 in boxes[n].tolist():  # pixel k reaches from k - ½ to k + ½
                    left, right, top, bottom = x1 - 0.5, x2 - 0.5, y1 - 0.5, y2 - 0.5
                    corners = (left, right, right, left, left), (top, top, bottom, bottom, top)
                    axes.plot(*corners, color=colour, lw=1.2, ls="--")
            axes.set(xlabel="x [pixels]", ylabel="y [pixels]")
            axes.set_title(titles[n], fontsize=9)


@for_people
def pairs(images: torch.Tensor, masks: torch.Tensor, titles: Sequence[str]) -> None:
    """Draw images (n, 3, H, W), uint8, each above its mask (n, 1, H, W)."""
    n = len(images)
    picture = torch.cat(list(images.float() / 255), 2)
    below = torch.cat(list(masks.float()), 2).expand(3, -1, -1)
    with figure(1.7 * n, 3.6) as axes:
        axes.imshow(torch.cat([picture, below], 1).permute(1, 2, 0).numpy())
        _, _, H, W = images.shape
        axes.set_xticks([W * (i + 0.5) for i in range(n)], titles, fontsize=9)
        axes.set_yticks([H / 2, 3 * H / 2], ["part", "mask"])
        axes.grid(False)


@contextmanager
def _rows(images: torch.Tensor, titles: Sequence[str], columns: int) -> Iterator[Any]:
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
