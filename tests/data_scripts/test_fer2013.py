"""FER2013: whatever form a student has it in, the official split comes out."""

import gzip
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from data_scripts import fer2013
from data_scripts.fer2013 import CLASSES, COUNTS, FER2013, read
from data_scripts.storage import DataNotFound
from tests.fixtures import REAL_DATA

USAGES = ["Training"] * 6 + ["PublicTest"] * 3 + ["PrivateTest"] * 2
LABELS = [3, 1, 0, 6, 3, 2, 5, 5, 4, 0, 6]


@pytest.fixture(scope="module")
def faces():
    return np.random.RandomState(0).randint(0, 256, (len(LABELS), 48, 48), np.uint8)


def text(face):
    return " ".join(map(str, face.ravel()))


def official(faces, header="emotion,pixels,Usage"):
    rows = [f"{label},{text(face)},{usage}"
            for label, face, usage in zip(LABELS, faces, USAGES, strict=True)]  # fmt: skip
    return "\n".join([header, *rows, ""])


def icml(faces):
    rows = [f"{label},{usage},{text(face)}"
            for label, face, usage in zip(LABELS, faces, USAGES, strict=True)]  # fmt: skip
    return "\n".join(["emotion, Usage, pixels", *rows, ""])


def as_csv(folder, faces):
    (folder / "fer2013.csv").write_text(official(faces))
    return folder / "fer2013.csv"


def as_gzip(folder, faces):
    (folder / "fer2013.csv.gz").write_bytes(gzip.compress(official(faces).encode()))
    return folder / "fer2013.csv.gz"


def as_icml(folder, faces):
    (folder / "icml_face_data.csv").write_text(icml(faces))
    return folder / "icml_face_data.csv"


def as_archive(folder, faces):
    (folder / "fer2013").mkdir()
    as_csv(folder / "fer2013", faces)
    with tarfile.open(folder / "fer2013.tar.gz", "w:gz") as tar:
        tar.add(folder / "fer2013" / "fer2013.csv", "fer2013/fer2013.csv")
    return folder / "fer2013.tar.gz"


def as_folder_with_a_csv(folder, faces):
    return as_csv(folder, faces).parent


def as_images(folder, faces):
    for number, (face, label, usage) in enumerate(zip(faces, LABELS, USAGES, strict=True)):
        part = "train" if usage == "Training" else "test"
        place = folder / "archive" / part / CLASSES[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face).save(place / f"{usage}_{number:05}.png")
    return folder / "archive"


def as_kaggles_zip(folder, faces):
    with zipfile.ZipFile(folder / "competition.zip", "w") as archive:
        archive.writestr("train.csv", "emotion,pixels")
        archive.writestr("icml_face_data.csv", icml(faces))
    return folder / "competition.zip"


FORMS = [as_kaggles_zip, as_csv, as_gzip, as_icml, as_archive, as_folder_with_a_csv, as_images]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_official_split(form, faces, tmp_path):
    splits = read(form(tmp_path, faces)).splits
    assert {split: len(labels) for split, (_, labels) in splits.items()} == {
        "train": 6, "validation": 3, "test": 2,
    }  # fmt: skip
    images, labels = splits["validation"]
    assert images.shape == (3, 1, 48, 48) and images.dtype == torch.uint8
    pairs = zip(labels.tolist(), images[:, 0], strict=True)
    found = {(label, image.numpy().tobytes()) for label, image in pairs}
    assert found == {(LABELS[n], faces[n].tobytes()) for n in (6, 7, 8)}


def test_kaggles_two_files_leave_the_test_without_labels(faces, tmp_path):
    rows = [f'{label},"{text(face)}"' for label, face in zip(LABELS[:6], faces, strict=False)]
    (tmp_path / "train.csv").write_text("\n".join(["emotion,pixels", *rows]))
    (tmp_path / "test.csv").write_text("\n".join(["pixels", *map(text, faces[6:])]))
    for given in (tmp_path, tmp_path / "train.csv"):
        splits = read(given).splits
        assert splits["train"][1].tolist() == LABELS[:6]
        assert splits["test"][0].shape == (5, 1, 48, 48) and splits["test"][1] is None


