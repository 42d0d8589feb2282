"""The files that were handed in with a notebook, by the names at which it reads them.

Browsers and learning platforms add to names, and people put their work into folders and
archives. Nothing is guessed of what a file holds: its name has to hold the one it should have.
"""

import re
import zipfile
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from autograder.grading import files
from autograder.notebook.evidence import clip
from data_scripts.fetch import UnsafeArchive, extract

ADDED = re.compile(r"[ _-]*(?:\((\d+)\)|[ _-](\d+)|[ _-]copy(?: ?\(?\d*\)?)?)$")
ARCHIVES = 5  # that are looked into


def wanted(source: Path) -> list[str]:
    """Return the names of the files that an assignment's notebook is handed in with."""
    return [path.name for path in sorted(source.glob("artifacts/*"))]


def moved(
    found: Mapping[str, Path], place: str, needs: Iterable[str]
) -> tuple[dict[str, Path], list[str]]:
    """Find files that a notebook reads, and that are not where it looks.

    `found` are the files by their paths in what was handed in; `place` is the folder of the
    notebook there, or empty; `needs` the names of files that it reads. Returns files by the
    paths where they should be, and a note on each that is needed.
    """
    before = f"{place}/" if place else ""
    beside = {n.removeprefix(before): n for n in found if before and n.startswith(before)}
    notes = []
    for name in needs:
        if name not in found:
            alike = [other for other in found if _number(other, name) is not None]
            if alike := sorted(alike, key=lambda other: _rank(other, name, before)):
                beside[name] = alike[0]
                among = f", one of {len(alike)} files with similar names" if len(alike) > 1 else ""
                notes.append(f"The file {name} was handed in as {clip(alike[0])}{among}.")
    return {n: found[there] for n, there in beside.items() if n not in found}, notes


def notes_on_data(found: Mapping[str, Path], wrong: Callable[[Path], bool]) -> list[str]:
    """Return a note on each file that was trained on real data, where drawn data is graded."""
    return [
        f"The file {name} was trained on real data, and this class is graded on drawn data: its "
        "predictions are worth little. Train it with REAL = False."
        for name, path in found.items()
        if wrong(path)
    ]


def _rank(other: str, name: str, before: str) -> tuple:
    """Rank a file that may be meant: beside the notebook, and the latest of several copies."""
    return not other.startswith(before), -(_number(other, name) or 0), len(other), other


def _number(other: str, name: str) -> int | None:
    """Return which copy of a file another one is by its name, or None if it is another file."""
    there, wanted = PurePosixPath(other.casefold()), PurePosixPath(name.casefold())
    if there.suffix != wanted.suffix:
        return None
    whole = re.compile(rf"(?:.*[ _.-])?{re.escape(wanted.stem)}")
    stem = there.stem.removeprefix("copy of ")
    if whole.fullmatch(stem):
        return 0
    added = ADDED.search(stem)
    if added and whole.fullmatch(stem[: added.start()]):
        return int(next(filter(None, added.groups()), "1"))
    return None


@contextmanager
def unpacked(
    folder: Path, limit: int, most: int, needs: Iterable[str] = ()
) -> Generator[tuple[Path, list[str]]]:
    """Give a folder to read: the one that was handed in, or what is in archives there.

    Archives are looked into if there is no notebook beside them, or if a file that it `needs` is
    not: somebody handed in the notebook and the zip. They may have `limit` bytes and `most` files.
    """
    found = files.in_folder(folder)
    archives = [path for name, path in found.items() if name.casefold().endswith(".zip")]
    loose = {name: path for name, path in found.items() if path not in archives}
    notebook = any(name.casefold().endswith(".ipynb") for name in loose)
    if notebook:
        there = {**loose, **moved(loose, "", needs)[0]}
        archives = [] if all(name in there for name in needs) else archives
    if not archives:
        yield folder, []
        return
    with TemporaryDirectory() as place:
        notes, apart = [], notebook or len(archives) > 1
        for archive in archives[:ARCHIVES]:
            inside = archive.relative_to(folder)
            into, named = Path(place, inside) if apart else Path(place), clip(inside.as_posix())
            if why := _extract(archive, into, limit, most):
                notes.append(f"The archive {named} was not unpacked: {why}.")
            elif not notebook:
                notes.append(f"What was handed in was unpacked from {named}.")
        if notebook:
            _put_beside(loose, Path(place), limit)
        yield Path(place), notes


def _put_beside(loose: Mapping[str, Path], place: Path, limit: int) -> None:
    """Copy files beside those of archives, whose notebooks are not meant, then."""
    for other in files.in_folder(place).values():
        if other.suffix.casefold() == ".ipynb":
            other.unlink()
    for name, path in loose.items():
        if (content := files.read(path, limit)) is not None:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)


def _extract(archive: Path, into: Path, limit: int, most: int) -> str:
    """Extract an archive. Returns why it could not be, or nothing."""
    with suppress(OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError):
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            if sum(member.file_size for member in members) > limit or len(members) > most:
                return f"it holds more than {limit // files.MiB} MiB or {most:,} files"
        try:
            extract(archive, into)
            return ""
        except UnsafeArchive as error:
            return clip(str(error)).rstrip(".")
    return "it is damaged or not a zip archive"
