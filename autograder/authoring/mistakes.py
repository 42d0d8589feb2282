"""Known mistakes as an author writes them: what a solution looks like with one mistake in it.

A file `checks/<topic>.diff` begins with the cell whose solution is changed, and the checks
that must refuse it. Then comes a paragraph for each mistake: its name, the part of the points
it keeps, the hint that a student reads, and the lines that are changed.

    @@ squared_error @@ squared_error_values
    mean_over_everything keeps 0.5: the squares were averaged over the features too. Sum over D,
      average over N.
    -    return (difference**2).sum(dim=1).mean()
    +    return (difference**2).mean()
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from autograder.errors import UserError

PLACE = re.compile(r"@@ (?P<cell>\S+) @@ (?P<checks>\S.*)")
FIRST = re.compile(r"(?P<name>\w+) keeps (?P<credit>0?\.\d+|0): (?P<hint>.+)")


class MistakesUnreadable(UserError):
    """A file of mistakes has a line that cannot be read."""


@dataclass(frozen=True)
class Change:
    """Whole lines of a solution, and the lines that replace them."""

    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Mistake:
    """A named wrong solution: the instructor's, with one mistake in one cell.

    Every check in `checks` must refuse it; `credit` is the part of the points it keeps.
    """

    name: str
    cell: str
    changes: tuple[Change, ...]
    checks: tuple[str, ...]
    credit: float
    hint: str
    topic: str = ""


def read_mistakes(file: Path, topic: str = "") -> list[Mistake]:
    """Read the mistakes in a file, none if it is not there. Raises MistakesUnreadable."""
    place, found, name = None, [], "/".join(file.parts[-3:])
    for number, paragraph in paragraphs(file):
        start = PLACE.fullmatch(paragraph[0])
        if start:
            place, paragraph = start, paragraph[1:]
        if not paragraph:
            continue
        count = next((i for i, line in enumerate(paragraph) if line[0] in "-+"), len(paragraph))
        first = FIRST.fullmatch(" ".join(line.strip() for line in paragraph[:count]))
        said, changed = f"{name}, line {number + bool(start)}", paragraph[count:]
        if place is None or first is None:
            raise MistakesUnreadable(
                f"{said}: a mistake begins `name keeps 0.5: hint` (less than 1), below a line "
                "`@@ cell @@ checks` and above its lines with - and +."
            )
        if not changed or FIRST.search(first["hint"]) or any(x[0] not in "-+" for x in changed):
            raise MistakesUnreadable(
                f"{said}: the mistake {first['name']} has to end in lines with - and +, with an "
                "empty line before the next mistake."
            )
        if not all(change.before for change in changes(changed)):
            raise MistakesUnreadable(
                f"{said}: the mistake {first['name']} adds lines, and does not say where; put the "
                "line above them after a -, and again after a +."
            )
        found.append(Mistake(
            first["name"], place["cell"], tuple(changes(changed)),
            tuple(place["checks"].split()), float(first["credit"]), first["hint"], topic,
        ))  # fmt: skip
    return found


def paragraphs(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the first line of each paragraph of a file, and its lines.

    None if the file is not there. Raises MistakesUnreadable.
    """
    try:
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
    except UnicodeDecodeError:
        name = "/".join(file.parts[-3:])
        raise MistakesUnreadable(f"{name}: this file is not UTF-8; save it as UTF-8.") from None
    numbered = enumerate(lines, start=1)
    for is_text, group in groupby(numbered, key=lambda pair: bool(pair[1].strip())):
        if is_text:
            numbers, paragraph = zip(*group, strict=True)
            yield numbers[0], list(paragraph)


def changes(paragraph: Sequence[str]) -> Iterator[Change]:
    """Yield the changes in a paragraph: lines with - and then lines with +."""
    before, after = [], []
    for line in paragraph:
        if line[0] == "-" and after:
            yield Change(tuple(before), tuple(after))
            before, after = [], []
        (before if line[0] == "-" else after).append(line[1:])
    yield Change(tuple(before), tuple(after))
