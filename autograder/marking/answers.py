"""What students wrote to a question, as a browser may show it: without names, in random order."""

import hashlib
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from nbformat import NotebookNode
from nbformat.v4.rwbase import rejoin_lines
from nbgrader.utils import compute_checksum, is_grade, is_task

from autograder.grading.course import AssignmentFolders
from autograder.grading.notebooks import from_bytes, grade_id
from autograder.grading.sanitize import BASE64, PICTURES, clean, to_html

MOST = 6  # cells above an answer that are shown with it
LINES = 60  # of an output
MISSING = "<p><i>The graded notebook has no such answer. Grade this student again.</i></p>"


@dataclass(frozen=True)
class Answer:
    """One student's answer: its cells, and the code cells above it; none if it is not there."""

    cells: Sequence[NotebookNode] = ()
    above: Sequence[NotebookNode] = ()

    @cached_property
    def digest(self) -> str:
        """The same for answers that are the same, to the letter."""
        return _digest("".join(f"{c.source}\0{c.get('attachments', '')}" for c in self.cells))

    @property
    def page(self) -> str:
        """The answer as a browser may show it."""
        return "".join(map(shown, self.cells)) or MISSING

    @property
    def page_above(self) -> str:
        """The code above it, as a browser may show it."""
        return "".join(map(shown, self.above[-MOST:]))

    @property
    def empty(self) -> bool:
        """Whether an answer is as it was released, or blank."""
        as_released = (c.metadata.get("nbgrader", {}).get("checksum") == compute_checksum(c)
                       for c in self.cells if grade_id(c))  # fmt: skip
        blank = not any(c.source.strip() for c in self.cells)
        return bool(self.cells) and (any(as_released) or blank)


@dataclass(frozen=True)
class Card:
    """Answers that are alike to the letter, by their ids; most have one. Nobody is named."""

    ids: tuple[str, ...]
    answer: Answer


def read(assignment: AssignmentFolders, student: str, question: str) -> Answer:
    """Read an answer from a graded notebook; one that is not there says so."""
    path = assignment.autograded(student) / f"{assignment.name}.ipynb"
    try:
        cells = rejoin_lines(from_bytes(path.read_bytes())).cells
        place = next(n for n, cell in enumerate(cells) if grade_id(cell) == question)
    except (OSError, ValueError, AttributeError, StopIteration):
        return Answer()
    return Answer(_answer(cells, place), _above(cells, place))


def anonymous(students: Iterable[str], *seeds: object) -> dict[str, str]:
    """Give students ids, and an order, that say nothing of them: by id, in that order.

    The same seeds give the same; a student who comes later changes neither the others' ids nor
    their order.
    """
    made = {_digest("\0".join(map(str, (*seeds, student)))): student for student in students}
    return dict(sorted(made.items()))


def cards(answers: Mapping[str, Answer]) -> list[Card]:
    """Put answers together that are alike to the letter, in order; empty ones come last."""
    alike: dict[str, list[str]] = {}
    for one, answer in answers.items():
        alike.setdefault("empty" if answer.empty else answer.digest, []).append(one)
    found = [Card(tuple(ids), answers[ids[0]]) for ids in alike.values()]
    return sorted(found, key=lambda card: card.answer.empty)


def shown(cell: NotebookNode) -> str:
    """Return a page of a cell that has nothing in it that a browser would run or fetch."""
    if cell.cell_type == "markdown":
        return to_html(cell.source, cell.get("attachments"), drawn=True)
    outputs = "".join(_shown(output) for output in cell.get("outputs", ()))
    return f"<pre><code>{html.escape(cell.source)}</code></pre>{outputs}"


def _shown(output: NotebookNode) -> str:
    """Return a page of an output: a picture, a table, or the beginning of a text."""
    data = output.get("data", {})
    for kind in PICTURES:
        if isinstance(text := data.get(kind), str) and BASE64.fullmatch(text):
            return f'<img alt="a picture that the cell drew" src="data:{kind};base64,{text}">'
    if isinstance(table := data.get("text/html"), str):
        return f'<div class="output">{clean(table)}</div>'
    text = output.get("text") or data.get("text/plain") or output.get("evalue") or ""
    lines = str(text).splitlines()
    more = [f"… {len(lines) - LINES} more lines"] if len(lines) > LINES else []
    said = html.escape("\n".join(lines[:LINES] + more))
    return f"<pre>{said}</pre>" if said else ""


def _answer(cells: Sequence[NotebookNode], place: int) -> list[NotebookNode]:
    """Return the cells of an answer: its own, or those that a student put below a task."""
    if not is_task(cells[place]):
        return [cells[place]]
    return list(takewhile(lambda cell: not grade_id(cell), cells[place + 1 :]))


def _above(cells: Sequence[NotebookNode], place: int) -> list[NotebookNode]:
    """Return the code between the last graded cell and an answer: what it may speak of."""
    own = takewhile(lambda cell: not (is_grade(cell) or is_task(cell)), reversed(cells[:place]))
    return [cell for cell in own if cell.cell_type == "code"][::-1]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
