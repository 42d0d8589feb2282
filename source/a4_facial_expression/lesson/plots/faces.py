"""Faces: rows of them, how many of which class, and where a network looks."""

from collections.abc import Mapping, Sequence

import torch

from autograder.notebook.plots import COLOURS, figure, for_people


@for_people
def face_rows(rows: Mapping[str, torch.Tensor], across: str | Sequence[str]) -> None:
    """Draw a row of grey images for each name: (n, 1, H, W), uint8 or floats in 0..1.

    `across` says what the columns are, in a sentence or with a name for each.
    """
    scaled = {name: _scaled(images) for name, images in rows.items()}
    H, W = next(iter(scaled.values())).shape[2:]
    width = max(map(len, scaled.values()))
    picture = torch.ones(len(scaled) * H, width * W)
    for place, images in enumerate(scaled.values()):
        picture[place * H : (place + 1) * H, : len(images) * W] = torch.cat(list(images[:, 0]), 1)
    with figure(1.5 + 0.75 * width, 0.6 + 0.75 * len(scaled)) as axes:
        axes.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=1)
        axes.set(ylabel="class", xticks=[])
        if isinstance(across, str):
            axes.set_xlabel(across)
        else:
            centres = [W * (place + 0.5) for place in range(len(across))]
            axes.set_xticks(centres, across, rotation=30, ha="right")
        axes.set_yticks([H * (place + 0.5) for place in range(len(scaled))], list(scaled))


@for_people
def class_shares(counts: Mapping[str, torch.Tensor], classes: Sequence[str]) -> None:
    """Draw the share of each class in each split, from counts (C,) by split."""
    width = 0.8 / len(counts)
    with figure(8, 3.4) as axes:
        for place, (name, count) in enumerate(counts.items()):
            left = [k + width * (place - (len(counts) - 1) / 2) for k in range(len(classes))]
            label = f"{name}, {int(count.sum()):,} faces"
            axes.bar(left, (100 * count / count.sum()).tolist(), width, color=COLOURS[place],
                     label=label)  # fmt: skip
        axes.set(xlabel="class", ylabel="share of the split [%]")
        axes.set_xticks(range(len(classes)), classes)
        axes.legend()


@for_people
def attention(
    images: torch.Tensor, maps: Mapping[str, torch.Tensor], titles: Sequence[str]
) -> None:
    """Draw a row for each image (N, 1, H, W): itself, then each of its maps (N, H, W) over it."""
    pictures = _scaled(images.cpu())[:, 0]
    columns = 1 + len(maps)
    with figure(2.6 * columns, 2.9 * len(images), columns, len(images)) as grid:
        grid = grid.reshape(len(images), columns)
        for n, (axes_of_row, title) in enumerate(zip(grid, titles, strict=True)):
            for axes in axes_of_row:
                axes.imshow(pictures[n].numpy(), cmap="gray", vmin=0, vmax=1)
                axes.set(xlabel="x [pixels]", ylabel="y [pixels]")
            axes_of_row[0].set_title(title, fontsize=9)
            for axes, (name, found) in zip(axes_of_row[1:], maps.items(), strict=True):
                axes.imshow(found[n].cpu().numpy(), cmap="inferno", alpha=0.7)
                axes.set_title(name, fontsize=9)


def _scaled(images: torch.Tensor) -> torch.Tensor:
    """Bring images that are stored as uint8 into 0..1."""
    return images.float() / 255 if images.dtype is torch.uint8 else images
