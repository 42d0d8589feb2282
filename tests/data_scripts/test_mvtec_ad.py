"""MVTec AD: any category in the official layout, from any archive, images and exact masks."""

import errno
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data_scripts import commands, mvtec_ad
from data_scripts.mvtec_ad import COUNTS, MVTEC_AD
from data_scripts.storage import DataNotFound
from tests.fixtures import REAL_DATA


def picture(path, size=40, value=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size, size, 3), value, np.uint8)).save(path)


def mask(path, size=40):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((size, size), np.uint8)
    pixels[:10, :20] = 255
    Image.fromarray(pixels).save(path)


@pytest.fixture
def nut(tmp_path):
    """A category of the student's own: 3 to train on, 2 good ones, 2 with a dent."""
    folder = tmp_path / "mine" / "nut"
    for number in range(3):
        picture(folder / "train" / "good" / f"{number:03}.png")
    for number in range(2):
        picture(folder / "test" / "good" / f"{number:03}.png")
        picture(folder / "test" / "dent" / f"{number:03}.png", value=50 + number)
        mask(folder / "ground_truth" / "dent" / f"{number:03}_mask.png")
    return folder


def load(split="test", root=None, **options):
    return mvtec_ad.load("nut", split, real=True, root=root, **options)


def as_folder(nut):
    return nut


def as_folder_of_categories(nut):
    return nut.parent


def as_tar(nut):
    with tarfile.open(nut.parent / "nut.tar.xz", "w:xz") as tar:
        tar.add(nut, "nut")
        tar.add(__file__, "license.txt")
    return nut.parent / "nut.tar.xz"


def as_zip(nut):
    with zipfile.ZipFile(nut.parent / "all.zip", "w") as archive:
        for path in nut.rglob("*"):
            archive.write(path, f"mvtec/{path.relative_to(nut.parent)}")
    return nut.parent / "all.zip"


def as_tar_from_within(nut):
    with tarfile.open(nut.parent / "nut.tgz", "w:gz") as tar:
        tar.add(nut, ".")
    return nut.parent / "nut.tgz"


def as_zip_of_a_mac(nut):
    with zipfile.ZipFile(nut.parent / "mac.zip", "w") as archive:
        for path in nut.rglob("*"):
            place = path.relative_to(nut.parent)
            archive.write(path, place)
            if path.is_file():
                archive.writestr(f"__MACOSX/{place.parent}/._{place.name}", "x")
    return nut.parent / "mac.zip"


FORMS = [as_folder, as_folder_of_categories, as_tar, as_tar_from_within, as_zip, as_zip_of_a_mac]


@pytest.mark.parametrize("form", FORMS)
def test_a_category_of_any_name_from_any_form(form, nut, tmp_path):
    MVTEC_AD.prepare(real=True, root=tmp_path / "root", given=form(nut))
    test = load(root=tmp_path / "root")
    assert test.defects == ("good", "dent")
    assert test.targets.tolist() == [1, 1, 0, 0]
    image, defect, target = test[1]
    assert image.shape == (3, 40, 40) and image.dtype == torch.uint8 and int(image.max()) == 51
    assert defect.shape == (1, 40, 40) and defect.dtype == torch.bool and int(defect.sum()) == 200
    assert target == 1 and test.image_size(1) == (40, 40)
    assert not test[3][1].any()
    assert len(load("train", tmp_path / "root")) == 3


def test_a_category_is_replaced_whole_and_only_the_one_that_is_wanted(nut, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(nut, nut.with_name("bolt"))
    MVTEC_AD.prepare(real=True, root=root, given=nut.parent, only="nut")
    folder = root / "mvtec_ad" / "real"
    assert mvtec_ad.categories(folder) == ["nut"]
    (folder / "nut" / "stale.txt").touch()
    MVTEC_AD.prepare(real=True, root=root, given=nut.parent)
    assert mvtec_ad.categories(folder) == ["bolt", "nut"]
    assert not (folder / "nut" / "stale.txt").exists()
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "bolt", "nut"]
    with pytest.raises(DataNotFound, match="holds no category screw"):
        MVTEC_AD.prepare(real=True, root=root, given=nut.parent, only="screw")


def test_what_is_there_is_not_fetched_and_a_typing_error_neither(nut, tmp_path, monkeypatch):
    monkeypatch.setattr(mvtec_ad, "fetch", pytest.fail)
    MVTEC_AD.prepare(real=True, root=tmp_path / "root", given=nut)
    MVTEC_AD.prepare(real=True, root=tmp_path / "root", only="nut")
    with pytest.raises(DataNotFound, match="no category 'Nut'; there are: bottle, "):
        mvtec_ad.load("Nut", real=True, root=tmp_path / "root")


