"""Wrong solutions made by machine: which of them do the checks of an assignment let through?

A mutant is the instructor's solution with one small change, made by an operator on its syntax
tree: another operator, constant, axis or slice, a dropped statement or call, swapped arguments.
Each one runs by the path of a submission and is judged by the references. One that keeps all
points is a hole in a check, or does the same as the solution: its author then says so in
`checks/equivalent.txt`, with the reason.

    @@ squared_error
    The sum of one number is its mean.
    -    return (difference**2).sum(dim=1).mean()
    +    return (difference**2).sum(dim=1).sum()
"""

import ast
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from random import Random

from nbformat import NotebookNode

from autograder.authoring.checks import artifacts
from autograder.authoring.mistakes import Change, MistakesUnreadable, changes, paragraphs
from autograder.authoring.proofread import proofread
from autograder.authoring.record import outcomes_of
from autograder.authoring.solutions import only_checks_that_use, with_cells
from autograder.grading.course import AssignmentFolders
from autograder.grading.execute import worker_config
from autograder.grading.notebooks import grade_id, is_autograded
from autograder.notebook import cases
from autograder.notebook.cases import RecordedCheck
from autograder.notebook.judge import Verdict, judge

EQUIVALENT = "equivalent.txt"  # in an assignment's `checks/`
SOLUTION = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.DOTALL)
SECONDS = 20  # that a cell of a mutant may run: some never end
SIGNS = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"), ast.Mod: ("%", "*"), ast.Pow: ("**", "*"), ast.MatMult: ("@", "*"),
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.In: ("in", "not in"), ast.And: ("and", "or"),
    ast.Or: ("or", "and"), ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"), ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"), ast.NotIn: ("not in", "in"),
}  # fmt: skip
PAIRS = (
    ("mean", "sum"), ("max", "min"), ("argmax", "argmin"), ("amax", "amin"), ("any", "all"),
    ("maximum", "minimum"), ("zeros", "ones"), ("zeros_like", "ones_like"), ("std", "var"),
    ("floor", "ceil"), ("cumsum", "cumprod"), ("eval", "train"),
)  # fmt: skip
NAMES = {one: other for pair in PAIRS for one, other in (pair, pair[::-1])}

HARMLESS = "item", "tqdm"  # a tensor of one number is a number; a progress bar is only shown

Edit = tuple[str, int, int, str]  # what is done, from where to where in the text, and the new text


@dataclass(frozen=True)
class Mutant:
    """A solution cell with one change: what was done, the text, and the lines that differ."""

    cell: str
    kind: str
    source: str
    change: Change

    def __str__(self) -> str:
        """Write it as in a file of mistakes."""
        lines = [f"@@ {self.cell}  ({self.kind})"]
        lines += [f"-{line}" for line in self.change.before]
        return "\n".join(lines + [f"+{line}" for line in self.change.after])


@dataclass(frozen=True)
class Tried:
    """A mutant that was run, and the verdict of each check that it can reach."""

    mutant: Mutant
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    equivalent: str = ""  # why it is right, if its author says so

    @property
    def survived(self) -> bool:
        """Say whether it has all the points."""
        return all(verdict.fraction == 1 for verdict in self.verdicts.values())

    @property
    def as_marked(self) -> bool:
        """Say whether it has all the points if, and only if, its author calls it equivalent."""
        return self.survived == bool(self.equivalent)


def mutants_of(notebook: NotebookNode) -> Iterator[Mutant]:
    """Yield the mutants of every solution cell of an instructor's notebook."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and grade_id(cell):
            seen = {cell.source}
            for kind, source in mutated(cell.source):
                if source not in seen:
                    seen.add(source)
                    yield Mutant(grade_id(cell), kind, source, _change(cell.source, source))


def mutated(source: str) -> Iterator[tuple[str, str]]:
    """Yield what is done to a cell's solution, and the text that comes of it."""
    regions = [match.span(1) for match in SOLUTION.finditer(source)]
    if not regions:
        return
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic, say
        return
    text = Text(source)
    for node in ast.walk(tree):
        for kind, start, end, new in _edits(node, text):
            if not any(first <= start and end <= last for first, last in regions):
                continue
            made = source[:start] + new + source[end:]
            try:
                changed = ast.dump(ast.parse(made)) != ast.dump(tree)
            except SyntaxError:
                continue
            if changed:
                yield kind, made


class Text:
    """A text whose syntax tree counts lines and bytes."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Return the span of a node."""
        return (
            self._offset(node.lineno, node.col_offset),  # ty: ignore[missing-attribute]
            self._offset(node.end_lineno, node.end_col_offset),  # ty: ignore[missing-attribute]
        )

    def of(self, node: ast.AST) -> str:
        """Return the text of a node."""
        start, end = self.span(node)
        return self.source[start:end]

    def _offset(self, line: int, column: int) -> int:
        before = self._lines[line - 1].encode()[:column].decode()
        return self._starts[line - 1] + len(before)


