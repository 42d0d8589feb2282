"""Late work: due dates, grace, a penalty by the day, free days, extensions; as nbgrader's plugin.

The penalty is a share of the points that were reached. Days count as soon as they have begun.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nbgrader.api import Assignment, Gradebook
from nbgrader.plugins import LateSubmissionPlugin
from sqlalchemy import update
from traitlets import Dict, Float, Integer, Unicode

from autograder.grading.course import AssignmentFolders, CourseError

DAY = 24 * 60 * 60  # seconds
COLUMNS = "student", "assignment", "extension"
WHEN = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?)\s*(\S+)?")
EXTENSION = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|days?|hours?)")


@dataclass(frozen=True)
class Extension:
    """What somebody was granted: seconds more, or not to be counted as late at all."""

    seconds: float = 0.0
    excused: bool = False


class Late(LateSubmissionPlugin):
    """What late work costs."""

    due = Dict(
        key_trait=Unicode(), value_trait=Unicode(),
        help='by assignment, with a time zone: "2026-11-30 23:59 Europe/Berlin"',
    ).tag(config=True)  # fmt: skip
    grace = Float(0.0, help="minutes after the due date that do not count").tag(config=True)
    per_day = Float(
        0.0, min=0.0, max=1.0, help="share of the points reached that each day late costs"
    ).tag(config=True)
    cap = Float(1.0, min=0.0, max=1.0, help="the largest share that can be lost").tag(config=True)
    free_days = Integer(
        0, min=0, help="days late that cost nothing, for each student in the whole course"
    ).tag(config=True)
    extensions = Unicode(
        "", help="a CSV in the course folder with the columns student, assignment, extension"
    ).tag(config=True)

    def late_submission_penalty(
        self, student_id: str, score: float, total_seconds_late: float
    ) -> float | None:
        """Return the points that a submission loses; nbgrader calls this if it is late.

        nbgrader's own setting, c.LateSubmissionPlugin.penalty_method = "zero", holds, too.
        """
        if self.penalty_method == "zero":
            return score
        step: Any = self.parent
        root = Path(step.config.CourseDirectory.get("root", "."))
        extensions = read_extensions(root, self.extensions) if self.extensions else {}
        days = self.days_late(extensions, student_id, step.assignment_id, total_seconds_late)
        if not days:
            return None
        used = self._used_before(step.gradebook, extensions, student_id, step.assignment_id)
        paid = max(0, days - max(0, self.free_days - used))
        return min(self.cap, self.per_day * paid) * score

    def days_late(self, extensions: Mapping, student: str, assignment: str, seconds: float) -> int:
        """Return the days that have begun after due date, extension and grace."""
        granted = extensions.get((student, assignment)) or extensions.get((student, ""))
        if granted and granted.excused:
            return 0
        seconds -= 60 * self.grace + (granted.seconds if granted else 0)
        return max(0, ceil(seconds / DAY))

    def _used_before(
        self, gradebook: Gradebook, extensions: Mapping, student: str, assignment: str
    ) -> int:
        """Count the days late in assignments that were due before this one."""
        due = gradebook.find_assignment(assignment).duedate
        return sum(
            self.days_late(extensions, student, one.name, one.total_seconds_late)
            for one in gradebook.student_submissions(student)
            if one.assignment.duedate and one.assignment.duedate < due
        )


def set_due_date(assignment: AssignmentFolders) -> None:
    """Let the gradebook know when an assignment is due. Raises CourseError."""
    said = Late(config=assignment.course.config).due.get(assignment.name)
    if said is None:
        return
    when = utc(said)
    with assignment.course.gradebook() as gradebook:
        mine = Assignment.name == assignment.name
        gradebook.db.execute(update(Assignment).where(mine).values(duedate=when))
        gradebook.db.commit()


def utc(text: str) -> datetime:
    """Read a date, time and zone; return it in UTC, without a zone, as the gradebook has it.

    Raises CourseError.
    """
    match = WHEN.fullmatch(text.strip())
    try:
        if not (match and match[2]):
            raise ValueError("no date, or no zone")
        zone = UTC if match[2].upper() in ("UTC", "Z") else ZoneInfo(match[2])
        return datetime.fromisoformat(match[1]).replace(tzinfo=zone).astimezone(UTC).replace(
            tzinfo=None
        )  # fmt: skip
    except (ValueError, ZoneInfoNotFoundError):
        raise CourseError(
            f"c.Late.due: {text!r} is not a date, a time and a time zone; write it like this: "
            '"2026-11-30 23:59 Europe/Berlin".'
        ) from None


def read_extensions(root: Path, name: str) -> dict[tuple[str, str], Extension]:
    """Read who has more time: `anna,a1_two_layer_net,2 days`, or `excused`. Raises CourseError.

    Without an assignment, a line is for all of them.
    """
    path = root / name
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise CourseError(f"{name}: {reason}; c.Late.extensions names this file.") from None
    return {
        (_field(row, "student"), _field(row, "assignment")): _extension(row, name, number)
        for number, row in enumerate(rows, start=2)
        if _field(row, "student")
    }


def _extension(row: Mapping[str, str], name: str, line: int) -> Extension:
    text = _field(row, "extension").casefold()
    if text == "excused":
        return Extension(excused=True)
    if match := EXTENSION.fullmatch(text):
        hours = float(match[1]) * (1 if match[2][0] == "h" else 24)
        return Extension(timedelta(hours=hours).total_seconds())
    raise CourseError(
        f"{name}, line {line}: {text!r} is no extension; write `2 days`, `12 hours` or `excused`. "
        f"The columns are {', '.join(COLUMNS)}."
    )


def _field(row: Mapping[str, str], name: str) -> str:
    found = [v or "" for k, v in row.items() if k and k.strip().casefold() == name]
    return found[0].strip() if found else ""