@pytest.mark.parametrize("name", ["", ".", "..", "../real/nut", "/tmp"])
def test_a_name_that_leads_elsewhere_is_no_category(name, tmp_path):
    with pytest.raises(DataNotFound, match="is not the name of a category"):
        mvtec_ad.load(name, real=True, root=tmp_path)


@pytest.mark.parametrize("size", [0, -5, 64.5, "64"])
def test_a_size_that_is_none(size, tmp_path):
    with pytest.raises(ValueError, match="the side of an image in pixels"):
        mvtec_ad.load("bottle", size=size, root=tmp_path)


def test_a_read_only_folder_can_be_taken(nut, tmp_path):
    for folder in (nut, *(path for path in nut.rglob("*") if path.is_dir())):
        folder.chmod(0o555)
    MVTEC_AD.prepare(real=True, root=tmp_path / "root", given=nut)
    copied = tmp_path / "root" / "mvtec_ad" / "real" / "nut" / "train"
    assert copied.stat().st_mode & 0o700 == 0o700
    for folder in (nut, *(path for path in nut.rglob("*") if path.is_dir())):
        folder.chmod(0o755)


def test_images_and_masks_of_another_size(nut, tmp_path):
    MVTEC_AD.prepare(real=True, root=tmp_path / "root", given=nut)
    image, defect, _ = load(root=tmp_path / "root", size=20)[0]
    assert image.shape == (3, 20, 20) and int(defect.sum()) == 50


def test_images_are_read_when_they_are_asked_for(nut, tmp_path):
    MVTEC_AD.prepare(real=True, root=tmp_path / "root", given=nut)
    test = load(root=tmp_path / "root")
    test.samples[0].image.write_bytes(b"cut off")
    assert test[1][2] == 1
    with pytest.raises(DataNotFound, match=r"000\.png is damaged .*get the category again"):
        test[0]


def test_a_data_loader_takes_it(nut, tmp_path):
    MVTEC_AD.prepare(real=True, root=tmp_path / "root", given=nut)
    loader = torch.utils.data.DataLoader(load(root=tmp_path / "root"), batch_size=4)
    ((images, masks, targets),) = loader
    assert images.shape == (4, 3, 40, 40) and masks.shape == (4, 1, 40, 40)
    assert targets.tolist() == [1, 1, 0, 0]


def without_a_mask(nut):
    (nut / "ground_truth" / "dent" / "001_mask.png").unlink()


def with_a_small_mask(nut):
    mask(nut / "ground_truth" / "dent" / "001_mask.png", size=30)


