"""Files beside a notebook: written, found, and told apart from others."""

import json
import struct

import pytest
import torch

from autograder import assignments
from autograder.notebook.artifacts import (
    DRAWN,
    REAL,
    ArtifactError,
    load_artifact,
    loaded,
    save_artifact,
    trained_on,
)

COUNTING = """
TENSORS = ("counts",)
def trained_on(tensors):
    return "real" if tensors["counts"].sum() > 10 else "drawn"
"""


@pytest.fixture(autouse=True)
def beside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_tensors_come_back_whatever_their_memory_looks_like(beside):
    weight = torch.arange(6.0).reshape(2, 3)
    tensors = {"turned": weight.T, "trained": weight.clone().requires_grad_()}
    save_artifact("net.safetensors", tensors)
    found = load_artifact("net.safetensors", needs=("turned", "trained"))
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert (beside / "net.safetensors").stat().st_mode & 0o444 == 0o444


def test_a_missing_file_says_what_to_do():
    with pytest.raises(ArtifactError, match="is not beside the notebook: run the cell"):
        load_artifact("net.safetensors")


@pytest.mark.parametrize("content", [b"", b"no safetensors", bytes(100)])
def test_a_damaged_file_is_said_to_be_damaged(beside, content):
    (beside / "net.safetensors").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"^net.safetensors is damaged: run the cell"):
        load_artifact("net.safetensors")


def test_a_folder_is_no_file(beside):
    (beside / "net.safetensors").mkdir()
    with pytest.raises(ArtifactError, match="is not beside the notebook"):
        load_artifact("net.safetensors")


def test_another_kind_of_file_is_told_by_what_it_lacks():
    save_artifact("net.safetensors", {"weight": torch.ones(2)})
    with pytest.raises(ArtifactError, match="another kind of file, without 'bias'"):
        load_artifact("net.safetensors", needs=("weight", "bias"))


@pytest.mark.parametrize("data", [REAL, DRAWN, ""])
def test_a_file_says_on_what_it_was_trained_and_loads_as_ever(beside, data):
    save_artifact("net.safetensors", {"weight": torch.ones(2)}, data)
    assert trained_on(beside / "net.safetensors", "a9_test") == data
    assert torch.equal(load_artifact("net.safetensors")["weight"], torch.ones(2))


def header(said: object, length: int | None = None) -> bytes:
    """Write the beginning of a safetensors file that says something."""
    text = json.dumps(said).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234",
        bytes(100),
        header([]),
        header({"__metadata__": None}),
        header({"__metadata__": {"trained_on": "real"}}, length=5),
        header({"__metadata__": {"trained_on": "<b>mine</b>"}}),
        header({"__metadata__": {"trained_on": ["real"]}}),
        header({"__metadata__": {}}),
        struct.pack("<Q", 2**63) + b"{",
        struct.pack("<Q", 400_000) + b"[" * 400_000,
    ],
)
def test_a_file_that_does_not_say_it_says_nothing_and_stops_nobody(beside, content):
    (beside / "net.safetensors").write_bytes(content)
    assert trained_on(beside / "net.safetensors", "a9_test") == ""


def test_a_file_that_is_not_there_says_nothing(beside):
    assert trained_on(beside / "gone.safetensors", "a9_test") == trained_on(beside, "a9_test") == ""


@pytest.fixture
def lesson(scratch):
    """An assignment whose lesson tells by a file's tensors what it was trained on."""
    folder = scratch / "source" / "a9_test" / "lesson"
    folder.mkdir(parents=True)
    (folder / "origin.py").write_text(COUNTING)
    assignments.use(scratch / "source")


@pytest.mark.parametrize("count, data", [(11.0, REAL), (9.0, DRAWN)])
def test_a_file_that_does_not_say_it_is_told_by_its_tensors(lesson, beside, count, data):
    save_artifact("net.safetensors", {"counts": torch.tensor([count])})
    assert trained_on(beside / "net.safetensors", "a9_test") == data
    save_artifact("net.safetensors", {"counts": torch.tensor([count])}, DRAWN)
    assert trained_on(beside / "net.safetensors", "a9_test") == DRAWN


@pytest.mark.parametrize(
    "tensors",
    [{"weight": torch.ones(2)}, {"counts": torch.ones(200_000)}, {"counts": torch.ones(2, 0)}],
)
def test_a_file_without_such_tensors_is_not_taken_for_trained_on_real_data(lesson, beside, tensors):
    save_artifact("net.safetensors", tensors)
    assert trained_on(beside / "net.safetensors", "a9_test") != REAL
    (beside / "net.safetensors").write_bytes(b"no tensors")
    assert trained_on(beside / "net.safetensors", "a9_test") == ""


def test_the_files_that_were_loaded_are_named_once(beside):
    loaded()
    for name in ("b.safetensors", "a.safetensors", "b.safetensors"):
        save_artifact(name, {"weight": torch.ones(2)})
        load_artifact(name)
    assert loaded() == ["a.safetensors", "b.safetensors"]
    assert loaded() == []