def test_labels_that_are_not_there_are_one_sentence(faces, tmp_path, monkeypatch):
    rows = [f"{label},{text(faces[0])}" for label in LABELS[:6]]
    (tmp_path / "train.csv").write_text("\n".join(["emotion,pixels", *rows]))
    (tmp_path / "test.csv").write_text("\n".join(["pixels", text(faces[0])]))
    counts = torch.tensor(LABELS[:6]).bincount(minlength=7).tolist()
    small = replace(FER2013, counts={"train": counts, "validation": ()}, digests={})
    monkeypatch.setattr(fer2013, "FER2013", small)
    small.prepare(real=True, root=tmp_path / "root", given=tmp_path)
    assert fer2013.load("train", real=True, root=tmp_path / "root")[1].tolist() == LABELS[:6]
    with pytest.raises(DataNotFound, match="have no labels of the test split"):
        fer2013.load("test", real=True, root=tmp_path / "root")
    with pytest.raises(DataNotFound, match="no train split"):
        small.prepare(real=True, root=tmp_path / "root", given=tmp_path / "test.csv")
    assert len(fer2013.load("train", real=True, root=tmp_path / "root")[1]) == 6


def test_other_pixels_are_refused_except_in_images(faces, tmp_path):
    small = replace(FER2013, counts={})
    for form in (as_csv, as_icml):
        with pytest.raises(DataNotFound, match="not as published, byte for byte"):
            small.prepare(real=True, root=tmp_path / "root", given=form(tmp_path, faces))
    small.prepare(real=True, root=tmp_path / "root", given=as_images(tmp_path, faces))
    assert small.path(True, tmp_path / "root").exists()


@pytest.mark.parametrize("damage, sentence", [
    (lambda text: text[:-3000], "row 12 is cut off or damaged"),
    (lambda text: text.replace("Training", "Practice", 1), "row 2 is .* damaged .'Practice'"),
    (lambda text: text.replace("\n3,", "\n7,", 1), "row 2 is cut off or damaged"),
    (lambda text: text.replace("\n3,", "\n-1,", 1), "row 2 is cut off or damaged"),
    (lambda text: text.replace("\n3,", "\n,", 1), "row 2 is cut off or damaged"),
    (lambda text: text.replace("\n3,", "\n34,", 1), "row 2 is cut off or damaged"),
    (lambda text: text.splitlines()[0], "it has no train split"),
    (lambda text: text.replace(",", ',"', 1), "is not FER2013 as it should be"),
    (lambda text: text.replace("\n3,", "\n3,999 ", 1), "row 2 is cut off or damaged"),
    (lambda text: text.replace("pixels", "image"), "columns emotion, image, Usage, and no pixels"),
    (lambda text: "", "it has columns none, and no pixels"),
    (lambda text: text, "the train split has 1 angry instead of 3995, "),
])  # fmt: skip
def test_what_is_not_fer2013_is_said_to_be_so(damage, sentence, faces, tmp_path):
    (tmp_path / "fer2013.csv").write_text(damage(official(faces)))
    with pytest.raises(DataNotFound, match=sentence) as error:
        FER2013.prepare(real=True, root=tmp_path / "root", given=tmp_path / "fer2013.csv")
    assert "\n" not in str(error.value) and "--from FILE" in str(error.value)
    assert not FER2013.path(True, tmp_path / "root").exists()


def test_the_embedded_set_has_the_shares_of_the_real_one(tmp_path):
    images, labels = fer2013.load("train", root=tmp_path)
    assert images.shape == (6_000, 1, 48, 48)
    real = torch.tensor(COUNTS["train"]) / sum(COUNTS["train"])
    assert torch.allclose(labels.bincount() / len(labels), real, atol=1e-3)
    sizes = [len(fer2013.load(split, root=tmp_path)[0]) for split in ("validation", "test")]
    assert sizes == [800, 800]


def test_without_a_network_the_real_set_is_one_sentence(tmp_path, no_network, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DataNotFound, match=r"kaggle: kaggle is not installed.*a login is needed"):
        fer2013.load(real=True, root=tmp_path)


def test_kaggles_client_is_asked(faces, tmp_path, monkeypatch):
    as_kaggles_zip(tmp_path, faces)
    script = tmp_path / "bin" / "kaggle"
    script.parent.mkdir()
    name = FER2013.sources[0].file
    script.write_text(f"#!/bin/sh\ncp {tmp_path}/competition.zip {name}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin:/bin")
    with pytest.raises(DataNotFound, match="the train split has 1 angry instead of 3995"):
        fer2013.load(real=True, root=tmp_path / "root")


@pytest.mark.slow
@pytest.mark.skipif(not REAL_DATA.is_dir(), reason=f"no real data in {REAL_DATA.name}")
def test_the_real_set(tmp_path):
    FER2013.prepare(real=True, root=tmp_path, given=REAL_DATA / "fer2013.csv.gz")
    (stored,) = FER2013.stored(tmp_path, check=True)
    assert stored.wrong == ""
    for split, counts in COUNTS.items():
        images, labels = fer2013.load(split, real=True, root=tmp_path)
        assert labels.bincount().tolist() == list(counts) and images.shape[1:] == (1, 48, 48)
