"""Grade a class: prepare, run on Dask, judge, record.

A worker runs one submission at a time and knows neither the answers nor the gradebook.
Everything else happens in this process, the only one that writes. Each submission is
recorded as soon as it is judged, with a line in the journal, so that a run that was cut
off can go on where it stopped.
"""

import errno
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path

from distributed import Client, KilledWorker
from nbformat import NotebookNode
from nbgrader.utils import parse_utc

from autograder import cases, folder, notebook
from autograder.cluster import connect, run_class
from autograder.course import Course, CourseError
from autograder.gradebook import GradebookWriter, open_writer, patiently
from autograder.journal import Journal
from autograder.plugins import judge_notebook
from autograder.prepare import Assignment, Prepared, load_assignment, prepare
from autograder.run import Ran

TIMESTAMP = "timestamp.txt"
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True)
class Graded:
    """One submission that was graded or, with an `error`, could not be."""

    student: str
    error: str = ""
    notes: Mapping[str, Sequence[str]] | None = None  # what was repaired, by notebook
    seconds: float = 0.0  # in its kernel
    peak_memory: int = 0  # bytes


def grade(
    course: Course,
    assignment: str,
    students: Sequence[str] = (),
    workers: int | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    client: Client | None = None,
) -> Iterator[Graded]:
    """Grade the submissions of an assignment, all or those of some students.

    They run on `workers` processes of this machine (default: one a core), or on the
    workers of the Dask `scheduler` at an address, or on those of a `client` that is
    connected already, and stays so. With `resume`, those that were graded before and have
    not changed are left out.

    Returns an iterator that yields each as it is done. Raises CourseError if there is
    nothing to grade, or if what is graded cannot be written; CasesNotFound if the
    assignment has no reference tensors; SandboxError.
    """
    loaded = patiently(lambda: load_assignment(course, assignment))
    students = students or course.students(assignment)
    require_folders(course, assignment, students)
    journal = Journal(course, assignment)
    todo = (prepare(course, loaded, student) for student in students)
    if resume:
        todo = (one for one in todo if not journal.has(one))
    connected = partial(connect, scheduler, workers, course.config)
    return _grade(
        course, loaded, todo, journal, partial(nullcontext, client) if client else connected
    )


def require_folders(course: Course, assignment: str, students: Sequence[str]) -> None:
    """Raise CourseError unless each of some students handed in a folder."""
    for student in students:
        place = course.folder("submitted", student, assignment)
        if not place.is_dir():
            raise CourseError(
                f"{place.relative_to(course.root)}: no such folder; is the student's name right?"
            )


def _grade(
    course: Course,
    assignment: Assignment,
    todo: Iterator[Prepared],
    journal: Journal,
    connect: Callable,
) -> Iterator[Graded]:
    first = next(todo, None)
    if first is None:
        return
    reference = cases.load_reference(assignment.name)
    with connect() as client, open_writer(course, assignment.name) as writer:
        for prepared, result in run_class(client, chain([first], todo), course.config):
            if isinstance(result, Ran):
                with writable(course):
                    record(course, assignment, prepared, result, reference, writer)
                graded = Graded(
                    prepared.student, "", prepared.notes, result.seconds, result.peak_memory
                )
            else:
                graded = Graded(prepared.student, one_line(result), prepared.notes)
            with writable(course):
                journal.add(prepared, graded)
            yield graded


def record(
    course: Course,
    assignment: Assignment,
    prepared: Prepared,
    ran: Ran,
    reference: Mapping[str, cases.RecordedCheck],
    writer: GradebookWriter,
) -> None:
    """Judge a submission that has been run, save its grades, write what feedback is made from."""
    notebooks = {name: notebook.from_bytes(data) for name, data in ran.notebooks.items()}
    submitted = course.folder("submitted", prepared.student, assignment.name)
    for nb in notebooks.values():
        judge_notebook(nb, reference)
        for step in assignment.after:
            step(nb, {})
    writer.save(prepared.student, notebooks, handed_in(submitted))
    write_autograded(course, assignment, prepared.student, notebooks)


def handed_in(submitted: Path) -> datetime | None:
    """Read when a submission was handed in, if the folder says so in nbgrader's way.

    nbgrader itself ends the program where it cannot read the time.
    """
    try:
        return parse_utc((folder.read(submitted / TIMESTAMP, 100) or b"").decode().strip())
    except (ValueError, OverflowError):
        return None


def write_autograded(
    course: Course, assignment: Assignment, student: str, notebooks: Mapping[str, NotebookNode]
) -> None:
    """Write a graded submission in the place where nbgrader looks for it, all at once."""
    target = course.folder("autograded", student, assignment.name)
    partial_ = target.with_name(f".{target.name}.new")
    shutil.rmtree(partial_, ignore_errors=True)
    partial_.mkdir(parents=True)
    for name, file in assignment.files.items():
        copy = partial_ / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    submitted = course.folder("submitted", student, assignment.name)
    if time := folder.read(submitted / TIMESTAMP, 100):  # by it nbgrader sees what is newer
        (partial_ / TIMESTAMP).write_bytes(time)
    for name, nb in notebooks.items():
        path = partial_ / f"{name}.ipynb"
        path.write_bytes(notebook.to_file_bytes(nb))
        path.chmod(0o444)
    if target.exists():
        shutil.rmtree(target)
    partial_.rename(target)


@contextmanager
def writable(course: Course) -> Iterator[None]:
    """Say in one sentence what keeps this machine from writing. Raises CourseError."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise CourseError(
            f"{error.filename or course.root}: {error.strerror}; nothing is lost: make room, "
            "and go on with `autograder grade --resume`."
        ) from error


def one_line(error: Exception) -> str:
    """Say what went wrong in one line."""
    if isinstance(error, KilledWorker):
        return "every worker that ran this submission died; run it alone to see why."
    return f"{type(error).__name__}: {error}".splitlines()[0]
