"""Pictures of defects: masks beside each other, boxes, and synthetic defects."""

from collections.abc import Mapping, Sequence

import torch

from autograder.notebook.plots import figure, for_people, heat_maps
from autograder.notebook.plots.heat_maps import OUTLINE, outline, rows_of

__all__ = ["found_boxes", "heat_maps", "masks_beside", "pairs"]

TRUE, FOUND = OUTLINE, "magenta"  # where a defect is, and where one was found


@for_people
def masks_beside(
    images: torch.Tensor, masks: Mapping[str, torch.Tensor], titles: Sequence[str]
) -> None:
    """Draw a row for each image (n, 3, H, W), uint8: itself, then masks (n, H, W), bool, by name.

    The first mask is the true one; its outline is drawn over the others.
    """
    truth = next(iter(masks.values()))
    with rows_of(images, titles, len(masks)) as grid:
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
