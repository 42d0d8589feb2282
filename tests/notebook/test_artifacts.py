"""Files beside a notebook: written, found, and told apart from others."""

import pytest
import torch

from autograder.notebook.artifacts import ArtifactError, load_artifact, save_artifact


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
