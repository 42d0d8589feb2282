"""Grades as a table for other programs: what `nbgrader export` writes."""

import csv
from collections.abc import Iterator
from typing import Any

from nbgrader.api import Assignment, Gradebook, MissingEntry, Student
from nbgrader.plugins import ExportPlugin

COLUMNS = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip


class QuotedCsv(ExportPlugin):
    """nbgrader's table, quoted, so that a comma in a name moves no column; UTF-8 everywhere."""

    def export(self, gradebook: Gradebook) -> None:
        """Write a line for each student and assignment, to `self.to` or to grades.csv."""
        with open(self.to or "grades.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self._lines(gradebook))

    def _lines(self, gradebook: Gradebook) -> Iterator[dict[str, Any]]:
        for assignment in gradebook.assignments:
            if self.assignment and assignment.name not in map(str, self.assignment):
                continue
            for student in gradebook.students:
                if not self.student or student.id in map(str, self.student):
                    yield _line(gradebook, assignment, student)


def _line(gradebook: Gradebook, assignment: Assignment, student: Student) -> dict[str, Any]:
    """Return the line of a student, who has 0 points if nothing was handed in."""
    line = {
        "assignment": assignment.name, "duedate": assignment.duedate, "timestamp": "",
        "student_id": student.id, "last_name": student.last_name, "email": student.email,
        "first_name": student.first_name, "max_score": assignment.max_score,
        "raw_score": 0.0, "late_submission_penalty": 0.0, "score": 0.0,
    }  # fmt: skip
    try:
        found = gradebook.find_submission(str(assignment.name), str(student.id))
    except MissingEntry:
        return line
    score, penalty = found.score or 0.0, found.late_submission_penalty or 0.0
    given = {
        "timestamp": found.timestamp, "raw_score": score,
        "late_submission_penalty": penalty, "score": max(0.0, score - penalty),
    }  # fmt: skip
    return {**line, **given}
