"""The sample class of an assignment: student versions, each filled in by one type of student.

Three types of student: a *style* is a right solution in another style, a *mistake* is the
instructor's solution with one known mistake, and a file in the assignment's `submissions/`
holds cells as one student left them. A folder there holds a notebook that a person solved in
a browser, just as the browser saved it.

`python -m autograder.authoring.sample_class FOLDER` lays out a course with the classes of the
course in this folder.
"""

import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from autograder.authoring import checks
from autograder.authoring.solutions import (
    CellNotFound,
    with_cells,
    with_functions,
    with_mistake,
)
from autograder.grading.course import AssignmentFolders, Course, open_course
from autograder.grading.notebooks import grade_id

# marks around a solution, and the marking scheme at the end of a model answer
FOR_TEACHERS = re.compile(r"(?m)^ *### (?:BEGIN|END) SOLUTION *$\n?|^\*\*Marking\.\*\*[^\n]*\n?")
LEFT_OVER = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")


@dataclass(frozen=True)
class Student:
    """One student of the sample class: the notebook, and the files handed in with it."""

    name: str
    notebook: NotebookNode
    artifacts: Mapping[str, Path] = field(default_factory=dict)


def lay_out(course: Course, target: Path) -> dict[str, int]:
    """Make a course folder with every sample class in `submitted/`. Returns how many each has."""
    target.mkdir(parents=True, exist_ok=True)
    for name in ("source", "submitted", "autograded", "feedback", "assignments", "report"):
        shutil.rmtree(target / name, ignore_errors=True)
    (target / "gradebook.db").unlink(missing_ok=True)
    shutil.copytree(course.source, target / "source", ignore=LEFT_OVER)
    shutil.copy(course.root / "nbgrader_config.py", target)
    found = {}
    for name in course.assignments():
        students = sample_class(course.assignment(name))
        for student in students:
            submit(target, name, student.name, student.notebook, student.artifacts)
        found[name] = len(students)
    return found


def submit(
    course: Path,
    assignment: str,
    student: str,
    notebook: NotebookNode,
    artifacts: Mapping[str, Path] | None = None,
) -> Path:
    """Put a notebook, and the files beside it, where nbgrader collects submissions."""
    path = course / "submitted" / student / assignment / f"{assignment}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    for name, file in (artifacts or {}).items():
        shutil.copy(file, path.parent / name)
    return path


def sample_class(assignment: AssignmentFolders) -> list[Student]:
    """Build every student of the sample class of a released assignment.

    Each hands in what a solved notebook trained, except the one who handed in nothing and those
    whose file begins with `# handed in alone`.
    """
    source, folder = assignment.source, assignment.source / "submissions"
    mistakes = {mistake.name: mistake for mistake in checks.mistakes(source)}
    solved = nbformat.read(assignment.notebook(), 4)
    blank = nbformat.read(assignment.release / f"{assignment.name}.ipynb", 4)
    trained = checks.artifacts(source)
    students = [Student("style_reference", in_release(blank, solved), trained)]
    for path in checks.alternatives(source):
        notebook = in_release(blank, with_functions(solved, path))
        students.append(Student(f"style_{path.stem}", notebook, trained))
    listed = folder / "mistakes.txt"
    for name in listed.read_text().split() if listed.exists() else ():
        if name not in mistakes:
            raise CellNotFound(f"{assignment.named(listed)}: no mistake is called {name}.")
        notebook = in_release(blank, with_mistake(solved, mistakes[name]))
        students.append(Student(f"mistake_{name}", notebook, trained))
    students.append(Student("blank", blank))
    for path in sorted(folder.glob("*.py")):
        said = path.read_text().splitlines()[0]
        left = blank if said.startswith("# from blank") else in_release(blank, solved)
        files = {} if said.startswith("# handed in alone") else trained
        students.append(Student(path.stem, with_cells(left, cells_of(path.read_text())), files))
    for path in sorted(folder.glob("*/*.ipynb")):
        files = {file.name: file for file in path.parent.iterdir() if file != path}
        students.append(Student(path.parent.name, nbformat.read(path, 4), files))
    return students


def in_release(released: NotebookNode, solved: NotebookNode) -> NotebookNode:
    """Put the solution cells of a notebook into the student version, as a student would write them.

    So there are no marks around a solution, and no marking scheme below an answer.
    """
    answers = {
        grade_id(cell): FOR_TEACHERS.sub("", cell.source).strip("\n")
        for cell in solved.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    return with_cells(released, answers)


def cells_of(text: str) -> dict[str, str]:
    """Read the cells of a percent text by their titles: `# %% nn_loss`."""
    notebook = jupytext.reads(text, "py:percent")
    return {c.metadata["title"]: c.source for c in notebook.cells if "title" in c.metadata}


if __name__ == "__main__":
    for assignment, count in lay_out(open_course(), Path(sys.argv[1])).items():
        print(f"laid out {count} submissions of {assignment} in {sys.argv[1]}/")
