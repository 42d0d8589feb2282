"""FER2013: 35,887 grey faces of 48 x 48 pixels, in seven expressions.

I. J. Goodfellow et al., "Challenges in Representation Learning: A report on three machine
learning contests", 2013. The official split is kept: Training, PublicTest, PrivateTest
are `train`, `validation`, `test`.
"""

import csv
import gzip
import io
import re
import tarfile
import zipfile
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TextIO, cast

import numpy as np
import torch
from PIL import Image
from tqdm.auto import tqdm

from data_scripts import commands
from data_scripts.fetch import Source
from data_scripts.images import Contents, ImageSet, Splits
from data_scripts.pictures import eight_bits, pictures_in
from data_scripts.synthetic import faces

CLASSES = faces.CLASSES
COUNTS = {
    "train": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "validation": (467, 56, 496, 895, 653, 415, 607),
    "test": (491, 55, 528, 879, 594, 416, 626),
}
DIGESTS = {
    "train": "0ffeccc74c3a9bf737142aadc9351c7d31ddd99cd4136222fbc93cbb2014fa95",
    "validation": "1132e0f96220e39393fdec57010f2dec4b051da9179ee3688f29ae8e1e306cc3",
    "test": "af34736e45cd16728ab91d927882aa016ef5e3c1339452966acf6891ea09e5f7",
}
USAGE = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
EMOTIONS = tuple("0123456")  # in a CSV
SIDE = 48
COMPETITION = "challenges-in-representation-learning-facial-expression-recognition-challenge"
CSV = "fer2013.csv", "icml_face_data.csv"


