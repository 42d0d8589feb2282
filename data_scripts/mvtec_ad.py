"""MVTec AD: photographs of industrial parts, good ones to train on, defects with masks to find.

P. Bergmann et al., "MVTec AD - A Comprehensive Real-World Dataset for Unsupervised Anomaly
Detection", CVPR 2019; IJCV 2021. On disk, every category has the official layout:
`train/good`, `test/DEFECT`, `ground_truth/DEFECT`.
"""

import hashlib
import shutil
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from data_scripts import commands
from data_scripts.fetch import Source, UnsafeArchive, extract, fetch
from data_scripts.pictures import eight_bits, folders_in, is_hidden, named_like, pictures_in
from data_scripts.storage import (
    DAMAGED,
    DataNotFound,
    Stored,
    first_line,
    kept,
    locked,
    roots,
    unfinished,
)
from data_scripts.synthetic import parts

TITLE = "MVTec AD"
LICENCE = "CC BY-NC-SA 4.0: not for commercial use; Bergmann et al., MVTec, 2019"
BY_HAND = (
    "Download the archive of one category, or of all, from "
    "https://www.mvtec.com/company/research/datasets/mvtec-ad/downloads and run "
    "`python -m data_scripts.mvtec_ad --from FILE_OR_FOLDER`."
)
ARCHIVE = "mvtec_anomaly_detection.tar.xz"
DIGEST = "sha256:cf4313b13603bec67abb49ca959488f7eedce2a9f7795ec54446c649ac98cd3d"
SIZE = 5_264_982_680
SOURCES = tuple(
    Source(name, ARCHIVE, DIGEST, SIZE, f"https://www.mydrive.ch/shares/{share}/{ARCHIVE}")
    for name, share in (
        ("mvtec", "150996/b52ecdcbf521176e9db9c731f2304b27/download/420938113-1629960298"),
        ("mvtec-2025", "38536/3830184030e49fe74747669442f0f283/download/420938113-1629960298"),
        ("mvtec-2021", "38536/3830184030e49fe74747669442f0f282/download/420938113-1629952094"),
    )
)
# images as published: to train on, good to test, defective to test
COUNTS = {
    "bottle": (209, 20, 63), "cable": (224, 58, 92), "capsule": (219, 23, 109),
    "carpet": (280, 28, 89), "grid": (264, 21, 57), "hazelnut": (391, 40, 70),
    "leather": (245, 32, 92), "metal_nut": (220, 22, 93), "pill": (267, 26, 141),
    "screw": (320, 41, 119), "tile": (230, 33, 84), "toothbrush": (60, 12, 30),
    "transistor": (213, 60, 40), "wood": (247, 19, 60), "zipper": (240, 32, 119),
}  # fmt: skip
GOOD = "good"
DRAWN_SIZE = 256  # pixels


@dataclass(frozen=True)
class Sample:
    """One photograph: its file, what is wrong with it, and the file of its mask, if any."""

    image: Path
    defect: str
    mask: Path | None