def _edits(node: ast.AST, text: Text) -> Iterator[Edit]:
    """Yield the changes of one node; those of the nodes in it are its own."""
    match node:
        case ast.BinOp(left, op, right) | ast.Compare(left, [op], [right]):
            yield from _between(left, right, op, text)
        case ast.BoolOp(op, [first, second, *_]):
            yield from _between(first, second, op, text)
        case ast.AugAssign(target, op, value):
            yield from _between(target, value, op, text)
            yield "statement dropped", *text.span(node), "pass"
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield "sign dropped", *text.span(node), f"({text.of(operand)})"
        case ast.Constant(bool() as value):
            yield "constant", *text.span(node), str(not value)
        case ast.Constant(int() as value):
            yield "constant", *text.span(node), str(value + 1)
        case ast.Constant(float() as value):
            yield "constant", *text.span(node), str(2 * value if value else 1.0)
        case ast.Slice():
            yield from _slice(node, text)
        case ast.Call():
            yield from _call(node, text)
        case ast.Return(ast.Tuple([first, second, *_])) | ast.Expr(
            ast.Yield(ast.Tuple([first, second, *_]))
        ):
            yield _swap("order of what is returned", first, second, text)
        case ast.Expr(ast.Call()) | ast.Raise() | ast.Break() | ast.Continue():
            yield "statement dropped", *text.span(node), "pass"
        case ast.Assign([ast.Subscript() | ast.Attribute()]):
            yield "statement dropped", *text.span(node), "pass"
        case ast.Assign([ast.Name(name)], value) if _uses(value, name):
            yield "statement dropped", *text.span(node), "pass"
        case ast.If(test) | ast.While(test) | ast.IfExp(test):
            yield "condition", *text.span(test), f"not ({text.of(test)})"


def _between(left: ast.AST, right: ast.AST, op: ast.AST, text: Text) -> Iterator[Edit]:
    start, end = text.span(left)[1], text.span(right)[0]
    if (signs := SIGNS.get(type(op))) and signs[0] in text.source[start:end]:
        at = start + text.source[start:end].index(signs[0])
        yield "operator", at, at + len(signs[0]), signs[1]


def _slice(node: ast.Slice, text: Text) -> Iterator[Edit]:
    for bound in (node.lower, node.upper):
        if bound is not None:
            yield "slice", *text.span(bound), ""


def _call(node: ast.Call, text: Text) -> Iterator[Edit]:
    start, end = text.span(node)
    name = node.func.attr if isinstance(node.func, ast.Attribute) else text.of(node.func)
    if name in HARMLESS:
        return
    function, arguments = text.of(node.func), [text.of(one) for one in node.args]
    named = [text.of(one) for one in node.keywords]

    def rebuilt(*parts: str) -> str:
        return f"{function}({', '.join(parts)})"

    plain = not any(isinstance(one, ast.Starred) for one in node.args)
    if isinstance(node.func, ast.Attribute) and not isinstance(node.func.value, ast.Name):
        yield "call dropped", start, end, text.of(node.func.value)
    if isinstance(node.func, ast.Attribute) and not node.args:
        yield "call dropped", start, end, text.of(node.func.value)
    if plain and len(arguments) == 1:
        yield "call dropped", start, end, f"({arguments[0]})"
    if plain and len(arguments) > 1:
        yield _swap("arguments swapped", node.args[0], node.args[1], text)
    for left_out in range(len(named)):
        rest = named[:left_out] + named[left_out + 1 :]
        yield "argument dropped", start, end, rebuilt(*arguments, *rest)
    if name in NAMES:
        beyond = text.span(node.func)[1]
        yield "function", beyond - len(name), beyond, NAMES[name]


def _swap(kind: str, first: ast.AST, second: ast.AST, text: Text) -> Edit:
    (start, middle), (resume, end) = text.span(first), text.span(second)
    return kind, start, end, text.of(second) + text.source[middle:resume] + text.of(first)


def _uses(value: ast.AST, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(value))


def _change(before: str, after: str) -> Change:
    """Return the lines that differ, in one piece."""
    one, other = before.split("\n"), after.split("\n")
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    gaps = [(a.a + a.size, b.a, a.b + a.size, b.b) for a, b in pairwise(blocks)]
    if blocks[0].a or blocks[0].b:
        gaps.insert(0, (0, blocks[0].a, 0, blocks[0].b))
    gaps = [gap for gap in gaps if gap[0] < gap[1] or gap[2] < gap[3]]
    return Change(tuple(one[gaps[0][0] : gaps[-1][1]]), tuple(other[gaps[0][2] : gaps[-1][3]]))


