"""Files from the network: several sources in turn, resumed, verified, complete or not at all.

A digest decides what is right, never an address. Sources die and move; as long as one
answers, a student has the data, and when none does, one sentence says what to do.
"""

import errno
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Self

import pooch
import requests
import urllib3
from tqdm.auto import tqdm

from data_scripts.storage import (
    DAMAGED,
    UNFINISHED,
    DataNotFound,
    first_line,
    full_disk,
    unfinished,
)

pooch.get_logger().setLevel("WARNING")  # what is fetched has a progress bar

CHUNK = 1 << 20  # bytes
WHOLE = 1 << 30  # bytes; a file up to this size is fetched whole when its source is probed
TIMEOUT = 15, 60  # seconds to connect, and between two pieces
CUT_OFF = "the download was cut off"
PATIENCE = 3600  # seconds for a client to fetch a file
TROUBLE = (OSError, ValueError, subprocess.SubprocessError, requests.RequestException)


class WrongDigest(ValueError):
    """A file is not the one it should be."""


@dataclass(frozen=True)
class Source:
    """Where a file can be had: at an address or, with `command`, through a client.

    `digest` is "md5:…" or "sha256:…", in full or the beginning of it; without one, what
    is in the file has to tell. `size` is in bytes, 0 if it is not known. A command runs
    in an empty folder and leaves the file there.
    """

    name: str
    file: str
    digest: str
    size: int
    address: str = ""
    command: tuple[str, ...] = ()

    def fetch(self, folder: Path) -> Path:
        """Put the file into a folder, unless it is there. Raises OSError, ValueError and kin."""
        target = folder / self.file
        if target.exists() and self.matches(target):
            return target
        if self.command:
            return self._ask_client(target)
        part = target.with_name(f".{self.file}.part")
        resumed = part.exists()
        try:
            return self._download(target, part)
        except WrongDigest:  # what was there before may have been of another file
            if not resumed:
                raise
            return self._download(target, part)

    def matches(self, path: Path) -> bool:
        """Say whether this is the right file."""
        algorithm, _, value = self.digest.partition(":")
        return not value or pooch.file_hash(path, algorithm).startswith(value)

    def _download(self, target: Path, part: Path) -> Path:
        arrived = target.with_name(f"{UNFINISHED}{self.file}")
        pooch.retrieve(
            self.address, None, arrived.name, target.parent,
            downloader=lambda url, output, _: download(url, Path(output), part),  # ty: ignore[invalid-argument-type]: by position
        )  # fmt: skip
        return self._verified(arrived, target)

    def _verified(self, arrived: Path, target: Path) -> Path:
        if not self.matches(arrived):
            arrived.unlink()
            raise WrongDigest
        return arrived.replace(target)

    def _ask_client(self, target: Path) -> Path:
        name = Path(self.command[0]).name
        if shutil.which(self.command[0]) is None:
            raise FileNotFoundError(f"{name} is not installed")
        with unfinished(target.parent) as folder:
            done = subprocess.run(
                self.command, cwd=folder, capture_output=True, text=True,
                stdin=subprocess.DEVNULL, timeout=PATIENCE,
            )  # fmt: skip
            if done.returncode:
                if shutil.disk_usage(folder).free < CHUNK:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
                raise OSError(f"{name} said: {said}")
            if not (folder / self.file).exists():
                raise OSError(f"{name} left no file {self.file}")
            return self._verified(folder / self.file, target)


def fetch(
    title: str, sources: Sequence[Source], folder: Path, by_hand: str, only: str | None = None
) -> tuple[Source, Path]:
    """Fetch from the first source that answers. Returns it, and where its file is now.

    `title` is what is fetched; `by_hand` tells a user what to do when no source has it;
    `only` is the name of the one source to ask. Raises DataNotFound.
    """
    chosen = [source for source in sources if only in (None, source.name)]
    if not chosen:
        names = ", ".join(source.name for source in sources) or "none"
        raise DataNotFound(f"{title} has no source {only!r}; there are: {names}.")
    reasons = []
    for source in chosen:
        try:
            return source, source.fetch(folder)
        except TROUBLE as error:
            if full_disk(error):
                raise
            reasons.append(f"{source.name}: {in_words(error)}")
    raise DataNotFound(f"{title} cannot be fetched ({'; '.join(reasons)}). {by_hand}")


