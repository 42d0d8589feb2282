"""A course folder as nbgrader knows it."""

import logging
import os
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from nbformat.warnings import MissingIDFieldWarning
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGrader, NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import make_url
from sqlalchemy.exc import SAWarning
from traitlets.config import Config

from autograder.errors import UserError
from autograder.notebook.evidence import clip

SHOWN = 10  # entries that are named when something is not graded
LEFT_BY_SYSTEMS = ("__MACOSX", "desktop.ini", "Thumbs.db")
EXCHANGE = "/usr/local/share/nbgrader/exchange"  # nbgrader's, unless the settings say otherwise


class CourseError(UserError):
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

    @property
    def coursedir(self) -> CourseDirectory:
        """Where nbgrader's folders and its gradebook are."""
        assert self.api.coursedir is not None  # open_course gave it one
        return self.api.coursedir

    @property
    def source(self) -> Path:
        """The folder of the assignments."""
        return Path(self.coursedir.format_path(self.coursedir.source_directory, ".", "."))

    def gradebook(self) -> Gradebook:
        """Open the gradebook; use it in a `with` statement."""
        return Gradebook(self.coursedir.db_url, self.coursedir.course_id)

    def assignments(self) -> list[str]:
        """List the assignments that have a source notebook, as `.py` or as `.ipynb`."""
        return sorted(
            path.name
            for path in (self.source.iterdir() if self.source.is_dir() else ())
            if any((path / f"{path.name}.{end}").exists() for end in ("py", "ipynb"))
        )

    def assignment(self, name: str) -> "AssignmentFolders":
        """Return the folders of an assignment, which need not be there. Raises CourseError."""
        return AssignmentFolders(simple(name, "an assignment"), self)


@dataclass(frozen=True)
class AssignmentFolders:
    """Where the files of one assignment are: a folder for each of nbgrader's steps."""

    name: str
    course: Course

    def _folder(self, step: str, student: str = ".") -> Path:
        coursedir = self.course.coursedir
        directory = getattr(coursedir, f"{step}_directory")
        return Path(coursedir.format_path(directory, student, self.name))

    @property
    def source(self) -> Path:
        """The assignment's own folder: all that its author touches."""
        return self._folder("source")

    @property
    def release(self) -> Path:
        """The folder of the student version."""
        return self._folder("release")

    def submitted(self, student: str) -> Path:
        """Return the folder that a student handed in. Raises CourseError for an invalid name."""
        return self._folder("submitted", simple(student, "a student"))

    def autograded(self, student: str) -> Path:
        """Return the folder of a graded submission."""
        return self._folder("autograded", student)

    def feedback(self, student: str) -> Path:
        """Return the folder of the pages for a student."""
        return self._folder("feedback", student)

    def named(self, path: Path) -> Path:
        """Return a path as messages name it: from the course folder on."""
        return path.relative_to(self.course.root)

    def notebook(self) -> Path:
        """Return the instructor's notebook. Raises CourseError."""
        path = self.source / f"{self.name}.ipynb"
        if not path.exists():
            known = self.course.assignments()
            alike = [] if self.name in known else get_close_matches(self.name, known, 1)
            meant = f"did you mean {alike[0]}?" if alike else (
                f"there are {', '.join(known) or 'none'}."
            )  # fmt: skip
            raise CourseError(f"{self.named(path)}: no such notebook; {meant}")
        return path

    def students(self) -> list[str]:
        """List the students who submitted. Raises CourseError if none did."""
        root, pattern = self.course.root, self.named(self.submitted("*"))
        found = sorted(path for path in root.glob(str(pattern)) if path.is_dir())
        names = [self.named(path).parts[pattern.parts.index("*")] for path in found]
        if not (students := [name for name in names if _is_text(name)]):
            left_out = self.left_out()
            raise CourseError(
                f"{pattern}: there are no submissions; put one folder per student there."
                + (f"\n{left_out}" if left_out else "")
            )
        return students

    def left_out(self) -> str:
        """List what is among the submissions but belongs to no assignment; empty if nothing is."""
        pattern = self.named(self.submitted("*")).parts
        place = self.course.root.joinpath(*pattern[: pattern.index("*")])
        inside, known, found = pattern[pattern.index("*") + 1 :], self.course.assignments(), []
        if inside != (self.name,) or not place.is_dir():  # a course with an order of its own
            return ""
        for entry in sorted(place.iterdir()):
            if why := _why_left_out(entry, self.name, known):
                found.append(f"{clip(entry.name)} ({why})")
        if not found:
            return ""
        more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        were = "1 entry was" if len(found) == 1 else f"{len(found)} entries were"
        return f"{self.named(place)}/: {were} not graded: {', '.join(found[:SHOWN])}{more}."

    def require_release(self) -> None:
        """Raise CourseError unless the gradebook knows the assignment."""
        with self.course.gradebook() as gradebook:
            try:
                gradebook.find_assignment(self.name)
            except MissingEntry:
                raise CourseError(
                    f"{self.name}: the gradebook does not know this assignment; "
                    f"run `autograder release {self.name}` first."
                ) from None


