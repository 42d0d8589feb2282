"""What the pages show and what they save: one assignment on one marker's desk."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from statistics import fmean
from typing import Any

import jinja2
from markupsafe import Markup

from autograder.errors import UserError
from autograder.grading import marks
from autograder.grading.course import AssignmentFolders
from autograder.grading.marks import Mark, OutOfDate
from autograder.grading.sanitize import to_html
from autograder.marking import answers
from autograder.marking.questions import Question, questions
from autograder.reports.page import templates

MOST = 20  # comments that are offered again
LONGEST = 10_000  # characters of a comment


class Refused(UserError):
    """What a page asks to be saved cannot be; the message says why."""


@dataclass(frozen=True)
class Progress:
    """How far the marking of a question is. The mean is None before anything is marked."""

    waiting: int
    marked: int
    mean: float | None

    @property
    def share(self) -> float:
        """The share of the answers that are marked, from 0 to 1."""
        return self.marked / max(1, self.marked + self.waiting)


@dataclass(frozen=True)
class Desk:
    """An assignment, and who marks it. `seed` and `marker` decide the order of the answers."""

    assignment: AssignmentFolders
    seed: int = 0
    marker: str = ""

    @cached_property
    def questions(self) -> Mapping[str, Question]:
        """The questions of the assignment, by name. Raises CourseError if there is none."""
        return questions(self.assignment)

    def start(self, token: str = "", nonce: str = "") -> str:
        """Return the page that lists the questions.

        Its links carry the `token`; only what has the `nonce` may style it, or run in it.
        """
        found = marks.read(self.assignment, list(self.questions))
        rows = [(one, progress(found[name])) for name, one in self.questions.items()]
        return (
            pages()
            .get_template("start.html")
            .render(desk=self, rows=rows, token=token, nonce=nonce)
        )

    def page(self, name: str, named: bool = False, token: str = "", nonce: str = "") -> str:
        """Return the page of a question. Students are `named` on it only if that is wanted."""
        question = self.questions[name]
        found = marks.read(self.assignment, [name])[name]
        students = self._students(name, found)
        read = {one: answers.read(self.assignment, who, name) for one, who in students.items()}
        cards, order = answers.cards(read), list(self.questions)
        place = order.index(name)
        known = marks.names(self.assignment) if named else {}
        state = {
            "maximum": question.maximum,
            "parts": [part.points for part in question.parts],
            "cards": [
                {"members": [[one, read[one].digest] for one in card.ids]} for card in cards
            ],
            **self._said(name, found),
        }  # fmt: skip
        return pages().get_template("question.html").render(
            desk=self, question=question, cards=cards, state=state, named=named,
            names={one: f"{who} ({known[who]})" if who in known else who
                   for one, who in students.items()} if named else {},
            next=order[place + 1] if place + 1 < len(order) else "",
            token=token, nonce=nonce,
        )  # fmt: skip

    def save(self, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Save what a page asks for, and return the state of the whole question.

        `asked` has the `answers` by id (what the page saw: the digest of the answer, and that of
        its mark), `points` or None, and the `comment`. Raises OutOfDate, Refused, CourseError.
        """
        question = self.questions[name]
        points, comment = _points(asked.get("points"), question.maximum), asked.get("comment")
        if not isinstance(comment, str) or len(comment) > LONGEST:
            raise Refused(f"a comment has at most {LONGEST:,} characters; shorten it.")
        found = marks.read(self.assignment, [name])[name]
        students = self._students(name, found)
        wanted = asked.get("answers")
        if not isinstance(wanted, dict) or not wanted or not wanted.keys() <= students.keys():
            raise Refused("an answer is not there any more; load the page again.")
        for one, seen in wanted.items():
            answer = answers.read(self.assignment, students[one], name)
            if seen != [answer.digest, _digest(found[students[one]])]:
                raise OutOfDate(
                    "this answer or its mark has changed since the page showed it; "
                    "look at what is there now, and save again to replace it."
                )
        of = {students[one]: found[students[one]] for one in wanted}
        marks.save(self.assignment, name, of, points, comment.strip())
        return self.state(name)

    def state(self, name: str) -> dict[str, Any]:
        """Return what is known of a question now: marks by id, progress, comments with counts."""
        return self._said(name, marks.read(self.assignment, [name])[name])

    def _students(self, name: str, found: Mapping[str, Mark]) -> dict[str, str]:
        return answers.anonymous(found, self.seed, self.marker, self.assignment.name, name)

    def _said(self, name: str, found: Mapping[str, Mark]) -> dict[str, Any]:
        said = Counter(
            text.strip() for mark in found.values() for text in mark.comment.split("\n\n")
        )  # fmt: skip
        said.pop("", None)
        return {
            "marks": {
                one: {"points": found[who].points, "counts": found[who].counts,
                      "comment": found[who].comment, "seen": _digest(found[who])}
                for one, who in self._students(name, found).items()
            },
            "progress": vars(progress(found)),
            "comments": said.most_common(MOST),
        }  # fmt: skip


def progress(found: Mapping[str, Mark]) -> Progress:
    """Count what waits and what is marked, and take the mean of the latter."""
    points = [mark.counts for mark in found.values() if mark.counts is not None]
    return Progress(len(found) - len(points), len(points), fmean(points) if points else None)


def pages() -> jinja2.Environment:
    """Return the templates of the pages, which have the style of the reports."""
    own = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    reports = templates()
    assert reports.loader is not None
    environment = reports.overlay(loader=jinja2.ChoiceLoader([own, reports.loader]))
    environment.filters = {**reports.filters, "rendered": rendered, "line": line}
    return environment


def rendered(text: str) -> Markup:
    """Render what the course's author wrote."""
    return Markup(to_html(text, drawn=True))


def line(text: str) -> Markup:
    """Render a line of a marking scheme, without a paragraph around it."""
    return Markup(to_html(text, drawn=True).strip().removeprefix("<p>").removesuffix("</p>"))


def _points(given: Any, maximum: float) -> float | None:
    """Return the points that a page asks for. Raises Refused if there are no such points."""
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= maximum:
        raise Refused(f"points are a number from 0 to {maximum:g}; correct them.")
    return float(given)


def _digest(mark: Mark) -> str:
    known = [mark.points, mark.automatic, mark.waiting, mark.comment]
    return sha256(json.dumps(known).encode()).hexdigest()[:16]
