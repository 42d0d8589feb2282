"""The pairs of a class that are alike: a page to read them side by side, and a table of all."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import jinja2
import numpy as np
from copydetect import CodeFingerprint, compare_files
from copydetect.utils import highlight_overlap
from markupsafe import Markup

from autograder.reports.similar import compare
from autograder.reports.similar.compare import Compared, Pair
from autograder.reports.similar.read import LONGEST, Submission, Text

TEMPLATE = Path(__file__).parents[1] / "templates" / "similar.html"
MOST = 50  # groups on the page; all pairs are in the table
SEEN = 0.1  # of a cell has to be shared for it to be shown, unless no other cell is
COLUMNS = "student_1", "student_2", "alike", "share", "cells"


@dataclass(frozen=True)
class Cell:
    """A cell of two students: which share of it they share, and both texts with that marked."""

    name: str
    share: float
    sides: tuple[Markup, Markup]


@dataclass(frozen=True)
class Group:
    """Students who are alike, two of them side by side."""

    students: Sequence[str]
    pair: Pair
    cells: Sequence[Cell]


def write(
    assignment: str,
    class_: Sequence[Submission],
    unreadable: Sequence[Submission],
    compared: Compared,
    folder: Path,
) -> tuple[Path, Path]:
    """Write the page and the table into a folder. Returns their paths."""
    page, table = (folder / f"{assignment}-similar.{end}" for end in ("html", "csv"))
    folder.mkdir(parents=True, exist_ok=True)
    page.write_text(html(assignment, class_, unreadable, compared), encoding="utf-8")
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for pair in compared.pairs:
            cells = "; ".join(f"{name} {share:.0%}" for name, share in _telling(pair).items())
            writer.writerow([*pair.students, f"{pair.alike:.0f}", f"{pair.share:.2f}", cells])
    return page, table


def html(
    assignment: str,
    class_: Sequence[Submission],
    unreadable: Sequence[Submission],
    compared: Compared,
) -> str:
    """Write a page that needs no other file."""
    texts = {one.student: one.texts for one in class_}
    groups = [
        Group(students, pair, _cells(pair, texts, compared.passages))
        for pair, students in compare.groups(compared.pairs, MOST)
    ]
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        assignment=assignment, class_=class_, unreadable=unreadable, compared=compared,
        groups=groups, passage=compare.PASSAGE, short=compare.SHORT, least=compare.LEAST,
        most=MOST, longest=LONGEST, as_alike=compare.AS_ALIKE,
    )  # fmt: skip


def _cells(
    pair: Pair,
    texts: Mapping[str, Mapping[str, Text]],
    passages: Mapping[str, Mapping[str, np.ndarray]],
) -> list[Cell]:
    one, other = pair.students
    return [
        Cell(cell, share, marked(texts[one][cell], texts[other][cell], {
            *np.intersect1d(passages[one][cell], passages[other][cell]).tolist()
        }))
        for cell, share in _telling(pair).items()
    ]  # fmt: skip


def _telling(pair: Pair) -> dict[str, float]:
    """Return the cells that are worth a look, each with the share that two students share."""
    least = min(SEEN, max(pair.cells.values()))
    return {cell: share for cell, share in pair.cells.items() if share >= least}


def marked(one: Text, other: Text, shared: set[int]) -> tuple[Markup, Markup]:
    """Mark the passages that two texts share, of those that count. Returns both as HTML."""
    fingerprints = _fingerprint(one, shared), _fingerprint(other, shared)
    _, _, slices = compare_files(*fingerprints)
    sides = [
        Markup(highlight_overlap(f.raw_code, where, "<mark>", "</mark>", escape_html=True)[0])
        for f, where in zip(fingerprints, slices, strict=True)
    ]
    return sides[0], sides[1]


def _fingerprint(text: Text, shared: set[int]) -> CodeFingerprint:
    """Return what copydetect knows of a text, as far as it is shared."""
    made = CodeFingerprint(
        "", compare.PASSAGE, 1, filter=text.is_code, language="python", fp=StringIO(text.source)
    )
    made.hashes &= shared
    if len(made.offsets):  # at a class's name, copydetect forgets what it removed before
        made.offsets[:, 1] = np.maximum.accumulate(made.offsets[:, 1])
    return made
