"""The files that a student hands in with a notebook."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file


class NotHandedIn(Exception):
    """A file that belongs to a notebook is not beside it, or is not what it should be."""


def save_handed_in(name: str, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors into a safetensors file beside the notebook, for whoever grades it to read."""
    save_file({key: t.detach().cpu().contiguous() for key, t in tensors.items()}, name)
    Path(name).chmod(0o644)


def load_handed_in(name: str, needs: Iterable[str] = ()) -> dict[str, torch.Tensor]:
    """Load the tensors of a safetensors file beside the notebook, by name, on the CPU.

    Raises NotHandedIn if it is missing or damaged, or lacks a tensor that is in `needs`.
    """
    again = "run the cell that writes it, and hand the file in with the notebook."
    if not Path(name).is_file():
        raise NotHandedIn(f"{name} is not beside the notebook: {again}")
    try:
        tensors = load_file(name)
    except (OSError, SafetensorError):
        raise NotHandedIn(f"{name} is damaged: {again}") from None
    if missing := sorted(set(needs) - tensors.keys()):
        raise NotHandedIn(f"{name} is another kind of file, without {missing[0]!r}: {again}")
    return tensors
