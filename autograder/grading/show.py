"""One check of one student, for the instructor's eyes: what was asked, found and expected."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import torch
from nbformat import NotebookNode

from autograder.grading import kept, notebooks
from autograder.grading.course import AssignmentFolders, CourseError
from autograder.grading.exercises import exercises
from autograder.grading.notebooks import grade_id
from autograder.grading.prepare import Assignment, load_assignment
from autograder.notebook import evidence
from autograder.notebook.cases import Case, RecordedCheck
from autograder.notebook.evidence import Leaf, Outcome
from autograder.notebook.judge import CaseVerdict, Verdict
from autograder.notebook.stubs import Stub

MOST = 3  # failed cases that are shown
INDENT = "    "


def show(folders: AssignmentFolders, student: str, check: str) -> str:
    """Return what was asked in a check, what a student's code made of it, and that code.

    Raises CourseError, CasesNotFound.
    """
    assignment = load_assignment(folders)
    if check not in assignment.references:
        alike = get_close_matches(check, assignment.references, 1)
        meant = f"did you mean {alike[0]}?" if alike else (
            f"there are {', '.join(assignment.references)}."
        )  # fmt: skip
        raise CourseError(f"{folders.name} has no check {check}; {meant}")
    for name in assignment.notebooks:
        found = kept.read(assignment.evidence(student, name))
        if found and check in found.verdicts:
            nb = notebooks.from_bytes(found.notebook)
            return "\n".join(_lines(assignment, student, check, nb, found.verdicts[check]))
    raise CourseError(
        f"{student}: no evidence of {check} was kept; run `autograder grade {folders.name} "
        f"--student {student}`."
    )


def _lines(
    assignment: Assignment, student: str, check: str, nb: NotebookNode, verdict: Verdict
) -> Iterator[str]:
    recorded = assignment.references[check]
    maximum = assignment.rules.points[check]
    yield f"{student}, {assignment.folders.name}, {check} ({recorded.title})"
    yield f"{verdict.points(maximum):g} of {maximum:g} points: {verdict.reason}"
    if verdict.hint:
        sure = "looks like" if verdict.certain else "may be"
        yield f"{sure} {verdict.mistake}: {verdict.hint}"
    cell = next(cell for cell in nb.cells if grade_id(cell) == check)
    outcomes = _outcomes(cell)
    failed = [case for case in verdict.cases if not case.passed]
    passed = len(verdict.cases) - len(failed)
    if verdict.cases:
        yield f"{passed} of {len(verdict.cases)} hidden cases passed"
    by_name = {case.name: case for case in recorded.cases}
    for case in failed[:MOST]:
        yield ""
        yield from _case(recorded, by_name[case.name], case, outcomes.get(case.name))
    if len(failed) > MOST:
        yield f"\n… and {len(failed) - MOST} more"
    yield from _code(nb, check)


def _case(
    check: RecordedCheck, case: Case, verdict: CaseVerdict, outcome: Outcome | None
) -> Iterator[str]:
    yield f"{case.name}: {case.about}. {verdict.reason}"
    for name, value in case.inputs.items():
        yield f"  asked     {name} = {_value(value)}"
    if outcome is None:
        yield "  found     nothing"
        return
    if outcome.raised:
        yield f"  found     it raised {outcome.raised}"
    if outcome.modified:
        yield f"  changed   {', '.join(outcome.modified)}"
    for name in check.records:
        if not outcome.raised:
            yield f"  found     {name} = {_leaf(outcome.leaves.get(name))}"
        if case.expected:
            yield f"  expected  {name} = {_leaf(case.expected.leaves.get(name))}"


def _outcomes(cell: NotebookNode) -> Mapping[str, Outcome]:
    try:
        (output,) = evidence.in_cell(cell)
        return evidence.from_output(output)[1]
    except (ValueError, evidence.MalformedEvidence):
        return {}


def _code(nb: NotebookNode, check: str) -> Iterator[str]:
    """Yield the cell of the exercise that a check belongs to."""
    exercise = exercises(nb).get(check, "")
    for number, cell in enumerate(nb.cells, start=1):
        if exercise and grade_id(cell) == exercise:
            yield f"\ncell {number}, {exercise}:\n"
            yield from (INDENT + line for line in cell.source.splitlines())


def _leaf(leaf: Leaf | None) -> str:
    if leaf is None:
        return "nothing"
    return _value(leaf.tensor) if leaf.tensor is not None else leaf.text


def _value(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"{_numbers(value)}  ({dtype}, shape {tuple(value.shape)})"
    if isinstance(value, Stub):
        return f"the given function {value.name}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_value(one)}" for key, one in value.items()) + "}"
    return repr(value)


def _numbers(tensor: torch.Tensor) -> str:
    """Write a tensor in one line, its middle left out if it is long."""
    flat = tensor.flatten().tolist()
    shown = [f"{x:.7g}" if isinstance(x, float) else str(x) for x in flat[:6]]
    if len(flat) > 6:
        shown += ["…", *(f"{x:.7g}" if isinstance(x, float) else str(x) for x in flat[-2:])]
    return "[" + ", ".join(shown) + "]" if tensor.dim() else shown[0]
