"""Who is in a class: people by the names and numbers that different systems have for them."""

import csv
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import UserError

# The columns, in lower case, of Moodle's grading worksheet, of Canvas's gradebook, of Gradescope's
# roster, and of a file of one's own. Of those that name a student, the first one counts.
NAMES_A_STUDENT = (
    "id", "username", "sis login id", "id number", "student id", "sid", "sis user id",
    "email address", "email",
)  # fmt: skip
NUMBERS = "identifier", "sid", "lms_user_id", "id"  # what a system calls a person in its downloads
NAME = "full name", "name", "student"
EMAIL = "email address", "email"
TIME = "last modified (submission)"


class RosterUnreadable(UserError):
    """A file with the people of a class cannot be used."""


@dataclass(frozen=True)
class Person:
    """Somebody in a download or in a roster, as far as it says who that is."""

    name: str = ""
    number: str = ""  # the system's: another one in each assignment (Moodle), or always the same
    email: str = ""

    @property
    def shown(self) -> str:
        """Return what an instructor recognises."""
        return f"{self.name} ({self.number})" if self.name and self.number else (
            self.name or self.email or self.number
        )  # fmt: skip


@dataclass(frozen=True)
class Student:
    """A student of the course: the id that folders and the gradebook have, and who it is."""

    id: str
    person: Person
    handed_in: str = ""  # when, as the roster says


class Roster:
    """The students of a class, found by whatever a download says of them."""

    def __init__(self, students: Iterable[Student]) -> None:
        """Sort them by number, address and name; what several share finds nobody."""
        self.students = list(students)
        self._by = [self._index(number), self._index(email), self._index(words)]

    def find(self, person: Person) -> Student | None:
        """Return the student whose number, address or name it is, if it is only one's."""
        for key, index in zip((number, email, words), self._by, strict=True):
            if key(person) and (found := index.get(key(person))):
                return found
        return None

    def _index(self, key: Callable[[Person], str]) -> dict[str, Student | None]:
        index: dict[str, Student | None] = {}
        for student in self.students:
            if name := key(student.person):
                index[name] = None if name in index else student
        return index


def number(person: Person) -> str:
    """Return a system's number without the word before it."""
    return re.sub(r"\D", "", person.number)


def email(person: Person) -> str:
    """Return an address in lower case."""
    return person.email.strip().casefold()


def words(person: Person) -> str:
    """Return the words of a name in order, whichever of the family and given names comes first."""
    return " ".join(sorted(re.findall(r"\w+", person.name.casefold())))


def slug(text: str) -> str:
    """Return a name that a folder can have: `José Díaz` is `jose_diaz`."""
    plain = unicodedata.normalize("NFKD", text.split("@")[0])
    return "_".join(re.findall(r"\w+", "".join(c for c in plain if not unicodedata.combining(c))))


def read(path: Path, column: str = "") -> Roster:
    """Read a roster: a CSV of Moodle, Canvas or Gradescope, or one of one's own.

    `column` names the students; by default it is the first of NAMES_A_STUDENT that is there.
    Raises RosterUnreadable.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is not a CSV file in UTF-8"
        raise RosterUnreadable(f"{path}: {reason}.") from None
    lower = [{(k or "").strip().casefold(): (v or "") for k, v in row.items()
              if isinstance(v, str | None)} for row in rows]  # fmt: skip
    columns = list(lower[0]) if lower else []
    wanted = [column.casefold()] if column else that_name(columns)
    if not wanted or wanted[0] not in columns:
        raise RosterUnreadable(
            f"{path}: no column {column or 'that names the students'!s}; there are "
            f"{', '.join(columns) or 'none'}. Name one with --id."
        )
    return Roster(s for row in lower if (s := student_of(row, wanted)))


def that_name(columns: Sequence[str]) -> list[str]:
    """Return the columns that name a student, in lower case, the one that counts first."""
    canvas = "sis login id" in columns or "sis user id" in columns  # there, "ID" is Canvas's
    return [name for name in NAMES_A_STUDENT if name in columns and not (canvas and name == "id")]


def student_of(row: Mapping[str, str], wanted: Sequence[str]) -> Student | None:
    """Read a student from a row by lower-case columns; none if it is not one's."""

    def first(names: Sequence[str]) -> str:
        return next((row[n].strip() for n in names if row.get(n, "").strip()), "")

    given, family = first(("first name", "first_name")), first(("last name", "last_name"))
    person = Person(first(NAME) or f"{given} {family}".strip(), first(NUMBERS), first(EMAIL))
    named = first(wanted)
    if not named or named.casefold().startswith(("points possible", "student, test")):
        return None
    return Student(slug(named) if "@" in named else named, person, row.get(TIME, ""))
