"""The page that a student gets back, in place of nbgrader's: `nbgrader generate_feedback` makes it.

It needs no other file and no network: formulas are MathML, and pictures of the student's own are
named, not repeated.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
from markupsafe import Markup
from nbconvert.exporters.exporter import Exporter
from nbconvert.filters import Highlight2HTML, strip_ansi
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.utils import is_grade, is_solution, is_task
from pygments.formatters.html import HtmlFormatter

from autograder.grading.exercises import QUESTIONS, exercises, headings
from autograder.grading.notebooks import (
    NOTES,
    VERDICT_MIME,
    grade_id,
    is_autograded,
    runs_when_graded,
)  # fmt: skip
from autograder.grading.sanitize import to_html
from autograder.reports.page import templates

LINES = 12  # of an output that are shown
WIDTH = 200  # characters of a line
REMEMBERED = 1024  # texts: those of the course are the same in every notebook of a class
PICTURE = re.compile(
    r"!\[([^\]]*)\]\((?:attachment:|data:)[^)]*\)|<img\b[^>]*?src=[\"'](?:attachment|data):[^>]*>"
)


@dataclass(frozen=True)
class Grade:
    """What a cell is worth: points, None if nobody has marked it yet, and what was said of it."""

    points: float | None
    maximum: float
    comment: str = ""
    by_hand: bool = False


@dataclass(frozen=True)
class Marks:
    """What the gradebook knows of a notebook that was handed in."""

    grades: Mapping[str, Grade]
    comments: Mapping[str, str]
    penalty: float  # points
    late: timedelta

    @property
    def points(self) -> float:
        """The points so far, without those that late work has cost."""
        given = sum(grade.points or 0.0 for grade in self.grades.values())
        return max(0.0, given - self.penalty)

    @property
    def maximum(self) -> float:
        """The points one can have."""
        return sum(grade.maximum for grade in self.grades.values())

    @property
    def waiting(self) -> float:
        """The points that nobody has given or refused yet."""
        return sum(grade.maximum for grade in self.grades.values() if grade.points is None)


@dataclass
class Task:
    """An exercise or a question: what it is called, and its cells."""

    name: str
    title: str
    section: str
    cells: list[str] = field(default_factory=list)
    points: float | None = 0.0
    maximum: float = 0.0

    @property
    def label(self) -> str:
        """What a student knows it by: its heading, if that is not the whole section's."""
        own = self.title if self.title != self.section else ""
        return own or self.name.removeprefix("question_").replace("_", " ").capitalize()

    @property
    def share(self) -> float:
        """The share of the points, from 0 to 1."""
        return min(1.0, max(0.0, (self.points or 0.0) / self.maximum)) if self.maximum else 0.0


