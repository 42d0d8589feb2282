"""A contact sheet: the first images of each class, one class a block, to look at a data set."""

import math

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
    high, wide = (side * zoom + MARGIN for side in images.shape[-2:])
    block_wide, block_high = wide * columns_per_class + 2 * MARGIN, high * rows + CAPTION + MARGIN
    down = math.ceil(len(classes) / blocks_across)
    sheet = Image.new("RGB", (block_wide * blocks_across, block_high * down), "white")
    for k, name in enumerate(classes):
        left, top = block_wide * (k % blocks_across) + MARGIN, block_high * (k // blocks_across)
        ImageDraw.Draw(sheet).text((left, top), name, fill="black")
        chosen = torch.nonzero(labels == k).flatten()[: rows * columns_per_class]
        for n, index in enumerate(chosen.tolist()):
            row, column = divmod(n, columns_per_class)
            corner = (left + column * wide, top + CAPTION + row * high)
            sheet.paste(tile(images[index], zoom), corner)
    return sheet


def tile(image: torch.Tensor, zoom: int) -> Image.Image:
    """Return one image, (H, W), (1, H, W) or (3, H, W), with each pixel `zoom` wide and high."""
    pixels = image.expand(3, *image.shape[-2:]).permute(1, 2, 0).numpy()
    return Image.fromarray(pixels.repeat(zoom, axis=0).repeat(zoom, axis=1))