def with_a_damaged_image(nut):
    content = bytearray((nut / "train" / "good" / "001.png").read_bytes())
    content[len(content) // 2] ^= 1
    (nut / "train" / "good" / "001.png").write_bytes(content)


def under_a_known_name(nut):
    nut.rename(nut.with_name("screw"))


def without_training_images(nut):
    shutil.rmtree(nut / "train")


@pytest.mark.parametrize("damage, sentence", [
    (without_a_mask, r"there is no mask for 001\.png"),
    (with_a_small_mask, "has another size than its image"),
    (under_a_known_name, r"screw has \(3, 2, 2\) images .* not \(320, 41, 119\)"),
    (with_a_damaged_image, r"001\.png is damaged"),
    (without_training_images, "holds no category with train/good and test"),
])  # fmt: skip
def test_what_is_no_category_is_said_to_be_so(damage, sentence, nut, tmp_path):
    damage(nut)
    with pytest.raises(DataNotFound, match=sentence) as error:
        MVTEC_AD.prepare(real=True, root=tmp_path / "root", given=nut.parent)
    assert "\n" not in str(error.value) and "--from FILE_OR_FOLDER" in str(error.value)
    assert list((tmp_path / "root" / "mvtec_ad" / "real").glob("[!.]*")) == []


@pytest.mark.parametrize("name", ["gone.tar.xz", "page.html"])
def test_a_file_that_is_no_archive(name, tmp_path):
    (tmp_path / "page.html").write_text("<html>")
    with pytest.raises(DataNotFound, match=r"no such file|damaged or not an archive"):
        MVTEC_AD.prepare(real=True, root=tmp_path / "root", given=tmp_path / name)


def test_an_archive_that_leads_outside(tmp_path):
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        tar.add(__file__, "../../nut/train/good/000.png")
    with pytest.raises(DataNotFound, match="could end up anywhere"):
        MVTEC_AD.prepare(real=True, root=tmp_path / "root", given=tmp_path / "bad.tar")


def test_the_embedded_categories(tmp_path):
    train, test = (mvtec_ad.load("bottle", split, size=64, root=tmp_path)
                   for split in ("train", "test"))  # fmt: skip
    assert (len(train), len(test)) == (209, 83)
    assert test.defects == ("good", "broken_large", "broken_small", "contamination")
    for index in (0, 30, 60, 80):
        image, defect, target = test[index]
        assert image.shape == (3, 64, 64)
        assert bool(defect.any()) == (target != 0)
    assert mvtec_ad.categories(tmp_path / mvtec_ad.place(False, 64)) == ["bottle"]
    assert all(stored.wrong == "" for stored in MVTEC_AD.stored(tmp_path, check=True))


def test_a_category_that_nobody_draws(tmp_path):
    with pytest.raises(DataNotFound, match="no category 'zipper'; there are: bottle, capsule"):
        mvtec_ad.load("zipper", size=64, root=tmp_path)


def test_without_a_network_the_real_set_is_one_sentence(tmp_path, no_network):
    with pytest.raises(DataNotFound, match=r"MVTec AD cannot be fetched .*--from FILE_OR_FOLDER"):
        mvtec_ad.load("bottle", real=True, root=tmp_path)


def test_the_command_lists_what_it_took(nut, tmp_path, capsys):
    commands.main(MVTEC_AD, ["--root", str(tmp_path / "root"), "--from", str(nut)])
    commands.main(MVTEC_AD, ["--root", str(tmp_path / "root"), "--check"])
    said = capsys.readouterr().out
    assert "CC BY-NC-SA 4.0" in said and said.count("MVTec AD nut, real") == 2 and "sha256" in said


def test_a_file_that_may_not_be_read_is_one_sentence(nut, tmp_path, monkeypatch):
    MVTEC_AD.prepare(real=True, root=tmp_path / "root", given=nut)

    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(SystemExit, match=r"mvtec_ad: .*png: it cannot be read .Permission denied"):
        commands.main(MVTEC_AD, ["--root", str(tmp_path / "root"), "--check"])


def test_the_published_counts_add_up():
    assert [sum(column) for column in zip(*COUNTS.values(), strict=True)] == [3629, 467, 1258]


@pytest.mark.slow
@pytest.mark.skipif(not REAL_DATA.is_dir(), reason=f"no real data in {REAL_DATA.name}")
def test_the_real_screws(tmp_path):
    MVTEC_AD.prepare(real=True, root=tmp_path, given=REAL_DATA / "mvtec_ad")
    (stored,) = MVTEC_AD.stored(tmp_path, check=True)
    assert stored.wrong == ""
    test = mvtec_ad.load("screw", "test", real=True, root=tmp_path)
    assert test.targets.bincount().tolist() == [41, 24, 24, 25, 23, 23]
    image, defect, target = test[50]
    assert image.shape == (3, 512, 512) and defect.any() and target > 0


def test_parts_are_loaded_into_memory_with_the_names_of_their_classes(tmp_path):
    loaded, names = mvtec_ad.load_parts("capsule", "test", real=False, size=32)
    assert loaded.X.shape == (len(loaded.y), 3, 32, 32) and loaded.X.dtype == torch.uint8
    assert loaded.masks.shape == (len(loaded.y), 1, 32, 32) and loaded.masks.dtype == torch.bool
    assert names[0] == "good" and sorted(set(loaded.y.tolist())) == list(range(len(names)))
    assert not loaded.masks[loaded.y == 0].any()
    assert loaded.masks[loaded.y > 0].flatten(1).any(dim=1).float().mean() > 0.9


def test_halves_have_every_class_and_every_image_once():
    y = torch.tensor([0, 1, 1, 0, 2, 2, 0, 1, 0, 1])
    first, second = mvtec_ad.halves(y)
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(10))
    assert first.equal(first.sort().values) and second.equal(second.sort().values)
    assert first.dtype == torch.int64
    assert y[first].bincount().tolist() == y[second].bincount().tolist() == [2, 2, 1]
    again, _ = mvtec_ad.halves(y)
    assert first.equal(again)
    assert any(not first.equal(mvtec_ad.halves(y, seed)[0]) for seed in range(1, 5))
