"""Where data is kept, one process at a time, and whole or not at all."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pooch
from filelock import FileLock

SHARED = Path(sys.prefix) / "share" / "gradient-check"
FULL = (errno.ENOSPC, errno.EDQUOT)


class DataNotFound(Exception):
    """Data that was asked for cannot be had; the message says what to do."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


@dataclass(frozen=True)
class Stored:
    """Something on disk: what, where, how many bytes, where it is from.

    If it was checked: the digests of its parts, in words, and what is wrong with it.
    """

    what: str
    path: Path
    size: int
    origin: str
    digests: tuple[str, ...] = ()
    wrong: str = ""


def roots(root: str | Path | None = None) -> tuple[Path, ...]:
    """Return the folders that data is looked for in; it is put into the first one.

    They are a cache of the user's, and the folder of all who use this Python, submissions
    that are graded among them; or the one that is given.
    """
    return (Path(root).expanduser(),) if root else (Path(pooch.os_cache("gradient-check")), SHARED)


def kept(place: str, root: str | Path | None = None) -> Path:
    """Return where something is kept or, if it is nowhere, where it belongs."""
    paths = [folder / place for folder in roots(root)]
    return next((path for path in paths if path.exists()), paths[0])


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder, and let one process at a time write to it. Raises DataNotFound.

    A full disk, a file where the folder should be, and a folder that cannot be written
    to become one sentence each.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            yield
    except (FileExistsError, NotADirectoryError) as error:
        files = [path for path in (folder, *folder.parents) if path.is_file()]
        raise DataNotFound(
            f"{(files or [folder])[0]} is a file where a folder should be; move it away."
        ) from error
    except OSError as error:
        if error.errno in FULL:
            raise DataNotFound(
                f"no space is left in {folder}; make room and try again: what was fetched is kept."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise DataNotFound(
                f"{error.filename or folder} cannot be written to ({error.strerror}); "
                "choose another folder with root=…, on the command line --root."
            ) from error
        raise
