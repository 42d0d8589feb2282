"""The files that were handed in with a notebook, by the names at which it reads them.

Browsers and learning platforms add to names, and people put their work into folders and
archives. Nothing is guessed of what a file holds: its name has to hold the one it should have.
"""

import re
import shutil
import zipfile
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath, PurePosixPath
from tempfile import TemporaryDirectory

from autograder.grading import files
from autograder.grading.repair import submitted
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
    copies = -copy_of(PurePosixPath(other)), -(_number(other, name) or 0)
    return not other.startswith(before), *copies, len(other), other


def copy_of(path: PurePath) -> int:
    """Return which copy of an archive a file was in, by the archive's name: 2 for `a1 (2).zip`."""
    stems = (part[: -len(".zip")] for part in path.parts if part.casefold().endswith(".zip"))
    added = (match for stem in stems if (match := ADDED.search(stem)))
    return max((int(next(filter(None, match.groups()), "1")) for match in added), default=0)


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
    not: somebody handed in the notebook and the zip. They may have `limit` bytes and `most` files,
    and so may what is beside them, which comes along.
    """
    found = files.in_folder(folder)
    archives = [path for path in found.values() if _is_archive(path)]
    loose = {name: path for name, path in found.items() if path not in archives}
    notebook, fit = any(submitted.notebooks(folder)), _fit(loose, limit, most)
    there = {**loose, **moved(loose, "", needs)[0]}
    if notebook and (not fit or all(name in there for name in needs)):
        archives = []
    if not archives:
        yield folder, []
        return
    with TemporaryDirectory() as place:
        notes, apart = [], notebook or len(archives) > 1
        for archive in archives[:ARCHIVES]:
            inside = archive.relative_to(folder).as_posix()
            into = Path(place, inside.replace("/", " ")) if apart else Path(place)
            if why := _extract(archive, into, limit, most):
                notes.append(f"The archive {clip(inside)} was not unpacked: {why}.")
            elif not notebook:
                notes.append(f"What was handed in was unpacked from {clip(inside)}.")
            if apart:
                _lift(into)
        if notebook:  # those inside archives are not meant
            _drop_notebooks(Path(place))
        if fit:
            _copy(loose, Path(place))
        yield Path(place), notes


def _is_archive(path: Path) -> bool:
    return path.suffix.casefold() == ".zip" and path.is_file()


def _fit(found: Mapping[str, Path], limit: int, most: int) -> bool:
    """Say whether files are few and small enough to be copied."""
    try:
        return len(found) <= most and sum(path.stat().st_size for path in found.values()) <= limit
    except OSError:  # one has gone
        return False


def _lift(folder: Path) -> None:
    """Let a folder that is alone in another one take its place, as if only it had been packed."""
    with suppress(OSError):  # there is nothing in it, or it cannot be moved
        inside = [one for one in folder.iterdir() if not one.name.startswith((".", "__"))]
        if len(inside) == 1 and inside[0].is_dir():
            aside = inside[0].rename(folder.with_name(f"{folder.name} "))
            shutil.rmtree(folder)
            aside.rename(folder)


def _drop_notebooks(place: Path) -> None:
    for path in files.in_folder(place).values():
        if path.suffix.casefold() == ".ipynb":
            path.unlink()


def _copy(found: Mapping[str, Path], place: Path) -> None:
    """Copy files to where there are none of their names."""
    for name, path in found.items():
        with suppress(OSError):  # it has gone, or a file is in the place of its folder
            if path.is_file() and not (place / name).exists():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place / name)


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
