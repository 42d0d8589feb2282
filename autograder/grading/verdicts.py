"""Verdicts on the evidence in the cells of a notebook that was run.

A verdict replaces all that a cell shows, so that nothing a cell printed, raised or returned
decides its points.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from nbformat import NotebookNode

from autograder.grading.names import taken
from autograder.grading.notebooks import NOTES, VERDICT_MIME, grade_id, is_autograded, node
from autograder.notebook import evidence, table
from autograder.notebook.cases import CasesNotFound, RecordedCheck
from autograder.notebook.judge import Verdict, judge, no_evidence


def judge_notebook(nb: NotebookNode, reference: Mapping[str, RecordedCheck]) -> None:
    """Judge every autograded cell of a notebook in place. Raises CasesNotFound."""
    trouble, unreadable = "", nb.metadata.get(NOTES, {}).get("unreadable", "")
    for number, cell in enumerate(nb.cells, start=1):
        if is_autograded(cell) and unreadable:
            give(cell, no_evidence(_check(cell, reference), unreadable))
        elif is_autograded(cell):
            judge_cell(cell, reference, trouble, lambda at=number - 1: taken(nb.cells, at))
        elif cell.cell_type == "code" and not trouble and (error := error_of(cell)):
            trouble = f"earlier, cell {number} ({grade_id(cell) or 'your own'}) raised {error}"


def judge_cell(
    cell: NotebookNode,
    reference: Mapping[str, RecordedCheck],
    trouble: str = "",
    names: Callable[[], str] = str,
) -> Verdict:
    """Judge one cell in place.

    For the reason of lost points, `trouble` is what went wrong before, and `names` says which
    name was taken.

    Raises CasesNotFound if the cell's check has no reference tensors.
    """
    verdict = _verdict(cell, _check(cell, reference))
    if trouble and ("left no evidence" in verdict.reason or "raised" in verdict.reason):
        verdict = replace(verdict, reason=f"{verdict.reason}; {trouble}")
    if verdict.fraction < 1 and (name := names()):
        verdict = replace(verdict, reason=f"{verdict.reason}; {name}")
    give(cell, verdict)
    return verdict


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
    """Build the one output of a judged cell: points for nbgrader, a table for people."""
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
