"""Feedback pages in a zip that Moodle or Canvas takes: named as its download was."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autograder.grading.course import AssignmentFolders, CourseError
from autograder.lms import downloads
from autograder.lms.collect import students_in
from autograder.lms.downloads import DownloadUnreadable, File
from autograder.lms.roster import Roster

SYSTEMS = "moodle", "canvas"  # that take feedback in one zip
NOTEBOOKS = ".ipynb", ".zip"  # whose name a page gets, rather than that of a file beside it


@dataclass
class Feedback:
    """The pages of a class by their names in the zip, and whom to look at."""

    system: str
    pages: dict[str, Path] = field(default_factory=dict)
    students: list[str] = field(default_factory=list)  # whose pages these are
    without: list[str] = field(default_factory=list)  # in the download, without feedback
    old: list[str] = field(default_factory=list)  # graded again since their pages were written
    not_there: list[str] = field(default_factory=list)  # with feedback, not in the download
    left_out: list[str] = field(default_factory=list)  # of the download, each with a reason


def pages(assignment: AssignmentFolders, source: Path, roster: Roster | None = None) -> Feedback:
    """Find the pages of who is in a download, by the names that its system wants.

    Raises DownloadUnreadable, and CourseError if there is no page for anybody.
    """
    assignment.notebook()  # is there such an assignment?
    download = downloads.read(source)
    if download.system not in SYSTEMS:
        raise DownloadUnreadable(
            f"{source}: this is no download of Moodle or Canvas, which alone take feedback in a "
            "zip; name the file that you collected the submissions from."
        )
    students, left_out = students_in(download, roster)
    found = Feedback(download.system, left_out=left_out)
    for student, files in students.items():
        written = _pages_of(assignment, student)
        found.pages |= {_place(files) + page.name: page for page in written}
        (found.students if written else found.without).append(student)
        if written and _graded_since(assignment, student, written):
            found.old.append(student)
    if not found.pages:
        raise CourseError(
            f"{assignment.name}: nobody in {source.name} has feedback; run `nbgrader "
            f"generate_feedback {assignment.name}`, and give the roster that you collected with."
        )
    everybody = _with_feedback(assignment)
    found.not_there = sorted(student for student in everybody if student not in students)
    return found


def write(found: Feedback, path: Path) -> None:
    """Write the zip; it appears in place only when it is complete. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, page in found.pages.items():
                archive.write(page, name)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _pages_of(assignment: AssignmentFolders, student: str) -> list[Path]:
    return sorted(assignment.feedback(student).glob("*.html"))


def _with_feedback(assignment: AssignmentFolders) -> set[str]:
    pattern = assignment.named(assignment.feedback("*"))
    folders = assignment.course.root.glob(str(pattern))
    names = {assignment.named(path).parts[pattern.parts.index("*")] for path in folders}
    return {name for name in names if _pages_of(assignment, name)}


def _graded_since(assignment: AssignmentFolders, student: str, written: Sequence[Path]) -> bool:
    """Say whether a notebook was graded after its page was written."""
    graded = assignment.autograded(student)
    return any(
        notebook.is_file() and notebook.stat().st_mtime > page.stat().st_mtime
        for page in written
        for notebook in [graded / f"{page.stem}.ipynb"]
    )


def _place(files: Sequence[File]) -> str:
    """Return what the system wants before a name: that of the notebook, of several files.

    Canvas knows a student by two numbers, Moodle by one: any version of it takes names without
    folders, whether it has downloaded folders or not.
    """
    first = next((f for f in files if f.name.casefold().endswith(NOTEBOOKS)), files[0])
    return first.place.rstrip("/_") + "_"
