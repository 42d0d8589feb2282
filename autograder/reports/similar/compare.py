"""Which passages of a class two students share, though neither was given them.

A passage is PASSAGE characters of what is compared (`read.Text.reduced`), as in winnowing
(Schleimer, Wilkerson and Aiken, 2003), of which copydetect is an implementation. All passages are
kept, not a sample of them: a sample depends on Python's random hashes, and a page that somebody
is confronted with has to say the same tomorrow. All pairs of a class are compared at once, by
the product of a sparse matrix (students by passages) with itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from copydetect.utils import hashed_kgrams
from scipy.sparse import csr_matrix

from autograder.reports.similar.read import Submission

PASSAGE = 25  # characters: some two lines of code without names, or five words
SHORT = 40  # passages: with fewer of their own, a cell is no evidence
COMMON = 10  # students: what more of them share is what one writes; in a large class
COMMON_SHARE = 0.05  # of them
LEAST = 40.0  # how alike two have to be, to be listed: as if they shared one cell that counts
AS_ALIKE = 0.8  # of how alike two are, that makes a third one of their group


@dataclass(frozen=True)
class Pair:
    """Two students: how much they share, and which share of the shorter one's own it is.

    `alike` counts the passages that they share, those of each cell times the share of the cell
    that they are. `cells` are the cells in which they share something, each with that share.
    """

    students: tuple[str, str]
    alike: float
    share: float
    cells: Mapping[str, float]


@dataclass(frozen=True)
class Compared:
    """A class: pairs, the most alike first, and the passages of each student that count, by cell.

    `common` is the number of students above which a passage is what one writes, and `common_cells`
    says in which cells there are such passages, and how many.
    """

    pairs: Sequence[Pair]
    passages: Mapping[str, Mapping[str, np.ndarray]]
    common: int
    common_cells: Mapping[str, int] = field(default_factory=dict)


def compare(
    class_: Sequence[Submission], given: Iterable[str], common: int | None = None
) -> Compared:
    """Compare each student with each other one, cell by cell."""
    common = common or max(COMMON, round(COMMON_SHARE * len(class_)))
    known = np.unique(np.concatenate([_passages(one) for one in ["", *given]]))
    cells = list(dict.fromkeys(name for one in class_ for name in one.texts))
    shared, own, kept, frequent = [], [], {one.student: {} for one in class_}, {}
    for cell in cells:
        texts = [one.texts[cell].reduced if cell in one.texts else "" for one in class_]
        mine, often = _without_common([_without(_passages(t), known) for t in texts], common)
        frequent |= {cell: often} if often else {}
        for one, passages in zip(class_, mine, strict=True):
            kept[one.student][cell] = passages
        shared.append(_shared(mine))
        own.append(np.array([len(passages) for passages in mine]))
    pairs = _pairs([one.student for one in class_], cells, shared, own)
    return Compared(pairs, kept, common, frequent)


def _passages(text: str) -> np.ndarray:
    """Return the hashes of the passages of a text, each once. They differ in another process."""
    return np.unique(hashed_kgrams(text, PASSAGE)).astype(np.int64)


def _without(passages: np.ndarray, known: np.ndarray) -> np.ndarray:
    return passages[~np.isin(passages, known, assume_unique=True)]


def _without_common(mine: Sequence[np.ndarray], most: int) -> tuple[list[np.ndarray], int]:
    """Take away the passages that more than `most` students have. Returns how many they were."""
    all_, counts = np.unique(np.concatenate(mine), return_counts=True)
    often = all_[counts > most]
    return [_without(passages, often) for passages in mine], len(often)


def _shared(mine: Sequence[np.ndarray]) -> np.ndarray:
    """Count the passages that each two students share: (students, students)."""
    columns = np.unique(np.concatenate(mine), return_inverse=True)[1]
    starts = np.cumsum([0, *map(len, mine)])
    size = len(mine), len(columns)  # no more passages than that differ
    has = csr_matrix((np.ones(len(columns), np.int32), columns, starts), size)
    return (has @ has.T).toarray()


def _pairs(
    students: Sequence[str],
    cells: Sequence[str],
    shared: Sequence[np.ndarray],
    own: Sequence[np.ndarray],
) -> list[Pair]:
    """List the pairs that are alike enough, the most alike first."""
    size = len(students), len(students)
    alike, common, whole = np.zeros(size), np.zeros(size), np.zeros(size)
    parts = []
    for both, mine in zip(shared, own, strict=True):
        shorter = np.minimum.outer(mine, mine)
        counts = shorter >= SHORT
        part = np.where(counts, both / np.maximum(shorter, 1), 0.0)
        alike, common = alike + both * part, common + both * counts
        whole += shorter * counts
        parts.append(part.astype(np.float32))
    found = []
    for a, b in np.argwhere(np.triu(alike >= LEAST, 1)):
        in_cells = {cell: float(p[a, b]) for cell, p in zip(cells, parts, strict=True) if p[a, b]}
        share = float(common[a, b] / whole[a, b])
        found.append(Pair((students[a], students[b]), float(alike[a, b]), share, in_cells))
    return sorted(found, key=lambda pair: (-pair.alike, pair.students))


def groups(pairs: Sequence[Pair], most: int) -> list[tuple[Pair, Sequence[str]]]:
    """Put pairs together that are one story: a pair, and who is as alike to both of them.

    Returns the first `most`, each pair with all students of its group.
    """
    alike = {frozenset(pair.students): pair.alike for pair in pairs}
    others: dict[str, list[str]] = {}
    for pair in pairs:
        for one, other in (pair.students, pair.students[::-1]):
            others.setdefault(one, []).append(other)
    found, told = [], set[frozenset[str]]()
    for pair in pairs:
        if frozenset(pair.students) in told:
            continue
        members = list(pair.students)
        for student in sorted(others[members[0]]):
            least = min(alike.get(frozenset((student, one)), 0) for one in members)
            if student not in members and least >= AS_ALIKE * pair.alike:
                members.append(student)
        told |= {frozenset((one, other)) for one in members for other in members if one != other}
        found.append((pair, members))
        if len(found) == most:
            break
    return found
