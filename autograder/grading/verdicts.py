"""Verdicts on the evidence in the cells of a notebook that was run.

A verdict replaces all that a cell shows, so that nothing a cell printed, raised or returned
decides its points.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from nbformat import NotebookNode

from autograder.grading.names import asked, taken
from autograder.grading.notebooks import NOTES, VERDICT_MIME, grade_id, is_autograded, node
from autograder.grading.rules import NO_RULES, Rules
from autograder.notebook import evidence, table
from autograder.notebook.cases import CasesNotFound, RecordedCheck
from autograder.notebook.judge import Verdict, judge, no_evidence


def judge_notebook(
    nb: NotebookNode,
    reference: Mapping[str, RecordedCheck],
    rules: Rules = NO_RULES,
    known: Mapping[str, Verdict] = MappingProxyType({}),
) -> dict[str, Verdict]:
    """Judge every autograded cell of a notebook in place. Raises CasesNotFound.

    Returns the verdicts by check, of its evidence alone: without what other cells and rules add.
    Those that are `known` from before are taken as they are.
    """
    trouble, unreadable = "", nb.metadata.get(NOTES, {}).get("unreadable", "")
    found: dict[str, Verdict] = {}
    lost: dict[str, str] = {}  # the first check that an answer lost points in
    for number, cell in enumerate(nb.cells, start=1):
        if is_autograded(cell):
            name, check = grade_id(cell), _check(cell, reference)
            if unreadable:
                found[name] = no_evidence(check, unreadable)
                give(cell, found[name], rules)
                continue
            found[name] = known.get(name) or _verdict(cell, check)
            elsewhere = partial(_elsewhere, nb.cells, number - 1, lost)
            give(cell, _explained(found[name], trouble, elsewhere), rules)
        elif cell.cell_type == "code" and not trouble and (error := error_of(cell)):
            trouble = f"earlier, cell {number} ({grade_id(cell) or 'your own'}) raised {error}"
    return found


def judge_cell(cell: NotebookNode, reference: Mapping[str, RecordedCheck]) -> Verdict:
    """Judge one cell in place, by its evidence alone.

    Raises CasesNotFound if the cell's check has no reference tensors.
    """
    verdict = _verdict(cell, _check(cell, reference))
    give(cell, verdict)
    return verdict


def _explained(verdict: Verdict, trouble: str, elsewhere: Callable[[Verdict], str]) -> Verdict:
    """Add to the reason of lost points what went wrong before, or by which other cell."""
    if trouble and ("left no evidence" in verdict.reason or "raised" in verdict.reason):
        verdict = replace(verdict, reason=f"{verdict.reason}; {trouble}")
    if verdict.fraction < 1 and (cause := elsewhere(verdict)):
        verdict = replace(verdict, reason=f"{verdict.reason}; {cause}")
    return verdict


def _elsewhere(
    cells: Sequence[NotebookNode], check: int, lost: dict[str, str], verdict: Verdict
) -> str:
    """Say which other cell may have cost a check its points, and note which answers lost some."""
    called, below = asked(cells, check)
    begin = next((name for name in lost if name in below), "")
    for name in called:
        lost.setdefault(name, verdict.check)
    if cause := taken(cells, check):
        return cause
    if not begin or (verdict.hint and verdict.certain):
        return ""
    return f"this uses {begin}, which lost points in {lost[begin]}: begin there"


def give(cell: NotebookNode, verdict: Verdict, rules: Rules = NO_RULES) -> None:
    """Let a verdict, with the rule of its check, be all that a cell shows."""
    worth = rules.worth(verdict.check, float(cell.metadata.nbgrader.points))
    cell.metadata.nbgrader.points = worth
    cell.outputs = [verdict_output(rules.applied(verdict), worth)]


def _check(cell: NotebookNode, reference: Mapping[str, RecordedCheck]) -> RecordedCheck:
    if grade_id(cell) not in reference:
        raise CasesNotFound(
            f"cell {grade_id(cell)}: this check has no reference tensors; "
            "record them with `autograder reference`."
        )
    return reference[grade_id(cell)]


def verdict_output(verdict: Verdict, maximum: float) -> NotebookNode:
    """Build the one output of a judged cell: points for nbgrader, a table for a reader."""
    points = verdict.points(maximum)
    heading = f"{verdict.check}: {points:g} of {maximum:g} points"
    data = {
        "text/plain": f"{points:g}",  # nbgrader reads a cell's result as partial credit
        "text/html": table.html(verdict, heading),
        VERDICT_MIME: {
            **vars(verdict),
            "cases": [dict(vars(case)) for case in verdict.cases],
            "points": points,
            "maximum": maximum,
        },
    }
    output = {"output_type": "execute_result", "execution_count": None, "metadata": {}}
    return node({**output, "data": data})


def _verdict(cell: NotebookNode, check: RecordedCheck) -> Verdict:
    recorded = evidence.in_cell(cell)
    if not recorded:
        error = error_of(cell)
        return no_evidence(
            check, f"this cell raised {error}" if error else "this cell left no evidence"
        )
    if len(recorded) > 1:
        return no_evidence(check, f"this cell recorded evidence {len(recorded)} times, not once")
    try:
        name, outcomes = evidence.from_output(recorded[0])
    except evidence.MalformedEvidence as error:
        return no_evidence(check, str(error))
    if name != check.name:
        return no_evidence(check, "the evidence in this cell belongs to another check")
    try:
        return judge(check, outcomes)
    except Exception as error:  # evidence is untrusted: whatever it does, grading goes on
        return no_evidence(check, evidence.clip(f"the evidence cannot be judged: {error!r}"))


def error_of(cell: NotebookNode) -> str:
    """Return the error that ended a cell in one line, or an empty string."""
    for output in reversed(cell.outputs):
        if output.output_type == "error" and output.ename != "NotJudged":
            return evidence.clip(f"{output.ename}: {output.evalue}".rstrip(": "))
    return ""
