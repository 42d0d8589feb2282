"""The files that a student hands in with a notebook."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from autograder.errors import UserError

REAL, DRAWN = "real", "drawn"
TRAINED_ON = "trained_on"  # in the metadata of a file
HEADER = 1_000_000  # bytes of a file's header that are read


class ArtifactError(UserError):
    """A file that belongs to a notebook is not beside it, or is not what it should be."""


def save_artifact(name: str, tensors: Mapping[str, torch.Tensor], data: str = "") -> None:
    """Write tensors into a safetensors file beside the notebook, for whoever grades it to read.

    `data` says on what they were trained, REAL or DRAWN: a class is graded on one of them.
    """
    about = {TRAINED_ON: data} if data else None
    save_file({key: t.detach().cpu().contiguous() for key, t in tensors.items()}, name, about)
    Path(name).chmod(0o644)


def trained_on(path: Path) -> str:
    """Return what a safetensors file says it was trained on: REAL, DRAWN, or nothing."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, HEADER)))
        said = header["__metadata__"][TRAINED_ON]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ""
    return said if said in (REAL, DRAWN) else ""


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
