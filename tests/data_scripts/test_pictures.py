"""Data folders as systems and front ends leave them."""

import numpy as np
import pytest
from PIL import Image

from data_scripts import fer2013, mvtec_ad
from data_scripts.pictures import eight_bits, named_like, pictures_in
from data_scripts.storage import DataNotFound

LEFT = (".DS_Store", "._000.png", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints/000.png")


def leave(folder):
    for name in LEFT:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"no picture")


def picture(path, mode="RGB", size=(8, 8), value=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode != "RGB" else (value,) * 3).save(path)


@pytest.fixture(params=[".png", ".PNG", ".jpg", ".JPEG", ".bmp", ".tif"])
def category(request, tmp_path):
    """A category whose files have a suffix of some kind, and what systems left beside them."""
    folder, end = tmp_path / "screw", request.param
    for name in ("train/good/000", "train/good/001", "test/good/000", "test/scratch/000"):
        picture(folder / f"{name}{end}")
    picture(folder / f"ground_truth/scratch/000_mask{end}", "L", value=255)
    for place in ("", "train", "train/good", "test", "test/scratch", "ground_truth/scratch"):
        leave(folder / place)
    (folder / "test" / "empty").mkdir()
    return folder


def test_what_was_left_is_no_image_and_no_kind_of_defect(category):
    assert mvtec_ad.kinds(category) == ("good", "scratch")
    train, test = (list(mvtec_ad.samples(category, split)) for split in ("train", "test"))
    assert (len(train), [sample.defect for sample in test]) == (2, ["good", "scratch"])
    assert test[1].mask.stem == "000_mask" and mvtec_ad.categories(category.parent) == ["screw"]
    assert mvtec_ad.holders_in(category.parent) == [category]


def test_grey_images_of_16_bits_keep_their_greys(tmp_path):
    greys = np.array([[0, 257, 32_896], [65_535, 65_534, 256]], np.uint16)
    Image.fromarray(greys).save(tmp_path / "deep.png")
    with Image.open(tmp_path / "deep.png") as image:
        assert np.asarray(eight_bits(image)).tolist() == [[0, 1, 128], [255, 254, 0]]
    plain = Image.new("RGB", (2, 2))
    assert eight_bits(plain) is plain


def test_what_has_no_bits_is_refused_in_a_sentence(category):
    path = category / "train" / "good" / "000.tif"
    Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(path)
    with pytest.raises(DataNotFound, match="its pixels are fractions; save it with 8 or 16 bits"):
        mvtec_ad._read(path, "RGB", None, Image.Resampling.BILINEAR)


def test_faces_in_folders_are_those_that_are_seen(tmp_path):
    for part in ("train", "test"):
        for place in (f"{part}/happy/1.JPG", f"{part}/sad/2.bmp"):
            picture(tmp_path / place, "L", (48, 48), 7)
        leave(tmp_path / part / "happy")
        leave(tmp_path / part)
    picture(tmp_path / "__MACOSX" / "train" / "happy" / "1.png", "L", (48, 48))
    splits = fer2013.read(tmp_path).splits
    assert {name: len(images) for name, (images, _) in splits.items()} == {"train": 2, "test": 2}


def test_a_picture_is_found_by_its_stem_whatever_its_suffix(tmp_path):
    assert named_like(tmp_path / "nowhere" / "a") is None
    picture(tmp_path / "a.TIF")
    (tmp_path / "a.txt").touch()
    assert named_like(tmp_path / "a") == tmp_path / "a.TIF" and named_like(tmp_path / "b") is None
    assert pictures_in(tmp_path) == [tmp_path / "a.TIF"]
