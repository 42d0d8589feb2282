"""Puts a download into `submitted/`, a folder for each student, and loses nothing."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

from dateutil import parser as dates

from autograder.grading.course import AssignmentFolders, CourseError, simple
from autograder.grading.repair.submitted import TIMESTAMP
from autograder.lms import downloads
from autograder.lms.downloads import Download, DownloadUnreadable, File
from autograder.lms.roster import Person, Roster, slug
from autograder.sandbox.limits import Limits

EARLIER = "earlier"  # the folder of what was replaced


@dataclass
class Collected:
    """What became of a download: students by what happened, and what could not be matched."""

    system: str = ""
    new: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)  # each with a reason
    absent: list[str] = field(default_factory=list)  # in the roster, but not in the download


def collect(assignment: AssignmentFolders, source: Path, roster: Roster | None = None) -> Collected:
    """Put the submissions of an assignment where `autograder grade` looks for them.

    What a student handed in before is kept in `earlier/` if the new one differs.
    Raises DownloadUnreadable.
    """
    download = downloads.read(source)
    students, nobody = students_in(download, roster)
    left_out = [f"{n}: nobody's" for n in download.left_out] + nobody
    result = Collected(download.system, left_out=left_out)
    limit, most = Limits(config=assignment.course.config).beside
    for student, files in students.items():
        person = files[0].person
        if sum(file.size for file in files) > limit or len(files) > most:
            result.left_out.append(f"{person.shown}: more than {limit / 2**20:.0f} MiB")
            continue
        try:
            _put(assignment, student, _contents(files, _when(files, person, roster)), result)
        except DownloadUnreadable as error:
            result.left_out.append(f"{person.shown}: {error}")
        except OSError as error:
            result.left_out.append(
                f"{person.shown}: its files cannot be written ({error.strerror})"
            )
    if roster:
        there = {*result.new, *result.replaced, *result.unchanged}
        result.absent = [s.id for s in roster.students if s.id not in there]
    return result


def students_in(
    download: Download, roster: Roster | None = None
) -> tuple[dict[str, list[File]], list[str]]:
    """Find out who the people of a download are: files by student id, and who is left out, why."""
    people: dict[Person, list[File]] = {}
    for file in download.files:
        people.setdefault(file.person, []).append(file)
    found: dict[str, Person] = {}
    twice: set[str] = set()
    left_out = []
    for person in people:
        student = roster.find(person) if roster else None
        if roster and not student:
            left_out.append(f"{person.shown}: not in the roster, or not the only one there")
            continue
        name = student.id if student else _name(person)
        try:
            simple(name, "a student")
        except CourseError:
            left_out.append(f"{person.shown}: {name!r} cannot be the name of a folder")
            continue
        if name in found:
            twice.add(name)
            left_out.append(f"{person.shown}: another {name}; give a roster with --roster")
        else:
            found[name] = person
    for name in twice:
        left_out.append(f"{found[name].shown}: another {name}; give a roster with --roster")
        del found[name]
    return {student: people[person] for student, person in found.items()}, left_out


def _name(person: Person) -> str:
    """Name somebody of whom there is no roster."""
    return slug(person.email) or slug(person.name).casefold() or person.number


def _contents(files: Sequence[File], when: str) -> dict[str, bytes]:
    """Read the files of a student."""
    contents = {file.name: file.read() for file in files}
    return {**contents, TIMESTAMP: when.encode()} if when else contents


def _when(files: Sequence[File], person: Person, roster: Roster | None) -> str:
    """Return when it was handed in, as nbgrader writes it, if the download or roster says so.

    A time without a zone is one of this machine's.
    """
    student = roster.find(person) if roster else None
    said = [file.when for file in files if file.when]
    said += [student.handed_in] if student and student.handed_in else []
    try:
        return f"{dates.parse(said[0]).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (IndexError, ValueError, OverflowError):
        return ""


def _put(
    assignment: AssignmentFolders, student: str, contents: Mapping[str, bytes], result: Collected
) -> None:
    folder = assignment.submitted(student)
    before = folder.is_dir()
    if before and dict(_digests(folder)) == {n: _digest(data) for n, data in contents.items()}:
        result.unchanged.append(student)
        return
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    for name, data in contents.items():
        path = part / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if before:  # and not sooner: what was there stays until all of the new one is written
        earlier = assignment.course.root / EARLIER / student / assignment.name
        earlier.mkdir(parents=True, exist_ok=True)
        shutil.move(folder, earlier / str(1 + sum(1 for _ in earlier.iterdir())))
    part.rename(folder)
    (result.replaced if before else result.new).append(student)


def _digests(folder: Path) -> Iterator[tuple[str, str]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), _digest(path.read_bytes())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
