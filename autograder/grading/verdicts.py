"""Verdicts on the evidence in the cells of a notebook that was run.

A verdict replaces all that a cell shows, so that nothing a cell printed, raised or returned
decides its points.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from nbformat import NotebookNode

from autograder.grading.names import asked, taken
from autograder.grading.notebooks import NOTES, VERDICT_MIME, grade_id, is_autograded, node
from autograder.notebook import evidence, table
from autograder.notebook.cases import CasesNotFound, RecordedCheck
from autograder.notebook.judge import Verdict, judge, no_evidence


def judge_notebook(nb: NotebookNode, reference: Mapping[str, RecordedCheck]) -> None:
    """Judge every autograded cell of a notebook in place. Raises CasesNotFound."""
    trouble, unreadable = "", nb.metadata.get(NOTES, {}).get("unreadable", "")
    lost: dict[str, str] = {}  # the first check that an answer lost points in
    for number, cell in enumerate(nb.cells, start=1):
        if is_autograded(cell) and unreadable:
            give(cell, no_evidence(_check(cell, reference), unreadable))
        elif is_autograded(cell):
            judge_cell(cell, reference, trouble, partial(_elsewhere, nb.cells, number - 1, lost))
        elif cell.cell_type == "code" and not trouble and (error := error_of(cell)):
            trouble = f"earlier, cell {number} ({grade_id(cell) or 'your own'}) raised {error}"


def judge_cell(
    cell: NotebookNode,
    reference: Mapping[str, RecordedCheck],
    trouble: str = "",
    elsewhere: Callable[[Verdict], str] = lambda _: "",
) -> Verdict:
    """Judge one cell in place.

    For the reason of lost points, `trouble` is what went wrong before, and `elsewhere` says
    which other cell they may be lost by.

    Raises CasesNotFound if the cell's check has no reference tensors.
    """
    verdict = _verdict(cell, _check(cell, reference))
    if trouble and ("left no evidence" in verdict.reason or "raised" in verdict.reason):
        verdict = replace(verdict, reason=f"{verdict.reason}; {trouble}")
    if verdict.fraction < 1 and (cause := elsewhere(verdict)):
        verdict = replace(verdict, reason=f"{verdict.reason}; {cause}")
    give(cell, verdict)
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


def give(cell: NotebookNode, verdict: Verdict) -> None:
    """Let a verdict be all that a cell shows."""
    cell.outputs = [verdict_output(verdict, float(cell.metadata.nbgrader.points))]


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
