"""A course folder as nbgrader knows it."""

import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from jupytext.combine import combine_inputs_with_outputs
from nbformat import NotebookNode
from nbformat.warnings import MissingIDFieldWarning
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGrader, NbGraderAPI
from sqlalchemy.exc import SAWarning
from traitlets.config import Config

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


class CourseError(Exception):
    """Something in a course folder is missing or wrong; the message says what and the remedy."""


@dataclass(frozen=True)
class Course:
    """A course folder, with nbgrader's interface to it."""

    root: Path
    api: NbGraderAPI

    @property
    def config(self) -> Config:
        """The configuration, from `nbgrader_config.py` and wherever else nbgrader looks."""
        return self.api.config

    def gradebook(self) -> Gradebook:
        """Open the gradebook; use it in a `with` statement."""
        return Gradebook(self.api.coursedir.db_url, self.api.coursedir.course_id)

    def folder(self, step: str, student: str, assignment: str) -> Path:
        """Return the folder of a step: source, release, submitted, autograded or feedback."""
        directory = getattr(self.api.coursedir, f"{step}_directory")
        return Path(self.api.coursedir.format_path(directory, student, assignment))

    def assignments(self) -> list[str]:
        """List the assignments that have a source notebook, as `.py` or as `.ipynb`."""
        return sorted(
            path.name
            for path in self.folder("source", ".", ".").iterdir()
            if any((path / f"{path.name}.{end}").exists() for end in ("py", "ipynb"))
        )

    def source_notebook(self, assignment: str) -> Path:
        """Return the instructor's notebook. Raises CourseError."""
        path = self.folder("source", ".", assignment) / f"{assignment}.ipynb"
        if not path.exists():
            known = ", ".join(self.assignments()) or "none"
            raise CourseError(
                f"{path.relative_to(self.root)}: no such notebook; there are {known}."
            )
        return path

    def students(self, assignment: str) -> list[str]:
        """List the students who submitted an assignment. Raises CourseError if none did."""
        pattern = self.folder("submitted", "*", assignment).relative_to(self.root)
        found = sorted(path for path in self.root.glob(str(pattern)) if path.is_dir())
        if not found:
            raise CourseError(
                f"{pattern}: there are no submissions; put one folder a student there."
            )
        return [path.relative_to(self.root).parts[pattern.parts.index("*")] for path in found]

    def require_release(self, assignment: str) -> None:
        """Raise CourseError unless the gradebook knows the assignment."""
        with self.gradebook() as gradebook:
            try:
                gradebook.find_assignment(assignment)
            except MissingEntry:
                raise CourseError(
                    f"{assignment}: the gradebook does not know this assignment; "
                    f"run `autograder release {assignment}` first."
                ) from None


@contextmanager
def quiet() -> Iterator[None]:
    """Hide what tells an instructor nothing: two warnings, and tracebacks in a log.

    nbgrader restores deleted cells without ids, queries submissions it has not added yet,
    and logs the error of a gradebook before it raises it.
    """
    log = logging.getLogger("tornado.application")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingIDFieldWarning)
        warnings.simplefilter("ignore", SAWarning)
        log.disabled = True
        try:
            yield
        finally:
            log.disabled = False


def open_course(root: Path | str = ".") -> Course:
    """Open a course folder. Raises CourseError if it has no `nbgrader_config.py`."""
    root = Path(root).resolve()
    # nbgrader starts alembic by name: it lies beside the Python that runs us
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if not (root / "nbgrader_config.py").exists():
        raise CourseError(f"{root.name}/nbgrader_config.py: no such file; run in a course folder.")
    app = NbGrader(log_level=logging.CRITICAL)
    app.initialize([], root=str(root))
    app.log.setLevel(logging.INFO)
    app.log.handlers.clear()  # what nbgrader logs is read from `capture_log`, not from the screen
    app.log.propagate = False
    return Course(root, NbGraderAPI(coursedir=app.coursedir, parent=app, log_level=logging.INFO))


def sync(course: Course, assignment: str) -> Path:
    """Write an assignment's `.ipynb` from its `.py`, with nbgrader's metadata and no other.

    Cells that are still there keep their ids. Returns the path. Raises CourseError.
    """
    paths = [
        course.folder("source", ".", assignment) / f"{assignment}.{e}" for e in ("py", "ipynb")
    ]
    if not paths[0].exists():
        raise CourseError(f"{paths[0].relative_to(course.root)}: no such file.")
    notebook = jupytext.read(paths[0])
    if paths[1].exists():
        notebook = combine_inputs_with_outputs(notebook, nbformat.read(paths[1], 4))
    notebook.metadata = {"kernelspec": notebook.metadata.get("kernelspec", KERNEL)}
    for cell in notebook.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k == "nbgrader"}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, paths[1])
    return paths[1]


def release(course: Course, assignment: str) -> Path:
    """Generate the student version of an assignment. Returns its folder. Raises CourseError."""
    source = course.source_notebook(assignment)
    problems = list(open_regions(nbformat.read(source, 4)))
    if problems:
        raise CourseError(f"{source.relative_to(course.root)}, {problems[0]}")
    result = course.api.generate_assignment(assignment)
    if not result["success"]:
        raise CourseError(f"{source.relative_to(course.root)}: {last_error(result)}")
    return course.folder("release", ".", assignment)


def open_regions(notebook: NotebookNode) -> Iterator[str]:
    """Yield the cells in which a region for the instructor begins and does not end."""
    for number, cell in enumerate(notebook.cells, start=1):
        name = cell.metadata.get("nbgrader", {}).get("grade_id", cell.cell_type)
        for region in ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME"):
            marks = re.findall(rf"(BEGIN|END) {region}", cell.source)
            if marks != ["BEGIN", "END"] * (len(marks) // 2):
                yield f"cell {number} ({name}): BEGIN {region} and END {region} do not match."


def last_error(result: dict) -> str:
    """Return the line that says most of what `capture_log` caught."""
    return next(errors(result), "nbgrader failed and logged no error.")


def errors(result: dict) -> Iterator[str]:
    """Yield exceptions from a captured log, the most telling first."""
    log = result.get("log", "") + result.get("error", "")
    lines = [line.strip() for line in log.splitlines()]
    for line in lines:
        name = line.split(":")[0]
        if name and " " not in name and name.endswith(("Error", "Exception", "NotFound")):
            yield line
    yield from (line for line in lines if line.startswith("[ERROR]"))