def simple(name: str, of: str) -> str:
    """Return a name if it is only a name. Raises CourseError for a path."""
    if name in ("", ".", "..") or {"/", "\\", "\0"} & set(name):
        raise CourseError(f"{clip(name)!r} is not the name of {of}: a name has no / and no \\.")
    return name


def _is_text(name: str) -> bool:
    """Say whether the name of a file is text, not bytes in some other encoding."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _why_left_out(entry: Path, assignment: str, known: Sequence[str]) -> str:
    """Say why an entry among the submissions is not one, or nothing if it is."""
    if entry.name.startswith(".") or entry.name in LEFT_BY_SYSTEMS:
        return ""
    if not _is_text(entry.name):
        return "its name is not UTF-8; rename it"
    if not entry.is_dir():
        return "not a folder" if entry.suffix in (".ipynb", ".zip") else ""
    inside = sorted(path for path in entry.iterdir() if not path.name.startswith("."))
    folders = {path.name.casefold(): path.name for path in inside if path.is_dir()}
    if set(known) & set(folders.values()):
        return ""
    if alike := get_close_matches(assignment.casefold(), folders, 1, 0.8):
        return f"it holds {clip(folders[alike[0]])}; did you mean {assignment}?"
    if not inside:
        return "an empty folder"
    if any(path.suffix in (".ipynb", ".zip") for path in inside):
        return f"put its files into a folder {assignment} inside it"
    return f"no folder {assignment} inside it"


@contextmanager
def quiet() -> Generator[None]:
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
    if not (root / "nbgrader_config.py").exists():
        raise CourseError(f"{root.name}/nbgrader_config.py: no such file; run in a course folder.")
    app = NbGrader(log_level=logging.CRITICAL)
    app.load_cwd_config = False  # the settings of a course are its own, from wherever it is graded
    app.initialize([], root=str(root))
    app.log.setLevel(logging.INFO)
    app.log.handlers.clear()  # what nbgrader logs is read from `capture_log`, not from the screen
    app.log.propagate = False
    course = Course(root, NbGraderAPI(coursedir=app.coursedir, parent=app, log_level=logging.INFO))
    course.config.CourseDirectory.root = str(root)
    course.config.Execute.setdefault("source", str(course.source))
    course.config.Execute.setdefault("hidden", []).extend(places(course.coursedir, course.config))
    return course


def places(coursedir: CourseDirectory, config: Config) -> list[str]:
    """Return the places that no submission may read: a course's folders, gradebook, exchange."""
    names = ("source", "submitted", "autograded", "feedback")
    folders = [getattr(coursedir, f"{name}_directory") for name in names]
    found = [os.path.join(coursedir.root, folder) for folder in ("", *folders)]
    if (database := make_url(coursedir.db_url)).get_backend_name() == "sqlite":
        found.append(os.path.join(coursedir.root, database.database or ""))
    return [*found, config.Exchange.get("root", EXCHANGE)]


def last_error(result: dict) -> str:
    """Return the most telling line that `capture_log` caught."""
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
