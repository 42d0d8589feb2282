"""A small model of an office with a camera: photographs from elsewhere, recordings, later frames.

The objects are drawn, so we can do what no office can: film as many new objects as we like with
the same camera, and measure how often a network is right in use.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from data_scripts.synthetic import objects

PHOTOGRAPHS, RECORDINGS, FRAMES, IN_USE = 3_000, 200, 5, 1_500
BLUR = 26  # pixels of 32 that the camera resolves


@dataclass(frozen=True)
class Office:
    """Images (N, 3, 32, 32) uint8 with labels (N,) from both sources, and frames in use.

    `domains` is 0 for a photograph from elsewhere and 1 for a frame of the camera. `recordings`
    is the recording that a frame belongs to, -1 for a photograph. Each frame in use shows a
    different object.
    """

    X: torch.Tensor
    y: torch.Tensor
    domains: torch.Tensor
    recordings: torch.Tensor
    X_in_use: torch.Tensor
    y_in_use: torch.Tensor


def draw(seed: int = 0) -> Office:
    """Draw 3,000 photographs, 200 recordings of 5 frames, and 1,500 frames in use."""
    rng = np.random.RandomState(seed)
    photographs, y = objects.split(rng, PHOTOGRAPHS)
    recorded, y_recorded = objects.split(rng, RECORDINGS)
    later, y_later = objects.split(rng, IN_USE)
    generator = torch.Generator().manual_seed(seed)
    frames = film(recorded, FRAMES, generator)
    numbers = torch.arange(RECORDINGS).repeat_interleave(FRAMES)
    return Office(
        torch.cat([photographs, frames]),
        torch.cat([y, y_recorded.repeat_interleave(FRAMES)]).long(),
        torch.cat([torch.zeros(len(y)), torch.ones(len(frames))]).long(),
        torch.cat([-torch.ones(len(y)), numbers]).long(),
        film(later, 1, generator),
        y_later.long(),
    )


def film(objects_seen: torch.Tensor, frames: int, generator: torch.Generator) -> torch.Tensor:
    """Return frames (N·frames, 3, 32, 32) of objects (N, 3, 32, 32), grouped by object.

    The camera is dim, pale and a little blurred, and looks down. Within a recording the light
    stays the same, and the object moves by about a pixel.
    """
    n = len(objects_seen)
    X = (objects_seen.float() / 255).repeat_interleave(frames, dim=0)
    view = torch.zeros(len(X), 2, 3)
    view[:, 0, 0], view[:, 1, 1] = 1.0, 1.1  # it looks down: heights are shortened
    view[:, :, 2] = 0.03 * torch.randn(len(X), 2, generator=generator)
    grid = F.affine_grid(view, list(X.shape), align_corners=False)
    X = F.grid_sample(X, grid, padding_mode="reflection", align_corners=False)
    X = F.interpolate(X, size=BLUR, mode="bilinear", antialias=True)
    X = F.interpolate(X, size=32, mode="bilinear")
    X = 0.6 * X + 0.4 * X.mean(dim=1, keepdim=True)
    light = 0.6 + 0.2 * torch.rand(n, 1, 1, 1, generator=generator)
    X = X * light.repeat_interleave(frames, dim=0)
    X = X + 0.02 * torch.randn(X.shape, generator=generator)
    return (255 * X.clamp(0, 1)).round().byte()
