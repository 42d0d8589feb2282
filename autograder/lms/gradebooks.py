"""Grades into the file that a learning management system imports: its own one, filled in."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from autograder.lms.roster import RosterUnreadable, student_of, that_name

# Canvas takes nothing else, and calls all other columns but assignments read-only.
CANVAS = "Student", "ID", "SIS User ID", "SIS Login ID", "Section"
POSSIBLE = "points possible"  # how Canvas's row of maxima begins
MAXIMUM = "Maximum Grade"  # Moodle's, of each row


@dataclass(frozen=True)
class Grades:
    """The points of a class in one assignment, by student, and how many one can have."""

    assignment: str
    maximum: float
    points: Mapping[str, float]


@dataclass
class Filled:
    """A file to import, and who was left out of it, or has no grade."""

    system: str
    column: str
    text: str
    filled: list[str] = field(default_factory=list)
    without_grade: list[str] = field(default_factory=list)  # in the file, not graded
    not_there: list[str] = field(default_factory=list)  # graded, not in the file


def fill(path: Path, grades: Grades, column: str = "", named: str = "") -> Filled:
    """Fill grades into a CSV that Canvas, Moodle or Blackboard has exported.

    `column` is the one to fill, by default that whose title begins with the assignment's name;
    Canvas makes a new assignment of a column that it does not know. `named` is the column that
    names the students. Whoever has no grade keeps what is there. Raises RosterUnreadable.
    """
    rows, dialect = _read(path)
    head = list(rows[0]) if rows else []
    lower = [title.strip().casefold() for title in head]
    system = _system(path, lower)
    wanted = [named.casefold()] if named else that_name(lower)
    if not wanted or wanted[0] not in lower:
        raise RosterUnreadable(f"{path}: no column names the students; name one with --id.")
    title = column or _column(path, system, head, grades.assignment)
    kept = [name for name in head if system != "canvas" or name in (*CANVAS, title)]
    kept += [title] * (title not in kept)
    result, seen = Filled(system, title, ""), set()
    for row in rows:
        low = {k.strip().casefold(): v or "" for k, v in row.items() if k}
        if low.get("student", "").strip().casefold().startswith(POSSIBLE):
            row[title] = f"{grades.maximum:g}"
            continue
        student = student_of(low, wanted)
        if student is None:
            continue
        if student.id in grades.points:
            seen.add(student.id)
            result.filled.append(student.id)
            row[title] = _points(grades, student.id, row.get(MAXIMUM, ""))
        else:
            result.without_grade.append(student.id)
    result.not_there = sorted(set(grades.points) - seen)
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, kept, extrasaction="ignore", dialect=dialect, restval="")
    writer.writeheader()
    writer.writerows(rows)
    result.text = out.getvalue()
    return result


def _read(path: Path) -> tuple[list[dict[str, str]], type[csv.Dialect]]:
    try:
        data = path.read_bytes()
        utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")  # Blackboard's, for Excel
        text = data.decode("utf-16" if utf16 else "utf-8-sig")
    except OSError as error:
        raise RosterUnreadable(f"{path}: {error.strerror}.") from None
    except UnicodeError:
        raise RosterUnreadable(f"{path}: it is not a CSV file in UTF-8 or UTF-16.") from None

    class Dialect(csv.excel):
        delimiter = "\t" if text.partition("\n")[0].count("\t") > 1 else ","

    return list(csv.DictReader(io.StringIO(text, newline=""), dialect=Dialect)), Dialect


def _system(path: Path, columns: Sequence[str]) -> str:
    if "identifier" in columns and "grade" in columns:
        return "moodle"
    if "student" in columns and "id" in columns:
        return "canvas"
    if "username" in columns and "last name" in columns:
        return "blackboard"
    raise RosterUnreadable(
        f"{path}: this is neither Canvas's gradebook, nor Moodle's grading worksheet, nor "
        f"Blackboard's; it has {', '.join(columns) or 'no columns'}."
    )


def _column(path: Path, system: str, head: Sequence[str], assignment: str) -> str:
    if system == "moodle":
        return next(title for title in head if title.strip().casefold() == "grade")
    found = [t for t in head if re.match(rf"{re.escape(assignment)}\b", t.strip(), re.IGNORECASE)]
    if len(found) == 1:
        return found[0]
    if not found and system == "canvas":
        return assignment
    raise RosterUnreadable(
        f"{path}: {len(found) or 'no'} columns begin with {assignment}; name the one to fill with "
        f"--column; there are {', '.join(head)}."
    )


def _points(grades: Grades, student: str, maximum: str) -> str:
    """Write points, scaled if the system has another maximum."""
    points = grades.points[student]
    with suppress(ValueError, ZeroDivisionError):
        points *= float(maximum.replace(",", ".")) / grades.maximum
    return f"{round(points, 2):g}"
