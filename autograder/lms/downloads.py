"""What a learning management system lets an instructor download: whose each file is."""

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import orjson
import yaml

from autograder.errors import UserError
from autograder.lms.roster import Person, slug
from autograder.notebook.hand_in import ABOUT

# "Jane Doe_12345_assignsubmission_file/a1.ipynb", before Moodle 4.1 with _ before the slash, or,
# not in folders, "Jane Doe_12345_assignsubmission_file_a1.ipynb"
MOODLE = re.compile(r"(?P<name>[^/]+?)_(?P<id>\d+)_assignsubmission_file(?:_/?|/)(?P<file>.+)")
MOODLE_TEXT = re.compile(r"[^/]+?_\d+_assignsubmission_onlinetext[_/]")
# "doejane_LATE_48213_771234_a1-1.ipynb": the person's number, the file's, and its name
CANVAS = re.compile(r"(?P<name>[^/_]+)(?P<late>_LATE)?_(?P<id>\d+)_\d+_(?P<file>[^/]+)")
GRADESCOPE = "submission_metadata.yml"
JUNK = re.compile(r"(^|/)(__MACOSX|\.DS_Store|\._[^/]*|Thumbs\.db|\.ipynb_checkpoints)(/|$)")


class DownloadUnreadable(UserError):
    """What was downloaded cannot be read."""


@dataclass(frozen=True)
class File:
    """One file of a person: its name for them, its size in bytes, and how to read it.

    `place` is what Moodle or Canvas put before its name, to know it again.
    """

    person: Person
    name: str
    size: int
    read: Callable[[], bytes]
    when: str = ""  # handed in, if the download says so
    place: str = ""


@dataclass(frozen=True)
class Entry:
    """One file of a download, by its path in it."""

    path: str
    size: int
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Download:
    """A download: of which system, its files, and what in it is nobody's."""

    system: str
    files: list[File]
    left_out: list[str]


def read(source: Path) -> Download:
    """Read a download of Moodle, Canvas or Gradescope, or folders and zips of students.

    Raises DownloadUnreadable.
    """
    entries = [e for e in _entries(source) if not JUNK.search(e.path)]
    if not entries:
        raise DownloadUnreadable(f"{source}: there are no files in it.")
    entries = _without_wrapping(entries)
    about = next((e for e in entries if e.path == GRADESCOPE), None)
    if about:
        return _gradescope(entries, about)
    if any(MOODLE.match(e.path) or MOODLE_TEXT.match(e.path) for e in entries):
        return _named("moodle", MOODLE, entries)
    if sum(bool(CANVAS.fullmatch(e.path)) for e in entries) >= len(entries) / 2:
        return _named("canvas", CANVAS, entries)
    return _folders(entries)


def _entries(source: Path) -> Iterator[Entry]:
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.is_file() and not path.is_symlink():
                name = path.relative_to(source).as_posix()
                yield Entry(name, path.stat().st_size, path.read_bytes)
        return
    try:
        archive = zipfile.ZipFile(source)
    except OSError as error:
        raise DownloadUnreadable(f"{source}: {error.strerror}.") from None
    except zipfile.BadZipFile:
        raise DownloadUnreadable(
            f"{source}: it is neither a folder nor a zip; download it again."
        ) from None
    for info in archive.infolist():
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if info.is_dir() or path.is_absolute() or ".." in path.parts:
            continue
        yield Entry(path.as_posix(), info.file_size, partial(_unzipped, archive, info))


def _unzipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(info)
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
        reason = "it needs a password" if info.flag_bits & 1 else "it is damaged"
        raise DownloadUnreadable(f"{info.filename}: {reason}; download it again.") from error


def _without_wrapping(entries: list[Entry]) -> list[Entry]:
    """Take away a folder that all lies in, unless it is a student's."""
    first = {e.path.split("/")[0] for e in entries}
    deep = all(e.path.count("/") >= 2 or e.path.endswith(f"/{GRADESCOPE}") for e in entries)
    if len(first) > 1 or not (deep or _wraps(next(iter(first)), entries)):
        return entries
    return [Entry(e.path.partition("/")[2], e.size, e.read) for e in entries]


def _wraps(name: str, entries: list[Entry]) -> bool:
    inside = [e.path.removeprefix(f"{name}/") for e in entries]
    return all("/" in e.path for e in entries) and any(
        MOODLE.match(path) or CANVAS.fullmatch(path) for path in inside
    )


def _named(system: str, pattern: re.Pattern, entries: list[Entry]) -> Download:
    files, left_out = [], []
    for entry in entries:
        if match := pattern.fullmatch(entry.path):
            person = Person(match["name"].strip(), match["id"])
            place = entry.path[: match.start("file")]
            files.append(File(person, match["file"], entry.size, entry.read, place=place))
        else:
            left_out.append(entry.path)
    return Download(system, files, left_out)


def _gradescope(entries: list[Entry], about: Entry) -> Download:
    try:
        said = yaml.load(about.read(), _Loader)
        people = {name: _submitters(one) for name, one in said.items()}
    except (yaml.YAMLError, AttributeError, TypeError, UnicodeError):
        raise DownloadUnreadable(
            f"{GRADESCOPE} cannot be read; export the submissions from Gradescope again."
        ) from None
    files, left_out = [], []
    for entry in entries:
        folder, _, name = entry.path.partition("/")
        if name and folder in people:
            when, submitters = people[folder]
            files += [File(person, name, entry.size, entry.read, when) for person in submitters]
        elif entry is not about:
            left_out.append(entry.path)
    return Download("gradescope", files, left_out)


class _Loader(yaml.SafeLoader):
    """Reads what Gradescope's Ruby writes; objects of Ruby are nothing."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
_Loader.yaml_implicit_resolvers = {  # a number of a student keeps its zeros, a time its text
    sign: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":null", ":merge"))]
    for sign, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _submitters(submission: dict) -> tuple[str, list[Person]]:
    known = ":name", ":sid", ":email"
    found = [
        Person(*(str(one.get(key) or "") for key in known)) for one in submission[":submitters"]
    ]
    return str(submission.get(":created_at") or ""), found


def _folders(entries: list[Entry]) -> Download:
    """Read a folder for each student, as `submitted/` has them, or a zip of `check.hand_in()`."""
    files, left_out = [], []
    for entry in entries:
        person, _, name = entry.path.rpartition("/")
        if person:
            files.append(File(Person(person.split("/")[0]), name, entry.size, entry.read))
        elif entry.path.endswith(".zip") and (student := _of_hand_in(entry)):
            files.append(File(Person(student), entry.path, entry.size, entry.read))
        else:
            left_out.append(entry.path)
    return Download("folders", files, left_out)


def _of_hand_in(entry: Entry) -> str:
    """Return whom a zip of `check.hand_in()` names, or what the file is called after."""
    from io import BytesIO

    try:
        with zipfile.ZipFile(BytesIO(entry.read())) as archive:
            about = orjson.loads(archive.read(ABOUT))
    except (DownloadUnreadable, zipfile.BadZipFile, zlib.error, RuntimeError, KeyError,
            ValueError, OSError):  # fmt: skip
        return ""
    called = PurePosixPath(entry.path).stem.replace(str(about.get("assignment")), "")
    return str(about.get("student") or "") or slug(called.strip("-_ "))
