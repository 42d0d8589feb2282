"""Types of defects with the edges of their masks, and what the focal loss weighs."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F

from autograder.notebook.plots import accuracies, figure, for_people

__all__ = ["accuracies", "defect_rows", "focal_losses"]

EDGE = "#00d5ff"
SHADES = ("#000000", "#56b4e9", "#0072b2", "#d55e00", "#009e73")


@for_people
def defect_rows(rows: Mapping[str, tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Draw a row of images for each name, each without and with the edge of its mask.

    Images are (n, 3, H, W), uint8, masks (n, 1, H, W), bool.
    """
    H, W = next(iter(rows.values()))[0].shape[2:]
    columns = 2 * max(len(images) for images, _ in rows.values())
    picture = torch.full((len(rows) * H, columns * W, 3), 255, dtype=torch.uint8)
    for place, (images, masks) in enumerate(rows.values()):
        both = torch.cat([images, _outlined(images, masks)], dim=3)  # side by side
        across = torch.cat([*both], dim=2).permute(1, 2, 0)
        picture[place * H : (place + 1) * H, : across.shape[1]] = across
    with figure(1.5 + 1.3 * columns, 0.5 + 1.3 * len(rows)) as axes:
        axes.imshow(picture.numpy())
        axes.set(
            xlabel="the first test images of each class, without and with the mask",
            ylabel="class",
            xticks=[],
        )
        axes.set_yticks([H * (place + 0.5) for place in range(len(rows))], list(rows))


@for_people
def focal_losses(
    p: Sequence[float],
    losses: Mapping[float, Sequence[float]],
    pulls: Mapping[float, Sequence[float]],
) -> None:
    """Draw the loss of an image, and minus its slope in the true logit, by gamma, against p."""
    with figure(9, 3.6, columns=2) as grid:
        for axes, curves in zip(grid, (losses, pulls), strict=True):
            for (gamma, values), colour in zip(curves.items(), SHADES, strict=False):
                axes.plot(p, values, color=colour, label=f"γ = {gamma:g}")
            axes.set_xlabel("p, probability of the true class")
            axes.grid(alpha=0.3)
            axes.legend()
        grid[0].set_ylabel("loss")
        grid[1].set_ylabel("pull at the logit of the true class")


def _outlined(images: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Paint the pixels just outside of a mask."""
    wide = max(1, images.shape[-1] // 128)
    grown = F.max_pool2d(masks.float(), 2 * wide + 1, 1, wide) > 0
    colour = [int(EDGE[k : k + 2], 16) for k in (1, 3, 5)]
    paint = torch.tensor(colour, dtype=torch.uint8).view(1, 3, 1, 1)
    return torch.where(grown & ~masks, paint, images)