class FeedbackExporter(Exporter):
    """Makes the page of a graded notebook."""

    parent: Any  # the converter it works for

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        """Make an exporter whose files end in .html."""
        super().__init__(*arguments, **keywords)
        self.file_extension = ".html"

    def from_notebook_node(
        self, nb: NotebookNode, resources: Any = None, **kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Write the page of a notebook."""
        nb, resources = super().from_notebook_node(nb, resources, **kwargs)
        of = resources["nbgrader"]
        marks = read(of["db_url"], of["notebook"], of["assignment"], of["student"])
        return html(of["assignment"], nb, marks, self._released(of["assignment"]) or nb), resources

    def _released(self, assignment: str) -> NotebookNode | None:
        """Read the course's own notebook: who has its headings needs none of a student's."""
        coursedir = self.parent.coursedir
        folder = coursedir.format_path(coursedir.source_directory, ".", assignment)
        path = Path(folder) / f"{assignment}.ipynb"
        return nbformat.read(path, 4) if path.is_file() else None


def read(database: str, notebook: str, assignment: str, student: str) -> Marks:
    """Read the marks of a notebook that was handed in."""
    with Gradebook(database) as gradebook:
        found = gradebook.find_submission_notebook(notebook, assignment, student)
        comments = {one.name: one.comment or "" for one in found.comments}
        grades = {
            one.name: Grade(
                None if one.needs_manual_grade else one.score, one.max_score,
                comments.get(one.name, ""), one.manual_score is not None,
            )
            for one in found.grades
        }  # fmt: skip
        late = timedelta(seconds=found.assignment.total_seconds_late)
        penalty: Any = found.late_submission_penalty
        return Marks(grades, comments, penalty or 0.0, late)


def html(assignment: str, nb: NotebookNode, marks: Marks, course: NotebookNode) -> str:
    """Write what a student is told about a notebook as a page; `course` is the course's own."""
    found = tasks(course, marks)
    light, dark = (HtmlFormatter(style=name) for name in ("default", "github-dark"))
    return templates().get_template("feedback.html").render(
        assignment=assignment,
        marks=marks,
        tasks=[task for task in found if task.name not in marks.grades],
        questions=[task for task in found if task.name in marks.grades],
        lost=list(_lost(nb, marks)),
        notes=nb.metadata.get(NOTES, {}).get("notes", ()),
        cells=list(_cells(nb, marks)),
        highlight=light.get_style_defs(".highlight"),
        highlight_dark=dark.get_style_defs(".highlight"),
    )  # fmt: skip


def tasks(nb: NotebookNode, marks: Marks) -> list[Task]:
    """Return exercises and questions in the order of the notebook, with what each is worth."""
    found: dict[str, Task] = {}
    titles = headings(nb)
    for cell, exercise in exercises(nb).items():
        name = cell if exercise == QUESTIONS else exercise
        if (grade := marks.grades.get(cell)) is None:
            continue
        task = found.setdefault(name, Task(name, *titles.get(name, ("", ""))))
        task.cells.append(cell)
        task.maximum += grade.maximum
        if grade.points is None or task.points is None:
            task.points = None
        else:
            task.points += grade.points
    return list(found.values())


def _lost(nb: NotebookNode, marks: Marks) -> Iterator[tuple[str, Grade, Mapping[str, Any]]]:
    """Yield the checks that lost points, with their verdicts, those that cost most first."""
    found: list[tuple[float, tuple[str, Grade, Mapping[str, Any]]]] = []
    for cell in nb.cells:
        if is_autograded(cell) and (grade := marks.grades.get(grade_id(cell))):
            lost = grade.maximum - (grade.points or 0.0)
            if lost > 0 and grade.points is not None:
                found.append((lost, (grade_id(cell), grade, _verdict(cell))))
    yield from (one for _, one in sorted(found, key=lambda each: -each[0]))


def _verdict(cell: NotebookNode) -> Mapping[str, Any]:
    data = (output.get("data", {}) for output in cell.outputs)
    return next((one[VERDICT_MIME] for one in data if VERDICT_MIME in one), {})


def _cells(nb: NotebookNode, marks: Marks) -> Iterator[dict[str, Any]]:
    """Yield what the page shows of each cell."""
    for cell in nb.cells:
        name = grade_id(cell)
        shown: dict[str, Any] = {
            "name": name, "grade": marks.grades.get(name), "kind": cell.cell_type,
            "comment": _rendered(marks.comments.get(name) or ""),
        }  # fmt: skip
        if cell.cell_type == "markdown":
            shown["text"] = _rendered(cell.source)
            shown["is_answer"] = is_grade(cell) or is_task(cell)
        elif is_autograded(cell):
            shown["kind"] = "check"
            data = [output.get("data", {}) for output in cell.outputs]
            texts = (one["text/html"] for one in data if VERDICT_MIME in one)
            shown["verdict"] = Markup(next(texts, "This check left nothing."))
        elif cell.cell_type == "code":
            shown["code"] = _highlighted(cell.source)
            shown["lines"] = cell.source.count("\n") + 1
            shown["is_answer"] = is_solution(cell)
            shown["skipped"] = not runs_when_graded(cell)
            shown["outputs"] = [text for output in cell.outputs if (text := _text(output))]
        else:
            shown["code"] = cell.source
        yield shown


@lru_cache(maxsize=REMEMBERED)
def _rendered(source: str) -> Markup:
    return Markup(to_html(_without_pictures(source), drawn=True))


@lru_cache(maxsize=REMEMBERED)
def _highlighted(source: str) -> Markup:
    return Markup(Highlight2HTML(pygments_lexer="ipython3")(source))


def _without_pictures(source: str) -> str:
    """Name the pictures in a text: who put them there has them, and pages stay small."""
    return PICTURE.sub(lambda match: f"*(your picture {match[1] or ''})*", source)


def _text(output: NotebookNode) -> str:
    """Return the first lines of what a cell printed or returned, or of its error."""
    if output.output_type == "stream":
        text = output.text
    elif output.output_type == "error":
        text = f"{output.ename}: {output.evalue}"
    else:
        text = output.data.get("text/plain", "")
    lines = strip_ansi(text).splitlines()
    more = [f"… and {len(lines) - LINES} lines more"] if len(lines) > LINES else []
    return "\n".join(line[:WIDTH] for line in [*lines[:LINES], *more])
