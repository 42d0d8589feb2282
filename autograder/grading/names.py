"""What the names in a check's cell mean: who gave them that meaning, and what they use."""

import ast
import re
import symtable
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from nbformat import NotebookNode

from autograder.grading.notebooks import grade_id, runs_when_graded

LENT = "check"  # what a cell of a check finds under this name is the checker, whoever took it
OTHER = re.compile(r"\s*%%(?!time|capture|prun)\w")  # the cell is of another language
MAGIC = re.compile(r"(?m)^([ \t]*)[%!].*")
LONGEST = 100_000  # characters of a cell that is read


@dataclass(frozen=True)
class Defined:
    """What the top level of a cell defines, imports and uses."""

    names: Mapping[str, frozenset[str]] = field(default_factory=dict)  # with what each uses
    imported: frozenset[str] = frozenset()
    trees: Mapping[str, str] = field(default_factory=dict)  # of what is defined by one statement
    used: frozenset[str] = frozenset()


def taken(cells: Sequence[NotebookNode], check: int) -> str:
    """Say which cell redefined a name that a check uses, if one did.

    `check` is the position of the check's cell in `cells`. A name counts if a locked cell
    defines it and a later cell of the student's assigns it; to import it again changes nothing.
    """
    ours: dict[str, str] = {}  # which locked cell defines a name
    trees: dict[str, str] = {}  # and how
    theirs: dict[str, str] = {}  # which other cell gave it another meaning
    uses: dict[str, frozenset[str]] = {}
    for number, cell in enumerate(cells[:check], start=1):
        if not runs_when_graded(cell):
            continue
        found = read(cell.source)
        uses.update(found.names)
        for name in found.names:
            if _locked(cell):
                ours[name] = grade_id(cell)
                trees[name] = found.trees.get(name, "")
                theirs.pop(name, None)
            elif trees.get(name) and trees[name] == found.trees.get(name):
                theirs.pop(name, None)  # a copy of the course's own
            elif name in ours and name != LENT and name not in found.imported:
                theirs[name] = f"cell {number} ({grade_id(cell) or 'your own'})"
    if not theirs:
        return ""
    for name in _reached(read(cells[check].source).used, uses):
        if name in theirs:
            return (
                f"{theirs[name]} redefines {name}; this check needs the one from the course's cell "
                f"{ours[name]}: choose another name"
            )
    return ""


def asked(cells: Sequence[NotebookNode], check: int) -> tuple[list[str], list[str]]:
    """Name what a check asks of a student's answers: those it calls, and those that they call."""
    uses: dict[str, frozenset[str]] = {}
    answers: set[str] = set()
    for cell in filter(runs_when_graded, cells[:check]):
        found = read(cell.source)
        uses.update(found.names)
        (answers.update if _is_answer(cell) else answers.difference_update)(found.names)
    given = {name: used for name, used in uses.items() if name not in answers}
    called = [name for name in _reached(read(cells[check].source).used, given) if name in answers]
    inside = frozenset().union(*(uses[name] for name in called))
    below = [name for name in _reached(inside, uses) if name in answers and name not in called]
    return called, below


@lru_cache(2**12)
def read(source: str) -> Defined:
    """Read a cell; nothing if it is no Python, or too long."""
    if OTHER.match(source) or len(source) > LONGEST:
        return Defined()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of "\d", which is the student's affair
            text = MAGIC.sub(r"\1pass", source)
            table, tree = symtable.symtable(text, "cell", "exec"), ast.parse(text)
        trees = {name: ast.dump(node) for node in tree.body if (name := _defined_by(node))}
        inside = {child.get_name(): frozenset(_globals(child)) for child in table.get_children()}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Defined()
    symbols = table.get_symbols()
    return Defined(
        {s.get_name(): inside.get(s.get_name(), frozenset()) for s in symbols if _is_bound(s)},
        frozenset(s.get_name() for s in symbols if s.is_imported()),
        trees,
        frozenset(s.get_name() for s in symbols if s.is_referenced()).union(*inside.values()),
    )


def _defined_by(statement: ast.stmt) -> str:
    """Return the one name that a statement defines, or nothing."""
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return ""


def _is_bound(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported()


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    """Yield the names of the notebook that a function or a class uses."""
    yield from (s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced())
    for child in table.get_children():
        yield from _globals(child)


def _reached(names: frozenset[str], uses: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """Yield names, and what their definitions use, and so on."""
    seen, waiting = set(names), sorted(names)
    while waiting:
        yield (name := waiting.pop(0))
        new = sorted(uses.get(name, frozenset()) - seen)
        seen.update(new)
        waiting += new


def _locked(cell: NotebookNode) -> bool:
    nbgrader = cell.metadata.get("nbgrader", {})
    return bool(nbgrader.get("locked") or nbgrader.get("grade")) and not _is_answer(cell)


def _is_answer(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))
