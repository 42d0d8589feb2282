"""Grade a class: prepare, run, judge, record.

A worker runs one submission at a time and knows neither the answers nor the gradebook.
Everything else happens in this process, the only one that writes. Each submission is
recorded as soon as it is judged, with a line in the journal, so that a run that was cut
off can be resumed.
"""

import errno
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import chain
from types import MappingProxyType

from nbformat import NotebookNode

from autograder.grading import files, kept, notebooks
from autograder.grading.cluster import Workers, connect, run_class
from autograder.grading.course import AssignmentFolders, Course, CourseError
from autograder.grading.execute import Ran
from autograder.grading.gradebook import GradebookWriter, open_writer, patiently, set_maxima
from autograder.grading.journal import Graded, Journal
from autograder.grading.kept import Evidence
from autograder.grading.late import set_due_date
from autograder.grading.prepare import Assignment, Prepared, load_assignment, prepare
from autograder.grading.repair.submitted import TIMESTAMP, time_of
from autograder.grading.verdicts import judge_notebook
from autograder.notebook.judge import Verdict

# by the one nbgrader sees what is newer, by the other its exchange releases feedback
OF_NBGRADER = TIMESTAMP, "submission_secret.txt"
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


def grade(
    folders: AssignmentFolders,
    students: Sequence[str] = (),
    workers: int | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    shared: Workers | None = None,
) -> Iterator[Graded]:
    """Grade the submissions of an assignment, all or those of some students.

    They run side by side on this machine, `workers` at a time (default: one a core), or on
    the workers of the Dask `scheduler` at an address, or on `shared` ones that others use
    too. With `resume`, those that were graded before and have not changed are left out.

    Returns an iterator that yields each as it is done. Raises CourseError if there is
    nothing to grade, or if what is graded cannot be written; CasesNotFound if the
    assignment has no reference tensors; SandboxError.
    """
    assignment = patiently(lambda: load_assignment(folders))
    students = students or folders.students()
    require_folders(folders, students)
    journal = Journal(folders)
    todo = (prepare(assignment, student) for student in students)
    if resume:
        todo = (one for one in todo if not journal.has(one, assignment.answers))
    patiently(lambda: set_maxima(folders, assignment.rules))
    patiently(lambda: set_due_date(folders))
    connected = partial(connect, scheduler, workers, folders.course.config)
    return _grade(assignment, todo, journal, partial(nullcontext, shared) if shared else connected)


def require_folders(folders: AssignmentFolders, students: Sequence[str]) -> None:
    """Raise CourseError unless each of some students handed in a folder."""
    for student in students:
        place = folders.submitted(student)
        if not place.is_dir():
            raise CourseError(
                f"{folders.named(place)}: no such folder; is the student's name right?"
            )


def _grade(
    assignment: Assignment, todo: Iterator[Prepared], journal: Journal, connect: Callable
) -> Iterator[Graded]:
    first = next(todo, None)
    if first is None:
        return
    course = assignment.folders.course
    with connect() as workers, open_writer(assignment.folders) as writer:
        for prepared, result in run_class(workers, chain([first], todo), course.config):
            if isinstance(result, Ran):
                with writable(course):
                    record(assignment, prepared, result, writer)
                graded = Graded(
                    prepared.student, "", prepared.notes, result.seconds, result.peak_memory
                )
            else:
                graded = Graded(prepared.student, one_line(result), prepared.notes)
            with writable(course):
                journal.add(prepared, graded, assignment.answers)
            yield graded


def record(assignment: Assignment, prepared: Prepared, ran: Ran, writer: GradebookWriter) -> None:
    """Judge a submission that has been run, save its grades, and keep its evidence."""
    judged = {name: notebooks.from_bytes(data) for name, data in ran.notebooks.items()}
    verdicts = {name: judge_and_process(nb, assignment) for name, nb in judged.items()}
    save(assignment, prepared.student, judged, writer)
    for name, nb in judged.items():
        path, digests = assignment.evidence(prepared.student, name), assignment.digests
        kept.write(path, Evidence(ran.notebooks[name], *digests, verdicts[name], kept.shown(nb)))


def judge_and_process(
    nb: NotebookNode, assignment: Assignment, known: Mapping[str, Verdict] = MappingProxyType({})
) -> dict[str, Verdict]:
    """Judge a notebook that has been run, and let the course's own steps change it.

    Returns the verdicts of the evidence alone; some may be `known`.
    """
    verdicts = judge_notebook(nb, assignment.references, assignment.rules, known)
    for step in assignment.after:
        step(nb, {})
    return verdicts


def save(
    assignment: Assignment,
    student: str,
    judged: Mapping[str, NotebookNode],
    writer: GradebookWriter,
) -> None:
    """Save the grades of a judged submission, and write what feedback is made from."""
    submitted = assignment.folders.submitted(student)
    before = assignment.folders.autograded(student)

    def earlier(name: str) -> dict[str, str]:
        path = before / f"{name}.ipynb"
        return notebooks.answers_in(path.read_bytes()) if path.is_file() else {}

    writer.save(student, judged, time_of(submitted)[0], earlier)
    write_autograded(assignment, student, judged)


def write_autograded(
    assignment: Assignment, student: str, judged: Mapping[str, NotebookNode]
) -> None:
    """Write a graded submission in the place where nbgrader looks for it, all at once."""
    target = assignment.folders.autograded(student)
    partial_ = target.with_name(f".{target.name}.new")
    shutil.rmtree(partial_, ignore_errors=True)
    partial_.mkdir(parents=True)
    for name, file in assignment.files.items():
        copy = partial_ / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    submitted = assignment.folders.submitted(student)
    for name in OF_NBGRADER:
        if (content := files.read(submitted / name, 1000)) is not None:
            (partial_ / name).write_bytes(content)
    for name, nb in judged.items():
        path = partial_ / f"{name}.ipynb"
        path.write_bytes(notebooks.to_file_bytes(nb))
        path.chmod(0o444)
    if target.exists():
        shutil.rmtree(target)
    partial_.rename(target)


@contextmanager
def writable(course: Course) -> Generator[None]:
    """Say in one sentence what keeps this machine from writing. Raises CourseError."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise CourseError(
            f"{error.filename or course.root}: {error.strerror}; nothing is lost: make room, "
            "and continue with `autograder grade --resume`."
        ) from error


def one_line(error: Exception) -> str:
    """Say what went wrong in one line."""
    if type(error).__name__ == "KilledWorker":  # Dask's, which a machine by itself never imports
        return "every worker that ran this submission died; run it alone to see why."
    return f"{type(error).__name__}: {error}".splitlines()[0]
