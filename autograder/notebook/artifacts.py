"""The files that a student hands in with a notebook."""

import json
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from autograder import assignments
from autograder.errors import UserError

REAL, DRAWN = "real", "drawn"
TRAINED_ON = "trained_on"  # in the metadata of a file
HEADER = 1_000_000  # bytes of a file's header that are read
LARGEST = 100_000  # entries of a tensor that a lesson looks at
WRONG_DATA = "trained on real data; grading uses drawn data unless your teacher says otherwise"
_loaded: set[str] = set()  # names of files, since `loaded` was last asked


class ArtifactError(UserError):
    """A file that belongs to a notebook is not beside it, or is not what it should be."""


def save_artifact(name: str, tensors: Mapping[str, torch.Tensor], data: str = "") -> None:
    """Write tensors into a safetensors file beside the notebook, for whoever grades it to read.

    `data` says on what they were trained, REAL or DRAWN: a class is graded on one of them.
    """
    about = {TRAINED_ON: data} if data else None
    save_file({key: t.detach().cpu().contiguous() for key, t in tensors.items()}, name, about)
    Path(name).chmod(0o644)


def trained_on(path: Path, assignment: str) -> str:
    """Return what a safetensors file was trained on: REAL, DRAWN, or nothing if that is unknown.

    The file says so, or else its tensors do: the assignment's `lesson/origin.py` may have a
    function `trained_on(tensors)`, which is given those of the file that its TENSORS name.
    """
    return _said(path) or _inferred(path, assignment)


def _said(path: Path) -> str:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, HEADER)))
        said = header["__metadata__"][TRAINED_ON]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ""
    return said if said in (REAL, DRAWN) else ""


def _inferred(path: Path, assignment: str) -> str:
    origin, tensors = assignments.lesson(assignment, "origin"), {}
    if origin is None:
        return ""
    try:
        with safe_open(path, "pt") as file:
            for name in origin.TENSORS:
                if prod(file.get_slice(name).get_shape()) > LARGEST:
                    return ""
                tensors[name] = file.get_tensor(name)
        return origin.trained_on(tensors)
    except Exception:  # a student's file may hold anything
        return ""


def load_artifact(name: str, needs: Iterable[str] = ()) -> dict[str, torch.Tensor]:
    """Load the tensors of a safetensors file beside the notebook, by name, on the CPU.

    Raises ArtifactError if it is missing or damaged, or lacks a tensor that is in `needs`.
    """
    again = "run the cell that writes it, and hand the file in with the notebook."
    if not Path(name).is_file():
        raise ArtifactError(f"{name} is not beside the notebook: {again}")
    _loaded.add(name)
    try:
        tensors = load_file(name)
    except (OSError, SafetensorError):
        raise ArtifactError(f"{name} is damaged: {again}") from None
    if missing := sorted(set(needs) - tensors.keys()):
        raise ArtifactError(f"{name} is another kind of file, without {missing[0]!r}: {again}")
    return tensors


def loaded() -> list[str]:
    """Return the names of the files that were loaded since this was last asked."""
    names = sorted(_loaded)
    _loaded.clear()
    return names
