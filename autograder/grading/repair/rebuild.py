"""The notebook put together again from what was recognised, and a note on each repair."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from itertools import count, pairwise
from typing import Any

from nbformat import NotebookNode, from_dict

from autograder.grading.repair.recognise import Match
from autograder.grading.repair.submitted import PICTURE_LIMIT, Cell, Note
from autograder.notebook.evidence import clip

NAMED = 3  # cells that a note on many names
FIELDS = ("grade_id", "grade", "solution", "locked", "task", "points")
CHANGED = "the text of this locked cell was changed; the released text is back."
EARLIER = (
    "The notebook was from an earlier release; what has changed since then is now as released."
)

Plan = list[tuple[int | None, int | None]]  # of each cell, the place and the position in a Match


def notebook(match: Match, released: NotebookNode) -> tuple[NotebookNode, list[Note]]:
    """Build the repaired notebook: nbformat 4.5, with the released metadata."""
    plan, notes = _plan(match)
    for place, position in plan:
        notes.extend(_notes(match, place, position))
    cells = [_build(match, released, place, position) for place, position in plan]
    _give_ids(plan, cells, {cell.id for cell in match.wanted})
    metadata = deepcopy(released.metadata)
    return NotebookNode(nbformat=4, nbformat_minor=5, metadata=metadata, cells=cells), notes


def _plan(match: Match) -> tuple[Plan, list[Note]]:
    """List the repaired notebook's cells as positions in `wanted` and `held`.

    The student's own cells stay after the released cell that they followed.
    """
    place_of = {position: place for place, position in match.found.items()}
    anchors, notes = _anchors(match, [place_of[p] for p in sorted(place_of)])
    stubs = {cell.text for cell in match.wanted if cell.solution and cell.text}
    blocks, block = defaultdict(list), -1
    for position, cell in enumerate(match.held):
        place = place_of.get(position)
        if place is None and cell.text in stubs:
            left_out = "this cell was an unedited copy of a task; it was left out."
            notes.append((f"cell {cell.number}", left_out))
            continue
        block = place if place in anchors else block
        blocks[block].append((place, position))
    for place in _missing(match):
        blocks[place] = [(place, None)]
    return [entry for block in sorted(blocks) for entry in blocks[block]], notes


def _missing(match: Match) -> Iterator[int]:
    """Yield the released cells to put back: nbgrader's, and code that is nowhere else."""
    for place, cell in enumerate(match.wanted):
        needed = cell.nbgrader or (cell.kind == "code" and not match.is_elsewhere(place))
        if place not in match.found and needed:
            yield place


def _anchors(match: Match, order: Sequence[int]) -> tuple[set[int], list[Note]]:
    """Choose the released cells that others are placed by, from their order as submitted.

    All of them if nbgrader's are out of order. If they are not, other released cells stay
    where the student moved them, and count as the student's own.
    """
    graded = [place for place in order if match.wanted[place].nbgrader]
    for before, after in pairwise(graded):
        if before > after:
            early, late = (match.wanted[place].grade_id for place in (before, after))
            return set(order), [("", f"{early} came before {late}; the released order is back.")]
    anchors, last = set(), -1
    for index, place in enumerate(order):
        following = next((p for p in order[index:] if match.wanted[p].nbgrader), place)
        if last < place <= following:
            anchors.add(place)
            last = place
    return anchors, []


def _build(
    match: Match, released: NotebookNode, place: int | None, position: int | None
) -> NotebookNode:
    """Build one cell: the released one with the student's text, or the student's own."""
    if place is None:
        assert position is not None  # a cell is in one of the two at least
        held = match.held[position]
        cell = NotebookNode(id=held.id, cell_type=held.kind, metadata=NotebookNode())
        cell.source = held.source
    else:
        cell = deepcopy(released.cells[place])
        cell.source = _source(match, place, position)
    pictures = {} if position is None else match.held[position].attachments
    if pictures and cell.cell_type != "code":
        cell.attachments = from_dict({**cell.get("attachments", {}), **pictures})
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    return cell


