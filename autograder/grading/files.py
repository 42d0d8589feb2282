"""The files a kernel starts with, in one piece: a tar file in memory."""

import io
import os
import stat
import tarfile
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

MiB = 2**20


class FolderTooLarge(Exception):
    """The files beside a notebook are more than a submission may have."""


def pack(files: Mapping[str, Path | bytes], limit: int = 512 * MiB, most: int = 10_000) -> bytes:
    """Pack files, by their relative paths, into a tar file.

    Only regular files are packed: what a link points to is not part of a submission.
    Raises FolderTooLarge if they take more than `limit` bytes, or are more than `most`.
    """
    if len(files) > most:
        raise FolderTooLarge(
            f"there are more than {most:,} files beside the notebook; "
            "hand in only what the notebook needs."
        )
    packed, size = io.BytesIO(), 0
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, file in files.items():
            if isinstance(file, Path):
                if (content := read(file, limit - size)) is None:
                    continue
            else:
                content = file
            size += len(content)
            if size > limit:
                raise FolderTooLarge(
                    f"the files beside the notebook take more than {limit // MiB} MiB; "
                    "hand in only what the notebook needs."
                )
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def merge(
    submitted: Mapping[str, Path | bytes], own: Mapping[str, Path | bytes]
) -> dict[str, Path | bytes]:
    """Put the course's own files among submitted ones; what is in their way is left out."""
    folders = {folder for name in own for folder in PurePosixPath(name).parents}

    def in_the_way(path: PurePosixPath) -> bool:
        return path in folders or any(str(part) in own for part in (path, *path.parents))

    kept = {n: file for n, file in submitted.items() if not in_the_way(PurePosixPath(n))}
    return {**kept, **own}


def unpack(packed: bytes, folder: Path) -> None:
    """Write packed files into a folder."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tar.extractall(folder, filter="data")


def in_folder(folder: Path, ignore: Sequence[str] = ()) -> dict[str, Path]:
    """Return the files in a folder and its subfolders, by relative path, links apart.

    Names that match a pattern of `ignore` are left out, with all that is in them.
    """
    found, folders = {}, [str(folder)] if folder.is_dir() else []
    while folders:  # folders in folders may be deeper than Python calls functions
        try:
            entries = sorted(os.scandir(folders.pop()), key=lambda entry: entry.name)
        except OSError:  # it has gone, is closed to us, or its path is too long
            continue
        for entry in entries:
            if any(fnmatch(entry.name, pattern) for pattern in ignore) or entry.is_symlink():
                continue
            if entry.is_dir():
                folders.append(entry.path)
            else:
                found[os.path.relpath(entry.path, folder)] = Path(entry.path)
    return dict(sorted(found.items()))


def read(file: Path, limit: int) -> bytes | None:
    """Read a regular file, no link, at most one byte more than `limit`; else return None."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return None
    with open(fd, "rb") as stream:
        return stream.read(limit + 1)
