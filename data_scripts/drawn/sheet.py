"""A contact sheet: the first images of each class, one class a block, to look at a data set."""

import math

import numpy as np
import torch
from PIL import Image, ImageDraw

MARGIN, CAPTION = 2, 12  # pixels


def contact_sheet(
    images: torch.Tensor,
    labels: torch.Tensor,
    classes: tuple[str, ...],
    rows: int = 1,
    columns_per_class: int = 10,
    blocks_across: int = 1,
    zoom: int = 1,
) -> Image.Image:
    """Return the first rows * columns_per_class images of each class under the class's name.

    images: (N, H, W), (N, 1, H, W) or (N, 3, H, W), uint8. labels: (N,) into classes.
    The classes' blocks stand `blocks_across` abreast, every image `zoom` times its size.
    """
    pixels = pixels_last(images)
    high, wide = pixels.shape[1] * zoom + MARGIN, pixels.shape[2] * zoom + MARGIN
    block = (wide * columns_per_class + 2 * MARGIN, high * rows + CAPTION + MARGIN)
    across = min(blocks_across, len(classes))
    down = math.ceil(len(classes) / across)
    sheet = Image.new("RGB", (block[0] * across, block[1] * down), "white")
    for k, name in enumerate(classes):
        left, top = block[0] * (k % across) + MARGIN, block[1] * (k // across)
        ImageDraw.Draw(sheet).text((left, top), name, fill="black")
        chosen = torch.nonzero(labels == k).flatten()[: rows * columns_per_class]
        for n, index in enumerate(chosen.tolist()):
            row, column = divmod(n, columns_per_class)
            tile = Image.fromarray(pixels[index]).resize(
                (wide - MARGIN, high - MARGIN), Image.Resampling.NEAREST
            )
            sheet.paste(tile, (left + column * wide, top + CAPTION + row * high))
    return sheet


def pixels_last(images: torch.Tensor) -> np.ndarray:
    """Return the images as (N, H, W, 3) uint8, grey ones in three equal channels."""
    if images.ndim == 3:
        images = images[:, None]
    return images.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().numpy()
