"""The marks that a person gives written answers, read and written so that none is lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import select, update

from autograder.errors import UserError
from autograder.grading.course import AssignmentFolders
from autograder.grading.gradebook import patiently


class OutOfDate(UserError):
    """A mark is no longer what it was when a page showed it; nothing has been written."""


@dataclass(frozen=True)
class Mark:
    """What the gradebook knows of one answer.

    `points` are a person's, `automatic` nbgrader's (0 for an answer that was left as released);
    either may be None. An answer that is `waiting` needs a person.
    """

    points: float | None
    automatic: float | None
    waiting: bool
    comment: str

    @property
    def counts(self) -> float | None:
        """The points that count; None if nobody has marked the answer yet."""
        if self.waiting:
            return None
        return self.automatic if self.points is None else self.points


Marks = dict[str, dict[str, Mark]]


def read(assignment: AssignmentFolders, questions: Sequence[str]) -> Marks:
    """Read the marks of some questions: by question, then by student. Raises CourseError."""

    def look() -> Marks:
        assignment.require_release()
        with assignment.course.gradebook() as gradebook:
            return _read(gradebook, assignment.name, questions)

    return patiently(look)


def save(
    assignment: AssignmentFolders,
    question: str,
    seen: Mapping[str, Mark],
    points: float | None,
    comment: str,
) -> None:
    """Give answers to one question the same points and the same comment, all of them or none.

    `seen` has by student what the marker saw. Without points an answer goes back to what it was
    before anybody marked it. Raises OutOfDate if a mark has changed since it was seen, and
    CourseError if the gradebook cannot be used.
    """

    def write() -> None:
        with assignment.course.gradebook() as gradebook:
            for student, mark in seen.items():
                if not _replace(
                    gradebook, assignment.name, question, student, mark, points, comment
                ):
                    raise OutOfDate(
                        "this mark has been changed since the page showed it; "
                        "look at what is there now, and save again to replace it."
                    )
            gradebook.db.commit()  # closing without it undoes all

    patiently(write)


def names(assignment: AssignmentFolders) -> dict[str, str]:
    """Read the full names of the students that have one, by student."""

    def look() -> dict[str, str]:
        with assignment.course.gradebook() as gradebook:
            rows = gradebook.db.execute(select(Student.id, Student.first_name, Student.last_name))
            named = ((row[0], " ".join(filter(None, row[1:]))) for row in rows)
            return {student: name for student, name in named if name}

    return patiently(look)


def _of(model: type[Grade | Comment], assignment: str, *columns: Any) -> Any:
    """Select columns of the grades or the comments of an assignment."""
    return (
        select(*columns)
        .select_from(model)
        .join(BaseCell, model.cell_id == BaseCell.id)
        .join(SubmittedNotebook, model.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .where(Assignment.name == assignment)
    )


def _read(gradebook: Gradebook, assignment: str, questions: Sequence[str]) -> Marks:
    key = BaseCell.name, SubmittedAssignment.student_id
    said = _of(Comment, assignment, *key, Comment.manual_comment)
    comments = {
        (question, student): text or ""
        for question, student, text in gradebook.db.execute(said.where(key[0].in_(questions)))
    }
    given = Grade.manual_score, Grade.auto_score, Grade.needs_manual_grade
    found: Marks = {question: {} for question in questions}
    rows = gradebook.db.execute(
        _of(Grade, assignment, *key, *given).where(key[0].in_(questions)).order_by(key[1])
    )
    for question, student, points, automatic, waiting in rows:
        comment = comments.get((question, student), "")
        found[question][student] = Mark(points, automatic, bool(waiting), comment)
    return found


def _replace(
    gradebook: Gradebook, assignment: str, question: str, student: str, seen: Mark,
    points: float | None, comment: str,
) -> bool:  # fmt: skip
    """Write a mark if the one that was seen is still there. Returns whether it was.

    The conditions are those of the statement that writes: there is no moment between a look and a
    change in which somebody else could write.
    """

    def one(model: type[Grade | Comment]) -> Any:
        mine = BaseCell.name == question, SubmittedAssignment.student_id == student
        return _of(model, assignment, model.id).where(*mine).scalar_subquery()

    graded = (
        update(Grade)
        .where(
            Grade.id == one(Grade),
            Grade.manual_score.is_not_distinct_from(seen.points),
            Grade.auto_score.is_not_distinct_from(seen.automatic),
            Grade.needs_manual_grade == seen.waiting,
        )
        .values(manual_score=points, needs_manual_grade=points is None and seen.automatic is None)
    )
    said = (
        update(Comment)
        .where(Comment.id == one(Comment), _text(seen.comment))
        .values(manual_comment=comment or None)
    )
    as_it_is = {"synchronize_session": False}
    changed: list[Any] = [
        gradebook.db.execute(statement, execution_options=as_it_is) for statement in (graded, said)
    ]
    return [one.rowcount for one in changed] == [1, 1]


def _text(seen: str) -> Any:
    """Compare a comment with what was seen: none and an empty one are the same."""
    if seen:
        return Comment.manual_comment == seen
    return Comment.manual_comment.is_(None) | (Comment.manual_comment == "")
