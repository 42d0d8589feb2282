"""Who is in a class, and how each one's work came in: when, repaired or not, graded or not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nbgrader.api import Assignment, Student, SubmittedAssignment
from sqlalchemy import select

from autograder.grading.course import AssignmentFolders, CourseError
from autograder.grading.journal import Journal


@dataclass(frozen=True)
class Person:
    """A student of the course, and what happened to the work for one assignment."""

    name: str = ""  # as the gradebook has it, if it has one
    handed_in: bool = False
    time: datetime | None = None  # when, in UTC without a zone, if that is known
    late: timedelta = timedelta(0)  # after the due date, whatever was granted
    error: str = ""  # why the work could not be graded
    repaired: Sequence[str] = ()  # what was put right before it was graded
    seconds: float = 0.0  # that it ran
    peak_memory: int = 0  # bytes


def read(assignment: AssignmentFolders) -> dict[str, Person]:
    """Read everybody who is in the gradebook or handed in, by student, in order.

    From the gradebook, the journal and `submitted/`.
    """
    with assignment.course.gradebook() as gradebook:
        named = gradebook.db.execute(select(Student.id, Student.first_name, Student.last_name))
        names = {row[0]: " ".join(filter(None, row[1:])) for row in named}
        of_it = Assignment.name == assignment.name
        due = gradebook.db.scalar(select(Assignment.duedate).where(of_it))
        columns = SubmittedAssignment.student_id, SubmittedAssignment.timestamp
        times = dict(gradebook.db.execute(select(*columns).join(Assignment).where(of_it)).all())
    lines = {line["student"]: line for line in Journal(assignment).lines()}
    try:
        there = {*times, *assignment.students()}
    except CourseError:  # the class may be graded, and what was handed in gone
        there = {*times}
    return {
        student: _person(
            names.get(student, ""), student in there, times.get(student), due,
            lines.get(student, {}), student in times,
        )
        for student in sorted({*names, *there})
    }  # fmt: skip


def _person(
    name: str,
    there: bool,
    time: datetime | None,
    due: datetime | None,
    line: Mapping[str, Any],
    graded: bool,
) -> Person:
    notes = (note for notes in (line.get("notes") or {}).values() for note in notes)
    not_yet = "" if graded or not there else "handed in, and not graded yet"
    return Person(
        name, there, time,
        max(time - due, timedelta(0)) if time and due else timedelta(0),
        line.get("error", "") or not_yet if there else "",
        tuple(dict.fromkeys(notes)),
        float(line.get("seconds", 0.0)), int(line.get("peak_memory", 0)),
    )  # fmt: skip


def said(late: timedelta) -> str:
    """Say how late something was: `2 d 3 h`, `40 min`."""
    minutes = round(late.total_seconds() / 60)
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    return f"{hours} h" if hours else f"{max(1, minutes)} min"
