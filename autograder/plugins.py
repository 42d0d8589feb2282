"""What makes nbgrader a judge's court: preprocessors, and where they stand.

`configure` is called from `nbgrader_config.py`. The judge stands between execution and
`SaveAutoGrades`: it replaces the outputs of every autograded cell by its verdict, so
that nothing a cell printed, raised or returned decides its points.
"""

from dataclasses import asdict, replace
from typing import Any

from nbconvert.preprocessors import ClearMetadataPreprocessor, CSSHTMLHeaderPreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader import preprocessors as nbgrader
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution
from traitlets.config import Config

from autograder import cases, evidence, table
from autograder.cases import RecordedCheck
from autograder.judge import Verdict, judge, no_evidence
from autograder.run import Execute
from autograder.solutions import grade_id

VERDICT_MIME = "application/vnd.gradient-check.verdict+json"


class Judge(NbGraderPreprocessor):
    """Replace the outputs of each autograded cell by the verdict on its evidence."""

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Judge a notebook that `Execute` has run. Raises CasesNotFound."""
        reference = cases.load_reference(resources["nbgrader"]["assignment"])
        trouble = ""
        for number, cell in enumerate(nb.cells, start=1):
            if is_autograded(cell):
                judge_cell(cell, reference, trouble)
            elif cell.cell_type == "code" and not trouble and (error := _error(cell)):
                trouble = f"cell {number} ({grade_id(cell) or 'your own'}) raised {error}"
        return nb, resources


def judge_cell(
    cell: NotebookNode, reference: dict[str, RecordedCheck], trouble: str = ""
) -> Verdict:
    """Judge one cell in place. `trouble` is an error in an earlier cell, for the reason why.

    Raises CasesNotFound if the cell's check has no reference tensors.
    """
    name = grade_id(cell)
    if name not in reference:
        raise cases.CasesNotFound(
            f"cell {name}: this check has no reference tensors; "
            "record them with `autograder reference`."
        )
    verdict = _verdict(cell, reference[name])
    if trouble and ("left no evidence" in verdict.reason or "raised" in verdict.reason):
        verdict = replace(verdict, reason=f"{verdict.reason}; earlier, {trouble}")
    cell.outputs = [verdict_output(verdict, float(cell.metadata.nbgrader.points))]
    return verdict


def verdict_output(verdict: Verdict, maximum: float) -> NotebookNode:
    """Build the one output of a judged cell: points for nbgrader, a table for people."""
    points = verdict.points(maximum)
    heading = f"{verdict.check}: {points:g} of {maximum:g} points"
    data = {
        "text/plain": f"{points:g}",  # nbgrader reads a cell's result as partial credit
        "text/html": table.html(verdict, heading),
        VERDICT_MIME: {**asdict(verdict), "points": points, "maximum": maximum},
    }
    return new_output("execute_result", data=data, execution_count=None)


def is_autograded(cell: NotebookNode) -> bool:
    """Say whether a judge gives this cell its points, and not a person."""
    return cell.cell_type == "code" and is_grade(cell) and not is_solution(cell)


def _verdict(cell: NotebookNode, check: RecordedCheck) -> Verdict:
    recorded = evidence.in_cell(cell)
    if not recorded:
        error = _error(cell)
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


def _error(cell: NotebookNode) -> str:
    """Return the error that ended a cell in one line, or an empty string."""
    for output in cell.outputs:
        if output.output_type == "error" and output.ename != "NotJudged":
            return evidence.clip(f"{output.ename}: {output.evalue}".rstrip(": "))
    return ""


def configure(c: Config) -> None:
    """Put the judge into nbgrader's configuration `c`."""
    c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
    c.OverwriteCells.add_missing_cells = True
    c.Autograde.autograde_preprocessors = [
        Execute,
        Judge,
        nbgrader.IgnorePattern,
        ClearMetadataPreprocessor,
        nbgrader.LimitOutput,
        nbgrader.SaveAutoGrades,
        nbgrader.AssignLatePenalties,
        nbgrader.CheckCellMetadata,
    ]
    # nbgrader's feedback shows the source of hidden tests; ours does not.
    c.GenerateFeedback.preprocessors = [
        nbgrader.GetGrades,
        nbgrader.ClearHiddenTests,
        CSSHTMLHeaderPreprocessor,
    ]