class MVTecAD(Dataset):
    """A split of one category. Images are read when they are asked for.

    `defects` names the defect types, "good" first; `targets` (N,) says which each image is, as
    int64. An item is the image (3, H, W), uint8, the mask (1, H, W), bool, and the target.
    """

    def __init__(self, folder: Path, split: str, size: int | None = None) -> None:
        """Find the images. Raises DataNotFound if the folder is not one of a category."""
        self.category, self.split, self.size = folder.name, split, size
        self.samples = tuple(samples(folder, split))
        self.defects = kinds(folder)
        order = {name: number for number, name in enumerate(self.defects)}
        self.targets = torch.tensor([order[sample.defect] for sample in self.samples])

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Read an image and its mask, resized to `size` pixels square, if it was given."""
        sample = self.samples[index]
        image = _read(sample.image, "RGB", self.size, Image.Resampling.BILINEAR)
        height, width = image.shape[:2]
        if sample.mask is None:
            mask = np.zeros((height, width), bool)
        else:
            mask = _read(sample.mask, "L", self.size, Image.Resampling.NEAREST) > 0
        image = torch.from_numpy(image).permute(2, 0, 1).contiguous()
        return image, torch.from_numpy(mask)[None], int(self.targets[index])

    def image_size(self, index: int) -> tuple[int, int]:
        """Return height and width of an image on disk, without decoding it."""
        with opened(self.samples[index].image) as image:
            return image.height, image.width


def load(
    category: str = "bottle",
    split: str = "train",
    *,
    real: bool = False,
    size: int | None = None,
    root: str | Path | None = None,
) -> MVTecAD:
    """Load a split of a category: "train" (good ones only) or "test".

    The real categories are those of COUNTS, or any other one that lies in the folder;
    drawn are bottle and capsule. `size` is the side of square images in pixels; without
    it, real images have the size they have on disk (700 to 1024), drawn ones 256.

    Raises DataNotFound if the category is not available.
    """
    if size is not None and not (isinstance(size, int) and size > 0):
        raise ValueError(f"size is the side of an image in pixels, 1 or more, and not {size!r}")
    if category in ("", "..") or Path(category).name != category:
        raise DataNotFound(f"{category!r} is not the name of a category.")
    folder = kept(f"{place(real, size)}/{category}", root)
    if not is_category(folder):
        MVTEC_AD.prepare(real=real, root=root, size=size, only=category)
    return MVTecAD(folder, split, size)


class Parts(NamedTuple):
    """The parts of a split, in memory."""

    X: torch.Tensor  # (N, 3, size, size), uint8
    masks: torch.Tensor  # (N, 1, size, size), bool: where the defect is
    y: torch.Tensor  # (N,), int64: which class; 0 is good


def load_parts(
    category: str, split: str, *, real: bool, size: int, root: str | Path | None = None
) -> tuple[Parts, tuple[str, ...]]:
    """Load all parts of a split, and the names of the classes. Raises DataNotFound."""
    data = load(category, split, real=real, size=size, root=root)
    images, masks, _ = zip(*tqdm(data, f"{category}, {split}"), strict=True)
    return Parts(torch.stack(images), torch.stack(masks), data.targets), data.defects


def halves(y: torch.Tensor, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Split images with classes y (N,) into two halves, class by class: two sorted index tensors.

    The test set alone has defects: what learns from them learns from one half, and is measured
    on the other.
    """
    from sklearn.model_selection import train_test_split  # half a second, for all who load images

    both = train_test_split(range(len(y)), test_size=0.5, stratify=y, random_state=seed)
    first, second = (torch.tensor(sorted(half)) for half in both)
    return first, second


def place(real: bool, size: int | None = None) -> str:
    """Return the folder of categories, below the one that data is kept in."""
    drawn = f"embedded-{parts.VERSION}-{size or DRAWN_SIZE}"
    return f"mvtec_ad/{'real' if real else drawn}"


def samples(folder: Path, split: str) -> Iterator[Sample]:
    """Yield the samples of a split of a category, in order of their names.

    Raises DataNotFound if there are none, or if a defect has no mask.
    """
    images = pictures_in(folder / split, "*/*")
    if not images:
        raise DataNotFound(f"{folder / split} has no images; a category has train/{GOOD} and test.")
    for image in images:
        defect, mask = image.parent.name, None
        if defect != GOOD:
            stem = folder / "ground_truth" / defect / f"{image.stem}_mask"
            if (mask := named_like(stem)) is None:
                raise DataNotFound(f"{stem}.png: there is no mask for {image.name}.")
        yield Sample(image, defect, mask)


def kinds(folder: Path) -> tuple[str, ...]:
    """Return what a category has images of, "good" first."""
    found = [path.name for path in folders_in(folder / "test") if pictures_in(path, "*")]
    return (GOOD, *(name for name in found if name != GOOD))


