"""The files that a student hands in with a notebook."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from autograder.errors import UserError


class ArtifactError(UserError):
    """A file that belongs to a notebook is not beside it, or is not what it should be."""


def save_artifact(name: str, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors into a safetensors file beside the notebook, for whoever grades it to read."""
    save_file({key: t.detach().cpu().contiguous() for key, t in tensors.items()}, name)
    Path(name).chmod(0o644)


def load_artifact(name: str, needs: Iterable[str] = ()) -> dict[str, torch.Tensor]:
    """Load the tensors of a safetensors file beside the notebook, by name, on the CPU.

    Raises ArtifactError if it is missing or damaged, or lacks a tensor that is in `needs`.
    """
    again = "run the cell that writes it, and hand the file in with the notebook."
    if not Path(name).is_file():
        raise ArtifactError(f"{name} is not beside the notebook: {again}")
    try:
        tensors = load_file(name)
    except (OSError, SafetensorError):
        raise ArtifactError(f"{name} is damaged: {again}") from None
    if missing := sorted(set(needs) - tensors.keys()):
        raise ArtifactError(f"{name} is another kind of file, without {missing[0]!r}: {again}")
    return tensors