def _source(match: Match, place: int, position: int | None) -> str:
    wanted = match.wanted[place]
    if position is not None and not wanted.locked:
        return match.held[position].source
    if wanted.solution and position is None and match.is_elsewhere(place):
        # The stub would undo what the student defines elsewhere
        return f"# {wanted.defines[0]} is defined in another cell."
    return wanted.source


def _give_ids(plan: Plan, cells: Sequence[NotebookNode], released: set[str]) -> None:
    """Give an id to each cell that has none, or one that is taken."""
    taken = {"", *released}
    fresh = (f"own-{number}" for number in count(1))
    for (place, _), cell in zip(plan, cells, strict=True):
        cell_id = cell.get("id", "")
        if cell_id in taken and (place is None or not cell_id):
            cell.id = next(name for name in fresh if name not in taken)
        taken.add(cell.id)


def _notes(match: Match, place: int | None, position: int | None) -> Iterator[Note]:
    """Say what was repaired in one cell."""
    if position is None:
        assert place is not None  # a cell is in one of the two at least
        if match.wanted[place].grade_id:  # of another, nobody can say whether it was there
            yield _restored(match, place)
        return
    held = match.held[position]
    wanted = None if place is None else match.wanted[place]
    name = (wanted.grade_id if wanted else "") or f"cell {held.number}"
    if held.removed:
        yield name, "characters of this cell that cannot be saved were removed."
    if held.cut and not (wanted and wanted.locked):
        yield name, "this cell was too long to be read as a whole; its end was left out."
    if held.dropped and not (wanted and wanted.locked):
        yield (
            name,
            (
                f"pictures of this cell could not be kept: only PNG, JPEG, GIF and WebP of at most "
                f"{PICTURE_LIMIT // 2**20} MiB can."
            ),
        )
    if position in match.copies:
        original = match.wanted[match.copies[position]].grade_id
        yield name, f"this cell was a copy of {original}; it counts as a cell of your own."
    if wanted and wanted.nbgrader:
        yield from ((name, sentence) for sentence in _changes(held, wanted))
        if wanted.locked and held.source != wanted.source and held.text != wanted.text:
            yield ("", EARLIER) if held.as_released else (name, CHANGED)


def _changes(held: Cell, wanted: Cell) -> Iterator[str]:
    # we may have changed the points; of a cell that a student writes in, nobody can say
    ours = ("points",) if wanted.solution or held.as_released else ()
    if held.kind != wanted.kind:
        yield f"the type of this cell was changed to {held.kind}; it is {wanted.kind} again."
    if held.nbgrader is None:
        yield "the nbgrader metadata of this cell was missing; it was put back."
    elif changed := [f for f in FIELDS if _field(held, f) != _field(wanted, f) and f not in ours]:
        yield f"the metadata of this cell ({', '.join(changed)}) was changed; it was put back."


def _field(cell: Cell, name: str) -> Any:
    return (cell.nbgrader or {}).get(name) or False  # what is missing counts as false


def _restored(match: Match, place: int) -> Note:
    wanted = match.wanted[place]
    if wanted.solution and match.is_elsewhere(place):
        why = "this cell was missing; another cell defines its function, so it is empty."
        return wanted.grade_id, why
    return wanted.grade_id, "this cell was missing; it was put back."


def sentences(notes: Iterable[Note]) -> Iterator[str]:
    """Write notes as sentences, and the same one on many cells as one sentence."""
    cells = defaultdict(list)
    for name, sentence in notes:
        cells[sentence].append(name)
    for sentence, names in cells.items():
        if not names[0]:
            yield sentence
        elif len(names) <= NAMED:
            yield from (clip(f"{name}: {sentence}") for name in names)
        else:
            several = sentence.replace("this cell", "each of these cells").replace(
                "this locked cell", "each of these locked cells"
            )
            more = f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
            yield clip(f"{more}: {several}")
