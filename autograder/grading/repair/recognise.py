"""Which cell of a submission is which cell of the release.

The surest sign counts first: the grade_id, the cell's id, the text, the function it
defines, most words in common, and last the place.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import takewhile

from autograder.grading.repair.submitted import Cell

COMPARED = 300  # unrecognised cells that are compared with what is missing
ALIKE = 0.6  # share of words in common that makes two texts the same cell


@dataclass
class Match:
    """Which submitted cell is which released one, by their positions in the two lists."""

    held: Sequence[Cell]
    wanted: Sequence[Cell]
    spare: set[int]  # positions in `held` of cells that are not recognised
    found: dict[int, int] = field(default_factory=dict)  # position in `held`, by that in `wanted`
    copies: dict[int, int] = field(default_factory=dict)  # the reverse, of further cells of a name

    @cached_property
    def names(self) -> set[str]:
        """The names that the student's own texts define."""
        ours = {position for place, position in self.found.items() if self.wanted[place].locked}
        return {n for p, cell in enumerate(self.held) if p not in ours for n in cell.defines}

    def is_elsewhere(self, place: int) -> bool:
        """Whether what a missing released cell defines is defined by the student elsewhere."""
        return any(name in self.names for name in self.wanted[place].defines[:1])


def match(held: Sequence[Cell], wanted: Sequence[Cell]) -> Match:
    """Look for each released cell, by the surest sign first."""
    often = Counter(cell.id for cell in held)
    # An id that occurs twice says nothing
    held = [replace(cell, id="") if often[cell.id] > 1 else cell for cell in held]
    match = Match(held, wanted, set(range(len(held))))
    _match_by(match, lambda cell: [cell.grade_id])
    _set_copies_aside(match)
    _match_by(match, lambda cell: [cell.id])
    if len(match.found) < len(wanted):
        # A solution's text is no sign: the stub may be a copy that was left as it was
        _match_by(match, lambda cell: [] if cell.solution else [cell.text])
        _match_by(match, lambda cell: cell.defines)
        _match_by_words(match)
        _match_by_place(match)
    return match


def _match_by(match: Match, signs: Callable[[Cell], Sequence[str]]) -> None:
    """Match cells that have a sign in common: the first one of a released cell, if it is unique."""
    index = defaultdict(list)
    for position in sorted(match.spare):
        for sign in signs(match.held[position]):
            index[sign].append(position)
    first = ["".join(signs(cell)[:1]) for cell in match.wanted]
    often = Counter(first)
    place_of = {cell.id: place for place, cell in enumerate(match.wanted) if cell.id}
    for place, sign in enumerate(first):
        if place in match.found or not sign or often[sign] > 1:
            continue
        # A cell whose id is that of another released cell is that cell, whatever else it claims
        fit = [p for p in index[sign] if place_of.get(match.held[p].id, place) == place]
        fit = [p for p in fit if p in match.spare and _may_be(match.held[p], match.wanted[place])]
        if fit:
            _take(match, place, max(fit, key=lambda p: _fitness(match, place, p)))


def _may_be(held: Cell, wanted: Cell) -> bool:
    # A cell of nbgrader's gets its type back; any other of another type is the student's own
    return held.kind == wanted.kind or wanted.nbgrader is not None


def _fitness(match: Match, place: int, position: int) -> tuple:
    """Rank several cells that may be one: of a solution the last that was worked on."""
    cell, wanted = match.held[position], match.wanted[place]
    same_kind, same_id = cell.kind == wanted.kind, cell.id == wanted.id
    if wanted.solution:
        return same_kind, cell.text not in ("", wanted.text), same_id, position
    return same_kind, same_id, cell.text == wanted.text, -position


def _take(match: Match, place: int, position: int) -> None:
    match.found[place] = position
    match.spare.remove(position)


def _set_copies_aside(match: Match) -> None:
    """Keep further cells with the grade_id of a cell that was found from being other cells."""
    places = {match.wanted[place].grade_id: place for place in match.found}
    ids = {cell.id for cell in match.wanted if cell.id}
    for position in sorted(match.spare):
        cell = match.held[position]
        if cell.grade_id in places and cell.id not in ids:
            match.copies[position] = places[cell.grade_id]
    match.spare.difference_update(match.copies)


def _match_by_words(match: Match) -> None:
    """Match the cells that share most words, as long as they share enough."""
    often = Counter(cell.text for cell in match.wanted)
    pairs = [
        (_likeness(match.held[position], cell), -position, -place)
        for place, cell in enumerate(match.wanted)
        if place not in match.found and often[cell.text] == 1
        for position in sorted(match.spare)[:COMPARED]
        if match.held[position].kind == cell.kind
    ]
    for likeness, position, place in sorted(pairs, reverse=True):
        if likeness >= ALIKE and -place not in match.found and -position in match.spare:
            _take(match, -place, -position)


def _likeness(one: Cell, other: Cell) -> float:
    """Return the share of words in common (Dice), which takes linear time."""
    total = one.words.total() + other.words.total()
    return 2 * (one.words & other.words).total() / total if total else 0.0


def _match_by_place(match: Match) -> None:
    """Take for a solution without a name the cell that follows what comes before it.

    This finds written answers, which have no word in common with the released cell.
    """
    for place, cell in enumerate(match.wanted):
        if place in match.found or not cell.solution or cell.defines:
            continue
        before = max((p for p in match.found if p < place), default=None)
        start = 0 if before is None else match.found[before] + 1
        gap = list(takewhile(match.spare.__contains__, range(start, len(match.held))))
        gap = [p for p in gap if match.held[p].kind == cell.kind]
        if gap:
            untouched = ("", cell.text)
            _take(match, place, min(gap, key=lambda p: (match.held[p].text in untouched, p)))