def load(
    split: str = "train",
    *,
    real: bool = False,
    flatten: bool = False,
    dtype: torch.dtype = torch.uint8,
    device: str | torch.device = "cpu",
    root: str | Path | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Load faces and their expressions.

    `split` is "train", "validation" or "test": 28,709, 3,589 and 3,589 real faces, or
    6,000, 800 and 800 drawn ones with the same shares of expressions.

    Returns images (N, 1, 48, 48), or (N, 2304) with `flatten`, uint8 in 0..255, or in
    0..1 if `dtype` is a floating one; and labels (N,), int64 in 0..6, see CLASSES.

    Raises DataNotFound if the real faces are wanted and not available.
    """
    return FER2013.load(split, real=real, flatten=flatten, dtype=dtype, device=device, root=root)


def read(path: Path) -> Contents:
    """Read FER2013 from any form in which it is passed around. Raises OSError, ValueError.

    These are fer2013.csv, icml_face_data.csv, a .gz or an archive of one of them, a folder
    with train.csv (and test.csv, which has no labels), and folders of images by split and
    expression, whose names say of what part of the test they are.
    """
    if path.is_dir():
        return _read_folder(path)
    with _open_csv(path) as stream:
        splits = _read_csv(stream)
    if path.name.lower() != "train.csv":
        return Contents(splits)
    beside = path.with_name("test.csv")
    if beside.exists():
        with _open_csv(beside) as stream:
            splits = {**splits, **_read_csv(stream)}
    return Contents(splits, whole=False)


def _read_folder(folder: Path) -> Contents:
    for name in (*CSV, *(f"{name}.gz" for name in CSV), "fer2013.tar.gz", "train.csv"):
        for place in (folder, folder / "fer2013"):
            if (place / name).exists():
                return read(place / name)
    images = pictures_in(folder)
    if not images:
        raise ValueError(f"there is no {', '.join(CSV)} or train.csv in it, and no image")
    return Contents(_read_images(images), exact=False, whole=False)


def _read_images(paths: list[Path]) -> Splits:
    found: dict[str, list[tuple[np.ndarray, int]]] = {}
    for path in tqdm(paths, desc="images"):
        expression, part = path.parent.name.lower(), path.parents[1].name.lower()
        if expression not in CLASSES:
            raise ValueError(
                f"{expression} is not an expression; the folders are {', '.join(CLASSES)}"
            )
        usage = re.match("|".join(USAGE), path.name)
        split = USAGE[usage[0]] if usage else {"train": "train"}.get(part, "test")
        with Image.open(path) as image:
            if image.size != (SIDE, SIDE):
                raise ValueError(f"{path.name} has {image.size} pixels, not {SIDE} x {SIDE}")
            try:
                pixels = np.asarray(eight_bits(image).convert("L"))
            except ValueError as error:
                raise ValueError(f"{path.name}: {error}") from None
        found.setdefault(split, []).append((pixels, CLASSES.index(expression)))
    return {split: _tensors(*zip(*rows, strict=True)) for split, rows in found.items()}


@contextmanager
def _open_csv(path: Path) -> Generator[TextIO]:
    name = path.name.lower()
    with ExitStack() as stack:
        if name.endswith((".tar.gz", ".tgz", ".tar")):
            archive = stack.enter_context(tarfile.open(path))
            raw = cast(IO[bytes], archive.extractfile(_the_csv(archive.getnames())))  # of a file
        elif name.endswith(".zip"):
            archive = stack.enter_context(zipfile.ZipFile(path))
            raw = archive.open(_the_csv(archive.namelist()))
        else:
            raw = gzip.open(path) if name.endswith(".gz") else open(path, "rb")  # noqa: SIM115
        text = io.TextIOWrapper(stack.enter_context(raw), encoding="utf-8-sig", newline="")
        yield stack.enter_context(text)


def _the_csv(names: Iterable[str]) -> str:
    for name in names:
        if Path(name).name in CSV:
            return name
    raise ValueError(f"there is no {' or '.join(CSV)} in it")


def _read_csv(lines: Iterable[str]) -> Splits:
    """Read rows of emotion, pixels and Usage, in any order; without Usage, of one split."""
    rows = csv.reader(lines)
    columns = {name.strip(): place for place, name in enumerate(next(rows, []))}
    if "pixels" not in columns:
        raise ValueError(f"it has columns {', '.join(columns) or 'none'}, and no pixels")
    emotion, usage = columns.get("emotion"), columns.get("Usage")
    found: dict[str, list[tuple[np.ndarray, int | None]]] = {}
    alone = "train" if emotion is not None else "test"  # Kaggle's train.csv and test.csv
    for number, row in enumerate(tqdm(rows, desc="faces"), start=2):
        try:
            pixels = np.array(row[columns["pixels"]].split(), dtype=np.uint8)
            split = USAGE[row[usage].strip()] if usage is not None else alone
            label = None if emotion is None else EMOTIONS.index(row[emotion].strip())
            found.setdefault(split, []).append((pixels.reshape(SIDE, SIDE), label))
        except (IndexError, KeyError, ValueError, OverflowError) as error:
            raise ValueError(f"row {number} is cut off or damaged ({error})") from error
    return {split: _tensors(*zip(*rows, strict=True)) for split, rows in found.items()}


def _tensors(
    images: Sequence[np.ndarray], labels: Sequence[int | None]
) -> tuple[torch.Tensor, torch.Tensor | None]:
    stacked = torch.from_numpy(np.stack(images))[:, None]
    return stacked, None if None in labels else torch.tensor(labels, dtype=torch.uint8)


FER2013 = ImageSet(
    name="fer2013",
    title="FER2013",
    classes=CLASSES,
    licence="for research and teaching, not to be passed on; Goodfellow et al., 2013",
    by_hand=(
        f"Download fer2013.tar.gz or icml_face_data.csv from kaggle.com/c/{COMPETITION} "
        "(a login is needed) and run `python -m data_scripts.fer2013 --from FILE`."
    ),
    sources=(
        Source(  # its digest is not known; what is in it is checked
            "kaggle",
            f"{COMPETITION}.zip",
            "",
            0,
            command=("kaggle", "competitions", "download", "-q", "-c", COMPETITION),
        ),
    ),
    counts=COUNTS,
    digests=DIGESTS,
    read=read,
    draw=faces.draw_collected,
    drawn=faces.VERSION,
)

if __name__ == "__main__":
    commands.main(FER2013)
