"""What makes nbgrader a judge's court: preprocessors, and where they stand.

`configure` is called from `nbgrader_config.py`. The judge stands between execution and
`SaveAutoGrades`: it replaces the outputs of every autograded cell by its verdict, so
that nothing a cell printed, raised or returned decides its points.
"""

import glob
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nbconvert.exporters import NotebookExporter
from nbconvert.preprocessors import ClearMetadataPreprocessor, CSSHTMLHeaderPreprocessor
from nbformat import NotebookNode, from_dict
from nbgrader import preprocessors as nbgrader
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution
from traitlets.config import Config

from autograder import cases, evidence, table
from autograder.cases import RecordedCheck
from autograder.harmless import Harmless
from autograder.judge import Verdict, judge, no_evidence
from autograder.prepare import read_submission, released_notebook
from autograder.run import NOTES, Execute
from autograder.solutions import grade_id

VERDICT_MIME = "application/vnd.gradient-check.verdict+json"


class Judge(NbGraderPreprocessor):
    """Replace the outputs of each autograded cell by the verdict on its evidence."""

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Judge a notebook that `Execute` has run. Raises CasesNotFound."""
        judge_notebook(nb, cases.load_reference(resources["nbgrader"]["assignment"]))
        return nb, resources


def judge_notebook(nb: NotebookNode, reference: dict[str, RecordedCheck]) -> None:
    """Judge every autograded cell of a notebook in place. Raises CasesNotFound."""
    trouble, unreadable = "", nb.metadata.get(NOTES, {}).get("unreadable", "")
    for number, cell in enumerate(nb.cells, start=1):
        if is_autograded(cell) and unreadable:
            give(cell, no_evidence(_check(cell, reference), unreadable))
        elif is_autograded(cell):
            judge_cell(cell, reference, trouble)
        elif cell.cell_type == "code" and not trouble and (error := _error(cell)):
            trouble = f"earlier, cell {number} ({grade_id(cell) or 'your own'}) raised {error}"


def judge_cell(
    cell: NotebookNode, reference: dict[str, RecordedCheck], trouble: str = ""
) -> Verdict:
    """Judge one cell in place. `trouble` is what went wrong before, for the reason why.

    Raises CasesNotFound if the cell's check has no reference tensors.
    """
    verdict = _verdict(cell, _check(cell, reference))
    if trouble and ("left no evidence" in verdict.reason or "raised" in verdict.reason):
        verdict = replace(verdict, reason=f"{verdict.reason}; {trouble}")
    give(cell, verdict)
    return verdict


def give(cell: NotebookNode, verdict: Verdict) -> None:
    """Let a verdict be all that a cell shows."""
    cell.outputs = [verdict_output(verdict, float(cell.metadata.nbgrader.points))]


def _check(cell: NotebookNode, reference: dict[str, RecordedCheck]) -> RecordedCheck:
    if grade_id(cell) not in reference:
        raise cases.CasesNotFound(
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
        VERDICT_MIME: {**asdict(verdict), "points": points, "maximum": maximum},
    }
    output = {"output_type": "execute_result", "execution_count": None, "metadata": {}}
    return from_dict({**output, "data": data})


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
    for output in reversed(cell.outputs):
        if output.output_type == "error" and output.ename != "NotJudged":
            return evidence.clip(f"{output.ename}: {output.evalue}".rstrip(": "))
    return ""


class RepairingExporter(NotebookExporter):
    """Reads a submission through `autograder.repair` when nbgrader autogrades it."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        """Keep nbgrader from copying what links beside a notebook point to."""
        super().__init__(*arguments, **keywords)
        coursedir = self.parent.coursedir
        found = (path for folder in self.parent.assignments for path in Path(folder).rglob("*"))
        special = (p for p in found if p.is_symlink() or not (p.is_file() or p.is_dir()))
        coursedir.ignore = [*coursedir.ignore, *(glob.escape(str(path)) for path in special)]

    def from_filename(
        self, filename: str, resources: dict[str, Any] | None = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        """Read and process a notebook; one that was handed in is repaired first."""
        if not self.parent._sanitizing:
            return super().from_filename(filename, resources, **kwargs)
        path, coursedir = Path(filename), self.parent.coursedir
        assignment = resources["nbgrader"]["assignment"]
        release = coursedir.format_path(coursedir.release_directory, ".", assignment)
        released = released_notebook(Path(release) / path.name)
        repaired, _ = read_submission(path.parent, path.stem, released)
        return super().from_notebook_node(repaired.notebook, resources, **kwargs)


def configure(c: Config) -> None:
    """Put the judge into nbgrader's configuration `c`."""

    def expect_notebooks(assignment: str, student: str, notebooks: list[str]) -> None:
        """Let nbgrader ask for the released notebooks, whatever the submitted ones are called."""
        release = Path(c.CourseDirectory.get("release_directory", "release"), assignment)
        submitted = Path(notebooks[0]).parent
        expected = [str(submitted / path.name) for path in sorted(release.glob("*.ipynb"))]
        notebooks[:] = expected or notebooks

    c.Autograde.pre_convert_hook = expect_notebooks
    c.Autograde.exporter_class = RepairingExporter
    c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
    c.OverwriteCells.add_missing_cells = True
    # What else nbgrader does before and after is done by repair: no outputs, one cell an id,
    # the released kernel and metadata.
    c.Autograde.sanitize_preprocessors = [nbgrader.OverwriteCells]
    c.Autograde.autograde_preprocessors = [
        Execute,
        Judge,
        nbgrader.IgnorePattern,
        ClearMetadataPreprocessor,
        nbgrader.LimitOutput,
        nbgrader.SaveAutoGrades,
        nbgrader.AssignLatePenalties,
    ]
    c.HTMLExporter.preprocessors = [Harmless]  # of feedback and of the formgrader
    # nbgrader's feedback shows the source of hidden tests; ours does not.
    c.GenerateFeedback.preprocessors = [
        nbgrader.GetGrades,
        nbgrader.ClearHiddenTests,
        CSSHTMLHeaderPreprocessor,
    ]