def in_words(error: Exception) -> str:
    """Say in a few words what was wrong with a source."""
    if isinstance(error, requests.ConnectionError):
        return "it does not answer"
    if isinstance(error, requests.Timeout | subprocess.TimeoutExpired):
        return "it took too long"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"it answers {error.response.status_code}"
    if isinstance(error, WrongDigest):
        return "it sent another file (wrong digest)"
    return first_line(error)


def download(url: str, output: Path, part: Path) -> None:
    """Download a file, going on where an earlier download was cut off.

    What has arrived lies in `part` until the file is whole. Raises
    requests.RequestException, OSError.
    """
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            part.replace(output)  # it was whole; its digest will tell
            return
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        name = part.stem.lstrip(".")
        bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=name)
        with open(part, "ab" if have else "wb") as stream, bar:
            for chunk in _as_sent(response):
                stream.write(chunk)
                bar.update(len(chunk))
    if total is not None and part.stat().st_size < total:
        raise OSError(CUT_OFF)
    part.replace(output)


def _as_sent(response: requests.Response) -> Iterator[bytes]:
    """Yield what a server sends; an archive that it calls an encoding stays an archive."""
    try:
        yield from response.raw.stream(CHUNK, decode_content=False)
    except urllib3.exceptions.HTTPError as error:
        raise OSError(CUT_OFF) from error


class UnsafeArchive(ValueError):
    """An archive is damaged, or holds what must not be extracted."""


def extract(archive: Path, into: Path) -> None:
    """Extract a tar or zip archive into a new folder. Raises UnsafeArchive, OSError.

    Plain files and folders only, and none outside of `into`. If it raises, what is in
    `into` is not the whole.
    """
    try:
        if zipfile.is_zipfile(archive):
            _extract_zip(archive, into)
        else:
            _extract_tar(archive, into)
    except UnsafeArchive:
        raise
    except DAMAGED as error:
        if full_disk(error) or isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise UnsafeArchive(
            f"{archive.name} is damaged or not an archive ({first_line(error)})"
        ) from error


def _extract_zip(archive: Path, into: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            kind = member.external_attr >> 16 & 0o170000
            _require_safe(archive, member.filename, kind in (0, 0o100000, 0o040000))
            opened.extract(member, into)


def _extract_tar(archive: Path, into: Path) -> None:
    with tarfile.open(archive, tarinfo=StrictHeader) as opened:
        for member in opened:
            _require_safe(archive, member.name, member.isreg() or member.isdir())
            opened.extract(member, into, filter="data")
        while opened.fileobj.read(CHUNK):  # to the end, where a compressed file has its checksum
            pass


class StrictHeader(tarfile.TarInfo):
    """A header of a tar archive; one that is damaged or missing is not taken for the end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:  # ty: ignore[lost-keyword-for-regular-parameter]: by position
        """Read the next header. Raises ReadError."""
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # ty: ignore[missing-attribute]: not in typeshed
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error or 'its end is missing'}") from error


def _require_safe(archive: Path, name: str, plain: bool) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    drive = ":" in path.parts[0] if path.parts else False
    if not plain or path.is_absolute() or ".." in path.parts or drive:
        raise UnsafeArchive(f"{archive.name} holds {name!r}, which could end up anywhere")


def probe(source: Source) -> str:
    """Fetch as much from a source as is needed to judge it. Returns the result as a phrase."""
    start = time.monotonic()
    try:
        if source.size <= WHOLE:
            with tempfile.TemporaryDirectory() as folder:
                size = source.fetch(Path(folder)).stat().st_size
                judged = "right digest" if source.digest else "answers"
        else:
            with requests.get(source.address, stream=True, timeout=TIMEOUT) as response:
                response.raise_for_status()
                size = sum(map(len, islice(response.iter_content(CHUNK), 8)))
                right = int(response.headers.get("Content-Length", 0)) == source.size
                judged = "right size, digest not checked" if right else "wrong size"
    except TROUBLE as error:
        return in_words(error)
    return f"{judged}, {size / (time.monotonic() - start) / 1e6:.1f} MB/s"
