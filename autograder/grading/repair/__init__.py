"""A submission as it should have come: damage undone, with a note on each repair.

A student's file can be anything. Each cell of the released notebook is looked for in it, and
the repaired notebook has the metadata of the released one, the student's texts wherever
they may differ, and no outputs: they are computed again.
"""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from os.path import lexists
from pathlib import Path

from nbformat import NotebookNode

from autograder.grading.repair import beside, linked, rebuild, recognise, submitted
from autograder.grading.repair.submitted import Unreadable
from autograder.notebook.evidence import clip

CANDIDATES = 20  # notebooks in a folder that are looked at
LIKE_RELEASE = 0.2  # share of the released cells that makes a notebook a submission


class NotebookNotFound(Exception):
    """A folder holds no submission of a notebook."""


@dataclass(frozen=True)
class Repaired:
    """A notebook that can be graded: valid nbformat 4.5, with the released metadata.

    `notes` say what was repaired, a sentence each. If nothing of the submission could be
    read, `unreadable` says why and the notebook is the released one.
    """

    notebook: NotebookNode
    notes: tuple[str, ...]
    unreadable: str = ""


def read(path: Path, released: NotebookNode) -> Repaired:
    """Read a submitted notebook and repair it by the student version it started from.

    Never raises for what a student can put at `path`.
    """
    try:
        document, notes = submitted.document(path)
        held, lost = submitted.cells(document)
    except Unreadable as error:
        return Repaired(deepcopy(released), (), str(error))
    match = recognise.match(held, submitted.cells(released)[0])
    notebook, repairs = rebuild.notebook(match, released)
    linked.carry(notebook, path.parent)
    return Repaired(notebook, tuple(rebuild.sentences([*notes, *lost, *repairs])))


def find_notebook(
    folder: Path, name: str, released: NotebookNode, named: Path | None = None
) -> tuple[Path, tuple[str, ...]]:
    """Find the submitted file of notebook `name`, with a note if it was renamed.

    `named` is the folder by the name that messages use.

    Looks in the folder and one level deeper, never through a symbolic link. The exact name
    wins if it can be read, then the notebook that holds most of the released cells.
    Raises NotebookNotFound.
    """
    exact = folder / f"{name}.ipynb"
    candidates = sorted(
        submitted.notebooks(folder),
        key=lambda path: (path != exact, -beside.copy_of(path.relative_to(folder)), str(path)),
    )
    if candidates == [exact]:
        return exact, ()
    shares = {path: _share(path, released) for path in candidates[:CANDIDATES]}
    if shares.get(exact, -1) >= 0:
        return exact, ()
    alike = {p for p in shares if name.casefold() in p.stem.casefold()}
    likely = [p for p, share in shares.items() if share >= LIKE_RELEASE or p in alike]
    if not likely:
        raise NotebookNotFound(_not_found(exact, shares, named or folder))
    best = max(likely, key=lambda path: (shares[path], path in alike))
    if best == exact:
        return exact, ()
    among = f", the most like the release of {len(shares)} notebooks" if len(shares) > 1 else ""
    found = clip(best.relative_to(folder).as_posix())
    return best, (f"The notebook was handed in as {found}{among}; it is graded as {exact.name}.",)


def _share(path: Path, released: NotebookNode) -> float:
    """Return the share of the released cells that a file holds, -1 if it cannot be read."""
    try:
        held, _ = submitted.cells(submitted.document(path)[0])
    except Unreadable:
        return -1
    match = recognise.match(held, submitted.cells(released)[0])
    return len(match.found) / max(len(match.wanted), 1)


def _not_found(exact: Path, others: Iterable[Path], folder: Path) -> str:
    reason = submitted.refusal(exact) if lexists(exact) else ""
    unlike = [clip(path.name) for path in others]
    if unlike:
        reason = f"{unlike[0]} is there, but holds none of its cells"
    place = "/".join(folder.parts[-2:])
    return f"{clip(place)}: there is no notebook {exact.name}" + (reason and f" ({reason})") + "."
