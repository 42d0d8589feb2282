"""What the students of a class wrote, and what none of them had to write.

Code is compared without its names, strings, comments and spaces, as copydetect reduces it; a
written answer is compared as it is.
"""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from copydetect.utils import filter_code
from nbformat import NotebookNode
from nbgrader.utils import is_solution

from autograder.grading.course import AssignmentFolders, CourseError
from autograder.grading.notebooks import grade_id
from autograder.grading.prepare import read_submission, released_notebook
from autograder.grading.repair import beside, submitted
from autograder.grading.repair.submitted import Unreadable, document
from autograder.sandbox.client import CAN_FORK
from autograder.sandbox.limits import Limits

ELSEWHERE = "cells of their own"  # all code that a student added to the notebook
LONGEST = 20_000  # characters of a cell that are compared
AT_ONCE = 8  # submissions that go to a process together
FENCED = re.compile(r"(?ms)^```\w*\n(.*?)^```")


@dataclass(frozen=True)
class Text:
    """What a student wrote in a cell, and what is compared of it."""

    source: str
    is_code: bool
    reduced: str


@dataclass(frozen=True)
class Submission:
    """What a student wrote, by cell in the order of the notebook; or why it cannot be read."""

    student: str
    texts: Mapping[str, Text] = field(default_factory=dict)
    unreadable: str = ""


def text(source: str, is_code: bool) -> Text:
    """Reduce a text to what is compared: of code, names are a letter, and comments are gone."""
    source = source[:LONGEST]
    return Text(source, is_code, filter_code(source, "", "python")[0] if is_code else source)


def submissions(
    assignment: AssignmentFolders, workers: int | None = None
) -> tuple[list[Submission], list[Submission]]:
    """Read a class: who can be compared, and who cannot. Raises CourseError."""
    names = [path.stem for path in sorted(assignment.release.glob("*.ipynb"))]
    names = names or [assignment.name]  # which then says that there is no student version
    released = {n: released_notebook(assignment.release / f"{n}.ipynb") for n in names}
    students = assignment.students()
    limits = Limits(config=assignment.course.config).beside
    read = partial(_submission, released, limits)
    todo = [(student, assignment.submitted(student)) for student in students]
    if not CAN_FORK or workers == 1 or len(students) < 2 * AT_ONCE:
        found = list(map(read, todo))
    else:
        with ProcessPoolExecutor(workers, get_context("fork")) as pool:
            found = list(pool.map(read, todo, chunksize=AT_ONCE))
    return [s for s in found if not s.unreadable], [s for s in found if s.unreadable]


def _submission(
    released: Mapping[str, NotebookNode], limits: tuple[int, int], who: tuple[str, Path]
) -> Submission:
    """Read one submission, repaired as it is for grading."""
    (student, folder), texts, unreadable = who, {}, ""
    with beside.unpacked(folder, *limits) as (inside, notes):
        for name, original in released.items():
            repaired, *_ = read_submission(inside, name, original, notes=notes, named=folder)
            unreadable = unreadable or repaired.unreadable
            before = f"{name}: " if len(released) > 1 else ""
            written = _written(repaired.notebook, {cell.get("id") for cell in original.cells})
            texts |= {before + cell: text for cell, text in written.items()}
    return Submission(student, {} if unreadable else texts, unreadable)


def _written(notebook: NotebookNode, given: Set[str]) -> dict[str, Text]:
    """Return what is in solution cells, and in code cells that are none of the given ones."""
    found = {
        grade_id(cell): text(cell.source, cell.cell_type == "code")
        for cell in notebook.cells
        if is_solution(cell)
    }
    cells = (c for c in notebook.cells if c.cell_type == "code" and not grade_id(c))
    added = [cell.source for cell in cells if cell.get("id") not in given]
    return {**found, ELSEWHERE: text("\n\n".join(added), True)}


def given(assignment: AssignmentFolders, more: Sequence[Path] = ()) -> list[str]:
    """Return what nobody had to write, reduced. Raises CourseError.

    That is the student version, the instructor's solutions and alternatives, the lesson, and
    `more` notebooks and texts.
    """
    assignment.notebook()  # is there such an assignment?
    places = ("*.ipynb", "alternatives/*.py", "lesson/**/*.py")
    own = [path for place in places for path in sorted(assignment.source.glob(place))]
    paths = [*sorted(assignment.release.glob("*.ipynb")), *own, *more]
    return [one.reduced for path in paths for one in _texts_in(path)]


def _texts_in(path: Path) -> Iterator[Text]:
    """Read the cells of a notebook, or a file of code or prose, with the code that prose quotes."""
    try:
        if path.suffix == ".ipynb":
            held = [(c.source, c.kind == "code") for c in submitted.cells(document(path)[0])[0]]
        else:
            held = [(path.read_text(encoding="utf-8"), path.suffix == ".py")]
    except (Unreadable, OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or (
            "it is not text in UTF-8" if isinstance(error, UnicodeError) else error
        )
        raise CourseError(f"{path}: {why}; it should be a notebook or a text.") from None
    for source, is_code in held:
        yield text(source, is_code)
        yield from (text(code, True) for code in FENCED.findall(source) if not is_code)
