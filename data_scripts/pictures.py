"""Picture files as they are really found in folders: which ones count, and their pixels."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
LEFT_BY_SYSTEMS = ("__MACOSX", "Thumbs.db", "desktop.ini")


def is_hidden(name: str) -> bool:
    """Say whether a file or folder was left by a system or a front end, and not by a person."""
    return name.startswith(".") or name in LEFT_BY_SYSTEMS


def pictures_in(folder: Path, pattern: str = "**/*") -> list[Path]:
    """Return the picture files below a folder that match a pattern, in order, hidden ones apart."""
    return sorted(
        path
        for path in folder.glob(pattern)
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(map(is_hidden, path.relative_to(folder).parts))
    )


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder, in order, hidden ones apart."""
    return sorted(p for p in folder.iterdir() if p.is_dir() and not is_hidden(p.name))


def named_like(stem: Path, suffixes: Iterable[str] = SUFFIXES) -> Path | None:
    """Find a picture by its path without the suffix, whichever it has; or return None."""
    there = stem.parent.iterdir() if stem.parent.is_dir() else ()
    found = (p for p in there if p.stem == stem.name and p.suffix.lower() in suffixes)
    return min(found, default=None)


def eight_bits(image: Image.Image) -> Image.Image:
    """Return a grey picture of 16 bits with 8; any other as it is. Raises ValueError.

    Pillow would cut them off at 255, and nearly all would be white.
    """
    if image.mode == "F":
        raise ValueError("its pixels are fractions; save it with 8 or 16 bits")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    pixels = np.asarray(image).astype(np.int64)
    if pixels.min() < 0 or pixels.max() > 65_535:
        raise ValueError("its pixels have more than 16 bits; save it with 8 or 16")
    return Image.fromarray((pixels // 257).astype(np.uint8))