def categories(folder: Path) -> list[str]:
    """Return the names of the folders in a folder that hold a category."""
    if not folder.is_dir():
        return []
    return [path.name for path in folders_in(folder) if is_category(path)]


def is_category(folder: Path) -> bool:
    """Say whether a folder has the layout of a category."""
    return (folder / "train" / GOOD).is_dir() and (folder / "test").is_dir()


@contextmanager
def opened(path: Path) -> Generator[Image.Image]:
    """Open an image. Raises DataNotFound if it is damaged, also while it is used."""
    try:
        with Image.open(path) as image:
            yield image
    except (*DAMAGED, Image.DecompressionBombError) as error:
        raise DataNotFound(
            f"{path} is damaged ({first_line(error)}); get the category again: {BY_HAND}"
        ) from error


def _read(path: Path, mode: str, size: int | None, how: Image.Resampling) -> np.ndarray:
    with opened(path) as image:
        try:
            image = eight_bits(image).convert(mode)
        except ValueError as error:
            raise DataNotFound(f"{path} cannot be read: {error}.") from None
        if size is not None and image.size != (size, size):
            image = image.resize((size, size), how)
        return np.array(image)


@dataclass(frozen=True)
class Categories:
    """The categories on disk, real and drawn; see `data_scripts.commands.DataSet`."""

    name: str = "mvtec_ad"
    title: str = TITLE
    sources: Sequence[Source] = SOURCES
    parts: tuple[str, ...] = tuple(COUNTS)

    def prepare(
        self,
        *,
        real: bool,
        root: str | Path | None = None,
        source: str | None = None,
        given: str | Path | None = None,
        size: int | None = None,
        only: str | None = None,
    ) -> Path:
        """Draw the embedded categories, or take the real ones from what is given, or fetch them.

        Raises DataNotFound.
        """
        folder = roots(root)[0] / place(real, size)
        with locked(folder):
            if not real:
                self._draw(folder, size or DRAWN_SIZE, only)
            elif given:
                self._install(Path(given).expanduser().resolve(), folder, only)
            else:
                self._fetch(folder, source, only)
        return folder

    def _draw(self, folder: Path, size: int, only: str | None) -> None:
        require_known(only, parts.CATEGORIES, folder)
        for category in [only] if only else parts.CATEGORIES:
            if not (folder / category).is_dir():
                with unfinished(folder) as new:
                    parts.draw_all(category, new / category, size)
                    (new / category).replace(folder / category)

    def _fetch(self, folder: Path, source: str | None, only: str | None) -> None:
        """Fetch all categories, if one of those that are wanted is not there."""
        require_known(only, COUNTS, folder)
        wanted = {only} if only else set(COUNTS)
        if wanted <= set(categories(folder)):
            return
        _, archive = fetch(TITLE, self.sources, folder, BY_HAND, source)
        self._install(archive, folder, None)
        archive.unlink()

    def _install(self, found: Path, folder: Path, only: str | None) -> None:
        """Copy the categories that an archive or folder holds, each whole or not at all."""
        print(f"{TITLE}: {LICENCE}")
        with unfinished(folder) as new:
            place = found if found.is_dir() else self._extracted(found, new / "archive")
            holders = {holder.name: holder for holder in holders_in(place)}
            if not found.is_dir() and "archive" in holders:  # packed without its folder
                holders[found.name.partition(".")[0]] = holders.pop("archive")
            if only and only not in holders:
                holders = {}
            if not holders:
                what = f"no category {only}" if only else f"no category with train/{GOOD} and test"
                raise DataNotFound(f"{found} holds {what}. {BY_HAND}")
            for name, holder in holders.items():
                if not only or name == only:
                    self._put(holder, new / "whole" / name, folder / name, found)

    def _put(self, holder: Path, new: Path, place: Path, found: Path) -> None:
        new.parent.mkdir(exist_ok=True)
        if found.is_dir():
            copy_files(holder, new)
        else:
            holder.replace(new)
        if wrong := check_category(new):
            raise DataNotFound(f"{found}: {wrong}. {BY_HAND}")
        if place.is_symlink():
            place.unlink()
        elif place.exists():
            place.replace(new.parent / f".old-{place.name}")
        new.replace(place)

    def _extracted(self, archive: Path, into: Path) -> Path:
        try:
            extract(archive, into)
        except FileNotFoundError as error:
            raise DataNotFound(f"{archive}: there is no such file or folder. {BY_HAND}") from error
        except UnsafeArchive as error:
            raise DataNotFound(f"{error}. {BY_HAND}") from error
        return into

    def stored(self, root: str | Path | None = None, check: bool = False) -> Iterator[Stored]:
        """Yield the categories on disk; with `check`, every file is read."""
        folders = (folder for one in roots(root) for folder in (one / self.name).glob("*"))
        for folder in sorted(folders):
            for category in categories(folder):
                files = sorted(p for p in (folder / category).rglob("*") if p.is_file())
                origin = "real" if folder.name == "real" else "drawn"
                yield Stored(
                    f"{TITLE} {category}, {folder.name}", folder / category,
                    sum(file.stat().st_size for file in files), origin,
                    (f"sha256 {digest(folder / category, files)}",) if check else (),
                    check_category(folder / category) if check else "",
                )  # fmt: skip


