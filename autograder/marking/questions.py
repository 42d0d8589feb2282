"""What a person marks in an assignment: each question, with its scheme and its model answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_task

from autograder.grading.course import AssignmentFolders, CourseError
from autograder.grading.exercises import QUESTIONS, exercises, headings
from autograder.grading.notebooks import grade_id
from autograder.reports.feedback import Task

REGION = re.compile(
    r"^[^\n]*\bBEGIN (SOLUTION|MARK SCHEME)\b[^\n]*\n(.*?)(?:^[^\n]*\bEND \1\b[^\n]*|\Z)",
    re.DOTALL | re.MULTILINE,
)
SCHEME = re.compile(r"^(?:#+ +|\*\*)mark(?:s\b|ing\b)", re.IGNORECASE | re.MULTILINE)
PART = re.compile(r"(\d*\.?\d+|\d*½) points?: ")
ROW = re.compile(r"^\| *(?!\|)(.+?) *\| *(\d*\.?\d+|\d*½) *\|[ \t]*$", re.MULTILINE)
SENTENCE = re.compile(r"\.\s+(?=[A-Z\"*(])|\s*\n\n")


@dataclass(frozen=True)
class Part:
    """A line of a marking scheme: so many points, and what for."""

    points: float
    text: str


@dataclass(frozen=True)
class Question:
    """A question: its points, its text, and what its author wrote for whoever marks it.

    Texts are Markdown, of a code cell fenced. `parts` are the scheme's lines if it has lines that
    add up to all the points, and else nothing.
    """

    name: str
    label: str
    section: str
    maximum: float
    text: str
    scheme: str
    model: str
    parts: tuple[Part, ...] = ()


def questions(assignment: AssignmentFolders) -> dict[str, Question]:
    """Read the questions of an assignment, in the order of the notebook, by name.

    Raises CourseError if there is none.
    """
    notebook = nbformat.read(assignment.notebook(), 4)
    asked = [name for name, of in exercises(notebook).items() if of == QUESTIONS]
    if not asked:
        raise CourseError(
            f"{assignment.named(assignment.notebook())}: no cell is marked by a person; "
            f"`autograder report {assignment.name}` has all points."
        )
    under, place = headings(notebook), {grade_id(c): n for n, c in enumerate(notebook.cells)}
    return {name: _question(notebook.cells, place[name], *under[name]) for name in asked}


def _question(cells: Sequence[NotebookNode], place: int, title: str, section: str) -> Question:
    cell = cells[place]
    name, maximum = grade_id(cell), float(cell.metadata.nbgrader.points)
    region = REGION.search(cell.source)
    written = region[2].strip() if region else "" if is_task(cell) else cell.source.strip()
    model, scheme = _apart(written)
    if region and region[1] == "MARK SCHEME":
        model, scheme = "", written
    if cell.cell_type == "code":
        model, scheme = f"```python\n{written}\n```", ""
    asked = REGION.sub("", cell.source) if is_task(cell) else _above(cells, place)
    parts = parts_of(scheme, maximum) or rows_of(asked, maximum)
    label = Task(name, title, section).label
    return Question(name, label, section, maximum, asked, scheme, model, parts)


def _above(cells: Sequence[NotebookNode], place: int) -> str:
    """Return the text right above an answer."""
    for cell in reversed(cells[:place]):
        if is_grade(cell):
            break
        if cell.cell_type == "markdown":
            return cell.source
    return ""


def _apart(written: str) -> tuple[str, str]:
    """Part a solution into the model answer and the marking scheme, if it has a title for that."""
    if begin := SCHEME.search(written):
        return written[: begin.start()].strip(), written[begin.start() :].strip()
    return written, ""


def parts_of(scheme: str, maximum: float) -> tuple[Part, ...]:
    """Return the parts of a scheme such as `2 points: the reason. 1 point: an example.`

    Nothing unless they add up to the points of the question.
    """
    found = list(PART.finditer(scheme))
    ends = [one.start() for one in found[1:]] + [len(scheme)]
    return _complete(
        [Part(_number(m[1]), _sentence(scheme[m.end() : end]))
         for m, end in zip(found, ends, strict=False)], maximum,
    )  # fmt: skip


def rows_of(text: str, maximum: float) -> tuple[Part, ...]:
    """Return the rows of a table in a question whose last column is points, on the same terms."""
    return _complete([Part(_number(m[2]), m[1]) for m in ROW.finditer(text)], maximum)


def _complete(parts: list[Part], maximum: float) -> tuple[Part, ...]:
    whole = isclose(sum(part.points for part in parts), maximum)
    return tuple(parts) if len(parts) > 1 and whole else ()


def _number(text: str) -> float:
    return float(text.removesuffix("½") or 0) + 0.5 if text.endswith("½") else float(text)


def _sentence(text: str) -> str:
    """Return the first sentence of a part: what follows it is about exceptions."""
    return SENTENCE.split(text.strip(), maxsplit=1)[0].strip().removesuffix(".")
