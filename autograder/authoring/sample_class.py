"""The sample class: student versions filled in, one student a way of doing it.

Three kinds of student: a *style* is a right solution in another style, a *mistake* is
the instructor's solution with one known mistake, and a file in the assignment's folder
holds cells as one student left them. A folder holds a notebook that a person solved in
a browser, just as the browser saved it.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from autograder import checks
from autograder.solutions import grade_id, with_cells, with_functions, with_mistake

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


@dataclass(frozen=True)
class Student:
    """One student of the sample class: the notebook, and the files handed in beside it."""

    name: str
    notebook: NotebookNode
    beside: Mapping[str, Path] = field(default_factory=dict)


def lay_out(course: Path) -> dict[str, int]:
    """Make a course folder with every sample class in `submitted/`. Returns how many each has."""
    course.mkdir(parents=True, exist_ok=True)
    for name in ("source", "submitted", "autograded", "feedback", "assignments", "report"):
        shutil.rmtree(course / name, ignore_errors=True)
    (course / "gradebook.db").unlink(missing_ok=True)
    shutil.copytree(ROOT / "source", course / "source")
    shutil.copy(ROOT / "nbgrader_config.py", course)
    classes = {assignment: sample_class(assignment) for assignment in checks.names()}
    for assignment, students in classes.items():
        for student in students:
            submit(course, assignment, student.name, student.notebook, student.beside)
    return {assignment: len(students) for assignment, students in classes.items()}


def submit(
    course: Path,
    assignment: str,
    student: str,
    notebook: NotebookNode,
    beside: Mapping[str, Path] | None = None,
) -> Path:
    """Put a notebook, and the files beside it, where nbgrader collects submissions."""
    path = course / "submitted" / student / assignment / f"{assignment}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    for name, file in (beside or {}).items():
        shutil.copy(file, path.parent / name)
    return path


def sample_class(assignment: str) -> list[Student]:
    """Build every student of the sample class.

    What a solved notebook trained lies beside theirs, but for the one who handed in nothing,
    and for a file that begins with `# handed in alone`.
    """
    known = checks.load(assignment)
    mistakes = {mistake.name: mistake for mistake in known.mistakes}
    solved, blank = source_notebook(assignment), released_notebook(assignment)
    beside = known.beside
    students = [Student("style_reference", in_release(assignment, solved), beside)]
    for path in known.alternatives:
        notebook = with_functions(solved, path)
        students.append(Student(f"style_{path.stem}", in_release(assignment, notebook), beside))
    for name in (HERE / assignment / "mistakes.txt").read_text().split():
        notebook = with_mistake(solved, mistakes[name])
        students.append(Student(f"mistake_{name}", in_release(assignment, notebook), beside))
    students.append(Student("blank", blank))
    for path in sorted((HERE / assignment).glob("*.py")):
        said = path.read_text().splitlines()[0]
        left = in_release(assignment, solved, without=said.startswith("# from blank"))
        files = {} if said.startswith("# handed in alone") else beside
        students.append(Student(path.stem, with_cells(left, cells_in(path)), files))
    for path in sorted((HERE / assignment).glob("*/*.ipynb")):
        files = {file.name: file for file in path.parent.iterdir() if file != path}
        students.append(Student(path.parent.name, nbformat.read(path, 4), files))
    return students


def source_notebook(assignment: str) -> NotebookNode:
    """Read the instructor's notebook."""
    return nbformat.read(ROOT / "source" / assignment / f"{assignment}.ipynb", 4)


def released_notebook(assignment: str) -> NotebookNode:
    """Read the student version."""
    return nbformat.read(ROOT / "assignments" / assignment / f"{assignment}.ipynb", 4)


def in_release(assignment: str, solved: NotebookNode, without: bool = False) -> NotebookNode:
    """Put the solution cells of a notebook into the student version (none of them if `without`)."""
    answers = {
        grade_id(cell): cell.source
        for cell in solved.cells
        if cell.metadata.get("nbgrader", {}).get("solution") and not without
    }
    return with_cells(released_notebook(assignment), answers)


def cells_in(path: Path) -> dict[str, str]:
    """Read the cells of a percent file by their titles: `# %% nn_loss`."""
    return cells_of(path.read_text())


def cells_of(text: str) -> dict[str, str]:
    """Read the cells of a percent text by their titles."""
    notebook = jupytext.reads(text, "py:percent")
    return {c.metadata["title"]: c.source for c in notebook.cells if "title" in c.metadata}
