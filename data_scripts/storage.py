"""Where data is kept, by one process at a time, and complete or not at all."""

import csv
import errno
import lzma
import os
import pickle
import shutil
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pooch
from filelock import FileLock

from autograder.errors import UserError

DATA = "GRADIENT_CHECK_DATA"  # the variable that names the folder of the data
SHARED = Path(sys.prefix) / "share" / "gradient-check"
FULL = (errno.ENOSPC, errno.EDQUOT)
UNFINISHED = ".tmp-"  # how names begin of what a process that was killed may leave
# What libraries raise that are given a file which is not what it should be.
DAMAGED = (
    OSError, EOFError, ValueError, KeyError, IndexError, TypeError, MemoryError, RuntimeError,
    SyntaxError, tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error,
    pickle.PickleError, csv.Error,
)  # fmt: skip


class DataNotFound(UserError):
    """Data is not available; the message says what to do."""


@dataclass(frozen=True)
class Stored:
    """Something on disk: what, where, how many bytes, where it is from.

    If it was checked: the digests of its parts, to be read, and what is wrong with it.
    """

    what: str
    path: Path
    size: int
    origin: str
    digests: tuple[str, ...] = ()
    wrong: str = ""


def roots(root: str | Path | None = None) -> tuple[Path, ...]:
    """Return the folders that data is looked for in; it is put into the first one.

    They are a cache of the user's (GRADIENT_CHECK_DATA in the environment names another folder),
    and the folder of all who use this Python, submissions that are graded among them; or the one
    that is given.
    """
    if root:
        return (Path(root).expanduser(),)
    own = os.environ.get(DATA) or pooch.os_cache("gradient-check")
    return Path(own).expanduser(), SHARED


def kept(place: str, root: str | Path | None = None) -> Path:
    """Return where something is kept or, if it is nowhere, where it belongs.

    Raises DataNotFound if a folder cannot be looked into.
    """
    paths = [folder / place for folder in roots(root)]
    try:
        return next((path for path in paths if path.exists()), paths[0])
    except OSError as error:
        raise in_one_sentence(error, paths[0]) from error


def full_disk(error: BaseException) -> bool:
    """Say whether an error is that of a full disk."""
    return isinstance(error, OSError) and error.errno in FULL


def first_line(error: BaseException) -> str:
    """Return what an error says, without the details that would follow in more lines."""
    return (str(error).splitlines() or [""])[0].rstrip(":. ") or type(error).__name__


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Make a folder, and let one process at a time write to it. Raises DataNotFound.

    What a process that was killed left unfinished is removed. What the system refuses
    becomes one sentence.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire()
    except OSError as error:
        raise in_one_sentence(error, folder) from error
    try:
        for path in folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        yield
    except OSError as error:
        raise in_one_sentence(error, folder) from error
    finally:
        lock.release()


@contextmanager
def unfinished(folder: Path) -> Generator[Path]:
    """Yield a new folder inside another one for unfinished files. It is removed at the end."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=UNFINISHED) as new:
        yield Path(new)


def in_one_sentence(error: OSError, folder: Path) -> DataNotFound:
    """Say what the system refused while data was put into a folder."""
    if full_disk(error):
        return DataNotFound(
            f"no space is left in {folder}; make room and try again: what was fetched is kept."
        )
    files = [path for path in (folder, *folder.parents) if path.is_file()]
    if files:
        return DataNotFound(f"{files[0]} is a file where a folder should be; move it away.")
    path = Path(error.filename) if isinstance(error.filename, str) else folder
    said = error.strerror or first_line(error)
    if folder in (path, *path.parents) or path in folder.parents:
        return DataNotFound(
            f"{path} cannot be used ({said}); choose another folder with root=…, on the command "
            "line --root."
        )
    return DataNotFound(f"{path} cannot be read ({said}).")