def equivalents(folder: Path) -> dict[tuple[str, Change], str]:
    """Read which changes do no harm, and why, from an assignment's folder.

    Raises MistakesUnreadable.
    """
    file, found, cell = folder / "checks" / EQUIVALENT, {}, ""
    for number, paragraph in paragraphs(file):
        if paragraph[0].startswith("@@ "):
            cell, paragraph = paragraph[0][3:].split(" ")[0], paragraph[1:]
        reason = [line for line in paragraph if line[0] not in "-+"]
        lines = paragraph[len(reason) :]
        if not paragraph:
            continue
        if not cell or not reason or not lines or any(line[0] not in "-+" for line in lines):
            raise MistakesUnreadable(
                f"{folder.name}/checks/{EQUIVALENT}, line {number}: an equivalent change comes "
                "below a line `@@ cell` and has a reason, and then its lines with - and +."
            )
        change, *more = changes(lines)
        if more:
            raise MistakesUnreadable(
                f"{folder.name}/checks/{EQUIVALENT}, line {number}: two changes are in one "
                "paragraph; put an empty line between them, and a reason above each."
            )
        found[cell, change] = " ".join(map(str.strip, reason))
    return found


def try_all(
    folders: AssignmentFolders, seed: int = 0, limit: int | None = None, workers: int | None = None
) -> Iterator[Tried]:
    """Run mutants of an assignment, all or so many drawn by a seed; yield each with its verdicts.

    Raises CourseError, CasesNotFound, MistakesUnreadable.
    """
    notebook, references = proofread(folders), cases.load_references(folders.source)
    right, handed_in = equivalents(folders.source), artifacts(folders.source)
    chosen = list(mutants_of(notebook))
    for cell, change in right.keys() - {(mutant.cell, mutant.change) for mutant in chosen}:
        raise MistakesUnreadable(
            f"{folders.name}/checks/{EQUIVALENT}: no mutant of {cell} has the line "
            f"`{''.join(change.after[:1]).strip()}`; the solution has changed, so delete the mark."
        )
    Random(seed).shuffle(chosen)
    config = worker_config(folders.course.config)
    config.Execute.timeout = min(SECONDS, config.Execute.get("timeout", SECONDS))
    chosen = chosen[:limit]
    reached = {cell: only_checks_that_use(notebook, cell) for cell in {m.cell for m in chosen}}
    challenges = {cell: _challenge(nb, references) for cell, nb in reached.items()}

    def run(mutant: Mutant) -> Tried:
        asked = challenges[mutant.cell]
        nb = with_cells(reached[mutant.cell], {mutant.cell: mutant.source})
        outcomes = outcomes_of(nb, cases.challenge(asked), config, handed_in)
        verdicts = {name: judge(check, outcomes.get(name, {})) for name, check in asked.items()}
        return Tried(mutant, verdicts, right.get((mutant.cell, mutant.change), ""))

    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        yield from pool.map(run, (m for m in chosen if challenges[m.cell]))


def _challenge(
    notebook: NotebookNode, references: Mapping[str, RecordedCheck]
) -> dict[str, RecordedCheck]:
    """Return the checks that are left in a notebook, which a change can reach."""
    names = {grade_id(cell) for cell in notebook.cells if is_autograded(cell)}
    return {name: check for name, check in references.items() if name in names}


def report(assignment: str, tried: Sequence[Tried]) -> Iterator[str]:
    """Yield what an author wants to know: what survived, and which hints were told of what."""
    survivors = [one for one in tried if one.survived]
    unmarked = [one for one in survivors if not one.equivalent]
    yield (
        f"{assignment}: of {len(tried)} mutants {len(tried) - len(survivors)} lose points, "
        f"{len(survivors) - len(unmarked)} are marked as equivalent, {len(unmarked)} survive."
    )
    yield from ("", *(f"{one.mutant}\n" for one in _sorted(unmarked)))
    for one in _sorted(one for one in tried if one.equivalent and not one.survived):
        yield f"marked as equivalent, and yet it loses points:\n{one.mutant}\n"
    told: dict[tuple[str, str, str], dict[Mutant, Tried]] = defaultdict(dict)
    for one in tried:
        for verdict in one.verdicts.values():
            if verdict.mistake:
                surely = "told" if verdict.certain else "told (may be)"
                told[verdict.mistake, verdict.hint, surely][one.mutant] = one
    for (mistake, hint, surely), those in sorted(told.items()):
        yield f"{surely} of {mistake}, {len(those)} times: {hint}"
        yield from (f"{one.mutant}\n" for one in _sorted(those.values()))


def _sorted(tried: Iterable[Tried]) -> list[Tried]:
    return sorted(tried, key=lambda one: str(one.mutant))
