"""The autograder of one assignment as Gradescope takes it: a zip that its image is made from.

It holds the answers, and is for Gradescope alone: the assignment's source, a gradebook without
students, the course's package as a wheel, and the two scripts in `gradescope_image/`.
"""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nbformat import NotebookNode

from autograder.authoring import wheel
from autograder.authoring.release import release
from autograder.grading.course import AssignmentFolders, CourseError, open_course
from autograder.grading.prepare import released_notebook

IMAGE = Path(__file__).parent / "gradescope_image"
NEEDLESS = ("submissions", "tests", "alternatives", "__pycache__", ".ipynb_checkpoints")
CONFIG = "nbgrader_config.py"
SETTINGS = """

# On Gradescope: one assignment, one submission, folders of its own.
from pathlib import Path

c = get_config()
c.CourseDirectory.db_url = f"sqlite:///{Path(__file__).resolve().parent / 'gradebook.db'}"
c.CourseDirectory.source_directory = "source"
c.CourseDirectory.release_directory = "assignments"
c.CourseDirectory.submitted_directory = "submitted"
c.CourseDirectory.directory_structure = "{nbgrader_step}/{student_id}/{assignment_id}"
c.Execute.sandbox = True  # or, where there is none, another user: autograder/lms/gradescope.py
c.Limits.setdefault("memory", 2**30)  # bytes: less than the container has
c.Limits.setdefault("seconds", 420)  # less than Gradescope's timeout of 10 minutes
c.Late.due = {}  # what is late is Gradescope's own matter
"""


def write(assignment: AssignmentFolders, path: Path) -> None:
    """Write the zip of a released assignment, at once or not at all. Raises CourseError, NotBuilt.

    What it is graded by is released again. If that differs from the student version that is
    handed out, nothing is written.
    """
    assignment.notebook()
    assignment.require_release()
    with tempfile.TemporaryDirectory() as temporary:
        staged = Path(temporary)
        _stage(assignment, staged)
        part = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.touch(0o600)  # it holds the answers
            with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
                for file in sorted(f for f in staged.rglob("*") if f.is_file()):
                    archive.write(file, file.relative_to(staged).as_posix())
            part.replace(path)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise CourseError(
                f"{path}: {error.strerror}; name another file with --output."
            ) from None


def _stage(assignment: AssignmentFolders, staged: Path) -> None:
    name, course = assignment.name, staged / "course"
    ignored = shutil.ignore_patterns(*NEEDLESS)
    shutil.copytree(assignment.source, course / "source" / name, ignore=ignored)
    config = (assignment.course.root / CONFIG).read_text("utf-8")
    (course / CONFIG).write_text(config + SETTINGS, "utf-8")
    alone = open_course(course).assignment(name)
    release(alone)
    ours, theirs = (
        list(_told(released_notebook(one.release / f"{name}.ipynb"))) for one in (alone, assignment)
    )
    if ours != theirs:
        raise CourseError(
            f"{assignment.named(assignment.notebook())} differs from the student version in "
            f"{assignment.named(assignment.release)}/; run `autograder release {name}` first."
        )
    built, _ = wheel.build(course / "source", staged / "built")
    shutil.move(built, staged)
    shutil.rmtree(staged / "built")
    shutil.copyfile(wheel.of_project(wheel.CONSTRAINTS), staged / wheel.CONSTRAINTS)
    for file in ("setup.sh", "run_autograder"):
        shutil.copyfile(IMAGE / file, staged / file)
        (staged / file).chmod(0o755)


def _told(notebook: NotebookNode) -> Iterator[tuple[str, str, str, object]]:
    """Yield what each cell of a student version tells students and graders."""
    for cell in notebook.cells:
        yield cell.cell_type, cell.source, cell.get("id", ""), cell.metadata.get("nbgrader")