def require_known(category: str | None, known: Iterable[str], folder: Path) -> None:
    """Raise DataNotFound if a category is neither known nor there."""
    if category and category not in known and category not in categories(folder):
        there = ", ".join(sorted({*known, *categories(folder)}))
        raise DataNotFound(f"{TITLE} has no category {category!r}; there are: {there}.")


def holders_in(folder: Path) -> list[Path]:
    """Return the folders, in a folder or that folder itself, that hold a category."""
    found = []
    for path in (folder, *sorted(folder.rglob("*"))):
        names = path.relative_to(folder).parts
        if is_category(path) and not any(map(is_hidden, names)):
            found.append(path)
    return found


def copy_files(source: Path, target: Path) -> None:
    """Copy the files of a folder without hidden ones, and without their permissions."""
    for path in sorted(source.rglob("*")):
        place = path.relative_to(source)
        if path.is_file() and not any(map(is_hidden, place.parts)):
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / place)


def check_category(folder: Path) -> str:
    """Say what is wrong with a category on disk, or nothing.

    Counts are compared with the published ones, if it is a published category; no image
    may be damaged, and every defect must have a mask of the size of its image.
    """
    try:
        found = {split: list(samples(folder, split)) for split in ("train", "test")}
        good = sum(sample.defect == GOOD for sample in found["test"])
        counted = len(found["train"]), good, len(found["test"]) - good
        expected = COUNTS.get(folder.name, counted)
        if counted != expected:
            return f"{folder.name} has {counted} images (train, good, defective), not {expected}"
        for sample in (*found["train"], *found["test"]):
            size = verified_size(sample.image)
            if sample.mask and verified_size(sample.mask) != size:
                return f"{sample.mask} has another size than its image"
    except DataNotFound as error:
        return str(error).partition("; get the category")[0].rstrip(".")
    return ""


def verified_size(path: Path) -> tuple[int, int]:
    """Return width and height of an image whose checksums are right. Raises DataNotFound."""
    with opened(path) as image:
        image.verify()
        return image.size


def digest(folder: Path, files: Sequence[Path]) -> str:
    """Return the SHA-256 of the names and bytes of the files of a folder."""
    total = hashlib.sha256()
    for file in files:
        total.update(str(file.relative_to(folder)).encode() + b"\0")
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


MVTEC_AD = Categories()

if __name__ == "__main__":
    commands.main(MVTEC_AD)
