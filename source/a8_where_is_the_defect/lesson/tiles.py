"""Small pieces of images to train on, most of them around a defect."""

import torch
import torch.nn.functional as F

SIDE, TILE = 64, 32  # pixels: of the images that the U-Net sees, and of a tile


def shrunk(images: torch.Tensor) -> torch.Tensor:
    """Make images (N, 3, S, S), uint8, smaller, with numbers around 0."""
    small = F.interpolate(images / 255, (SIDE, SIDE), mode="bilinear", antialias=True)
    return (small - 0.5) / 0.25


def draw_tiles(
    images: torch.Tensor, masks: torch.Tensor, n: int, around: float = 0.7
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw n tiles and their masks, a share of them around a defect; mirrored by chance."""
    defective, tiles = masks.flatten(1).any(dim=1).nonzero()[:, 0], []
    for _ in range(n):
        i, (y, x) = torch.randint(len(images), ()), torch.randint(SIDE - TILE + 1, (2,))
        if torch.rand(()) < around:
            i = defective[torch.randint(len(defective), ())]
            places = masks[i, 0].nonzero()
            corner = places[torch.randint(len(places), ())] - torch.randint(TILE, (2,))
            y, x = corner.clamp(0, SIDE - TILE)
        tile = torch.cat([images[i], masks[i]])[:, y : y + TILE, x : x + TILE]
        flipped = [dim for dim in (1, 2) if torch.rand(()) < 0.5]
        tiles.append(tile.flip(flipped))
    drawn = torch.stack(tiles)
    return drawn[:, :3], drawn[:, 3:] > 0
