"""The regions of masks: connected components, image by image, as per-region overlap counts them."""

import numpy as np
import torch
from scipy import ndimage


def weights(masks: torch.Tensor) -> torch.Tensor:
    """Weigh each defective pixel of masks (N, H, W), bool, by 1 / (pixels of its region).

    Pixels that touch at a side or at a corner are connected. Returns weights (N, H, W), float64,
    with 0 for good pixels; those of a region add up to 1.
    """
    found = np.zeros(masks.shape)
    for n, (labels, areas) in enumerate(map(_labelled, masks.numpy())):
        found[n] = np.where(labels > 0, 1 / areas.clip(min=1)[labels], 0.0)
    return torch.from_numpy(found)


def sizes(masks: torch.Tensor) -> list[int]:
    """Count the pixels of each region of masks (N, H, W), bool."""
    return [int(area) for mask in masks.numpy() for area in _labelled(mask)[1][1:]]


def _labelled(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the regions of a mask (H, W), the background being 0, and count their pixels."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    return labels, np.bincount(labels.ravel(), minlength=count + 1)
