"""Were the faces that a network was trained on real? The number of faces in its file tells."""

from collections.abc import Mapping

import torch

from autograder.notebook.artifacts import REAL

TENSORS = ("counts",)  # training faces of each class, in faces_net.safetensors
ALL_DRAWN = 6_000  # training faces of the drawn set; the real one has 28,709


def trained_on(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return REAL if there were more faces than are drawn, and nothing otherwise."""
    return REAL if float(tensors["counts"].double().sum()) > ALL_DRAWN else ""
