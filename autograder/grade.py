"""Grade a class: prepare, run in parallel, judge, record.

A worker process runs one submission at a time and knows neither the answers nor the
gradebook. Everything else, nbgrader's own autograde with the judge in it, happens in
this process, the only one that writes.
"""

import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbformat.warnings import MissingIDFieldWarning
from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute as NbgraderExecute
from nbgrader.utils import capture_log, find_all_files, temp_attrs
from sqlalchemy.exc import SAWarning
from traitlets.config import Config

from autograder.course import Course, last_error
from autograder.run import challenge_for, run


@dataclass(frozen=True)
class Graded:
    """One submission that was graded or, with an `error`, could not be."""

    student: str
    error: str = ""


def grade(
    course: Course,
    assignment: str,
    students: Sequence[str] = (),
    workers: int | None = None,
) -> Iterator[Graded]:
    """Grade the submissions of an assignment, all or those of some students.

    Returns an iterator that yields each as it is done. Raises CourseError if there is
    nothing to grade, and CasesNotFound if the assignment has no reference tensors.
    """
    students = students or course.students(assignment)
    course.require_release(assignment)
    return _grade(course, assignment, students, challenge_for(assignment), workers)


def _grade(
    course: Course,
    assignment: str,
    students: Sequence[str],
    challenge: bytes,
    workers: int | None,
) -> Iterator[Graded]:
    pool = ProcessPoolExecutor(workers or os.cpu_count(), get_context("spawn"))
    with pool:
        running: dict[Future, str] = {}
        for student in students:
            try:
                prepared = prepare(course, assignment, student)
            except Exception as error:  # one broken submission must not stop the others
                yield Graded(student, one_line(error))
                continue
            files = other_files(course, assignment, student)
            running[pool.submit(run_all, prepared, challenge, files, course.config)] = student
        for future in as_completed(running):
            student = running.pop(future)
            try:
                executed = future.result()
            except BrokenProcessPool:
                yield Graded(student, "a worker process died; grade this student again.")
                continue
            except Exception as error:
                yield Graded(student, one_line(error))
                continue
            yield Graded(student, record(course, assignment, student, executed))


def prepare(course: Course, assignment: str, student: str) -> dict[str, NotebookNode]:
    """Sanitise a submission by nbgrader's own preprocessors. Returns notebooks by name."""
    with temp_attrs(course.api.coursedir, assignment_id=assignment, student_id=student):
        converter = Autograde(coursedir=course.api.coursedir, parent=course.api)
        converter.exporter = NotebookExporter(parent=converter, config=converter.config)
        converter._init_preprocessors()
        prepared = {}
        for path in sorted(course.folder("submitted", student, assignment).glob("*.ipynb")):
            resources = converter.init_single_notebook_resources(str(path))
            with quiet():
                text, _ = converter.exporter.from_filename(str(path), resources=resources)
                prepared[path.stem] = nbformat.reads(text, 4)
        return prepared


def other_files(course: Course, assignment: str, student: str) -> dict[str, Path]:
    """Return what lies beside a submission's notebook when it runs: the course's file wins."""
    ignored = [*course.api.coursedir.ignore, "*.ipynb"]
    files = {}
    for folder in (
        course.folder("submitted", student, assignment),
        course.folder("source", ".", assignment),
    ):
        for file in find_all_files(str(folder), ignored):
            files[os.path.relpath(file, folder)] = Path(file)
    return files


def run_all(
    prepared: dict[str, NotebookNode], challenge: bytes, files: dict[str, Path], config: Config
) -> dict[str, NotebookNode]:
    """Run every notebook of one submission. This is what a worker does."""
    return {name: run(nb, challenge, files, config) for name, nb in prepared.items()}


def record(course: Course, assignment: str, student: str, executed: dict[str, NotebookNode]) -> str:
    """Judge a submission that has been run, and save its grades: nbgrader's autograde.

    Returns an error in one line, or an empty string.
    """

    def use(nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        return executed[resources["nbgrader"]["notebook"]], resources

    with temp_attrs(course.api.coursedir, assignment_id=assignment, student_id=student):
        converter = Autograde(coursedir=course.api.coursedir, parent=course.api)
        converter.force = True
        converter.autograde_preprocessors = [
            use if isinstance(step, type) and issubclass(step, NbgraderExecute) else step
            for step in converter.autograde_preprocessors
        ]
        with quiet():
            result = capture_log(converter)
    return "" if result["success"] else last_error(result)


@contextmanager
def quiet() -> Iterator[None]:
    """Hide two warnings that tell an instructor nothing.

    nbgrader restores deleted cells without ids, and queries submissions it has not added yet.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingIDFieldWarning)
        warnings.simplefilter("ignore", SAWarning)
        yield


def one_line(error: Exception) -> str:
    """Say what went wrong in one line."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
