"""Files from the network: several sources in turn, resumed, verified, whole or not at all.

A digest decides what is right, never an address. Sources die and move; as long as one
answers, a student has the data, and when none does, one sentence says what to do.
"""

import shutil
import subprocess
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

import pooch
import requests
from tqdm.auto import tqdm

from data_scripts.storage import FULL, DataNotFound

pooch.get_logger().setLevel("WARNING")  # what is fetched has a progress bar

CHUNK = 1 << 20  # bytes
WHOLE = 1 << 30  # bytes; a file up to this size is fetched whole when its source is probed
TIMEOUT = 15, 60  # seconds to connect, and between two pieces
TROUBLE = (OSError, ValueError, subprocess.SubprocessError, requests.RequestException)


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
        except ValueError:  # what was there before may have been of another file
            if not resumed:
                raise
            return self._download(target, part)

    def matches(self, path: Path) -> bool:
        """Say whether this is the right file."""
        algorithm, _, value = self.digest.partition(":")
        return not value or pooch.file_hash(path, algorithm).startswith(value)

    def _download(self, target: Path, part: Path) -> Path:
        arrived = target.with_name(f".{self.file}.new")
        pooch.retrieve(
            self.address, None, arrived.name, target.parent,
            downloader=lambda url, output, _: download(url, Path(output), part),
        )  # fmt: skip
        return self._verified(arrived, target)

    def _verified(self, arrived: Path, target: Path) -> Path:
        if not self.matches(arrived):
            arrived.unlink()
            raise ValueError(f"{self.name}: wrong digest")
        return arrived.replace(target)

    def _ask_client(self, target: Path) -> Path:
        if shutil.which(self.command[0]) is None:
            raise FileNotFoundError(f"{self.command[0]} is not installed")
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as folder:
            done = subprocess.run(
                self.command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL
            )
            if done.returncode:
                said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
                raise OSError(f"{Path(self.command[0]).name} said: {said}")
            found = Path(folder) / self.file
            if not found.exists():
                raise OSError(f"{self.command[0]} left no file {self.file}")
            return self._verified(found, target)


def fetch(
    title: str, sources: Sequence[Source], folder: Path, by_hand: str, only: str | None = None
) -> tuple[Source, Path]:
    """Fetch from the first source that answers. Returns it, and where its file is now.

    `title` is what is fetched and `by_hand` what to do when no source has it, for people;
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
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            reasons.append(f"{source.name}: {in_words(error)}")
    raise DataNotFound(f"{title} cannot be fetched ({'; '.join(reasons)}). {by_hand}")


def in_words(error: Exception) -> str:
    """Say in a few words what was wrong with a source."""
    if isinstance(error, requests.ConnectionError):
        return "it does not answer"
    if isinstance(error, requests.Timeout):
        return "it took too long"
    if isinstance(error, requests.HTTPError):
        return f"it answers {error.response.status_code}"
    if isinstance(error, ValueError):
        return "it sent another file (wrong digest)"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def download(url: str, output: Path, part: Path) -> None:
    """Download a file, going on where an earlier download was cut off.

    What has arrived lies in `part` until the file is whole. Raises
    requests.RequestException, OSError.
    """
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            part.replace(output)  # it was whole; its digest will tell
            return
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with (
            open(part, "ab" if have else "wb") as stream,
            tqdm(
                total=total, initial=have, unit="B", unit_scale=True, desc=part.stem.lstrip(".")
            ) as bar,
        ):
            for chunk in response.iter_content(CHUNK):
                stream.write(chunk)
                bar.update(len(chunk))
    if total is not None and part.stat().st_size < total:
        raise OSError("the download was cut off")
    part.replace(output)


class UnsafeArchive(ValueError):
    """An archive holds what must not be extracted."""


def extract(archive: Path, into: Path, wanted: Callable[[str], bool] = lambda name: True) -> None:
    """Extract the wanted files of a tar or zip archive. Raises UnsafeArchive, OSError.

    Plain files and folders only, and none outside of `into`; one bad member, and
    nothing is extracted.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                members = [m for m in opened.infolist() if wanted(m.filename)]
                for member in members:
                    kind = member.external_attr >> 16 & 0o170000
                    _require_safe(archive, member.filename, kind in (0, 0o100000, 0o040000))
                opened.extractall(into, members)
        else:
            with tarfile.open(archive) as opened:
                members = [m for m in opened if wanted(m.name)]
                for member in members:
                    _require_safe(archive, member.name, member.isreg() or member.isdir())
                opened.extractall(into, members, filter="data")
    except (tarfile.ReadError, zipfile.BadZipFile, EOFError) as error:
        raise UnsafeArchive(f"{archive.name} is damaged, or no archive ({error})") from error


def _require_safe(archive: Path, name: str, plain: bool) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if not plain or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise UnsafeArchive(f"{archive.name} holds {name!r}, which could end up anywhere")


def probe(source: Source) -> str:
    """Fetch from a source as far as is needed to judge it. Returns what came of it, in words."""
    start = time.monotonic()
    try:
        if source.size <= WHOLE:
            with tempfile.TemporaryDirectory() as folder:
                size, judged = source.fetch(Path(folder)).stat().st_size, "right digest"
        else:
            with requests.get(source.address, stream=True, timeout=TIMEOUT) as response:
                response.raise_for_status()
                size = sum(map(len, islice(response.iter_content(CHUNK), 8)))
                right = int(response.headers.get("Content-Length", 0)) == source.size
                judged = "right size, digest not checked" if right else "wrong size"
    except TROUBLE as error:
        return in_words(error)
    return f"{judged}, {size / (time.monotonic() - start) / 1e6:.1f} MB/s"
