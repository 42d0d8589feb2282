"""Three interleaved spiral arms in the plane: small enough to look at, not linearly separable.

The points are a closed form, so they are the same on every machine and release.
"""

from dataclasses import dataclass

import torch

ARMS = 3


@dataclass(frozen=True)
class ToyData:
    """Points X (N, 2), float64, within 1.2 of the origin, and labels y (N,), int64, in 0..2."""

    X: torch.Tensor
    y: torch.Tensor
    X_val: torch.Tensor
    y_val: torch.Tensor


def load() -> ToyData:
    """Return 120 points to train on and 60 to validate on."""
    return ToyData(*spiral(40, wobble=1.0), *spiral(20, wobble=2.0))


def spiral(points_per_arm: int, wobble: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the points (N, 2) and labels (N,) of three arms; `wobble` moves the points about."""
    step = torch.arange(points_per_arm, dtype=torch.float64)
    radius = 0.15 + 0.85 * step / points_per_arm
    points, labels = [], []
    for arm in range(ARMS):
        noise = 0.12 * torch.sin(37.0 * wobble * (step + 1) + 11.0 * arm)
        angle = 2 * torch.pi * arm / ARMS + 4.5 * radius + noise / radius.clamp(min=0.3)
        points.append(torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1))
        labels.append(torch.full((points_per_arm,), arm))
    return torch.cat(points), torch.cat(labels)
