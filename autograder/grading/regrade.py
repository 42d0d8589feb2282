"""Judge a class again, from the evidence that was kept: nothing runs."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context

import torch
from nbformat import NotebookNode

from autograder.grading import kept, notebooks
from autograder.grading.course import AssignmentFolders
from autograder.grading.gradebook import auto_scores, open_writer, patiently, set_maxima
from autograder.grading.journal import Journal
from autograder.grading.late import set_due_date
from autograder.grading.pipeline import judge_and_process, save, writable
from autograder.grading.prepare import Assignment, load_assignment
from autograder.sandbox.client import CAN_FORK

AT_ONCE = 8  # submissions that go to a process together


@dataclass(frozen=True)
class Regraded:
    """A submission that was judged again: the points of the checks that changed, before and after.

    `other` are checks whose reason or hint changed; `why_not` says why it was not judged.
    """

    student: str
    points: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    other: Sequence[str] = ()
    why_not: str = ""


@dataclass(frozen=True)
class _New:
    """A notebook that was judged again, and what is to be kept of it."""

    evidence: kept.Evidence
    notebook: bytes


@dataclass(frozen=True)
class _Judged:
    """What a process found: checks with another verdict, and the judged notebooks if any has."""

    student: str
    changed: Sequence[str] = ()
    notebooks: Mapping[str, "_New"] = field(default_factory=dict)
    why_not: str = ""


def regrade(
    folders: AssignmentFolders,
    students: Sequence[str] = (),
    workers: int | None = None,
    dry_run: bool = False,
) -> Iterator[Regraded]:
    """Judge the graded submissions of an assignment again, all or those of some students.

    Yields each. Without `dry_run`, those that changed are written to the gradebook and to
    `autograded/`. Marks by hand stay. Raises CourseError, CasesNotFound.
    """
    assignment = patiently(lambda: load_assignment(folders))
    before = patiently(lambda: auto_scores(folders))
    students = [one for one in before if not students or one in students]
    if not dry_run:
        patiently(lambda: set_maxima(folders, assignment.rules))
        patiently(lambda: set_due_date(folders))
    journal = Journal(folders)
    with open_writer(folders) as writer:
        for judged in _judge_all(assignment, students, workers):
            if judged.why_not:
                yield Regraded(judged.student, why_not=judged.why_not)
                continue
            found = {n: notebooks.from_bytes(new.notebook) for n, new in judged.notebooks.items()}
            if not dry_run:
                with writable(folders.course):
                    if found:
                        save(assignment, judged.student, found, writer)
                        for name, new in judged.notebooks.items():
                            kept.write(assignment.evidence(judged.student, name), new.evidence)
                    else:
                        writer.assign_late_penalties(judged.student)
                    journal.judged_again(judged.student, assignment.answers)
            yield _compared(judged, found, before[judged.student])


def _compared(
    judged: _Judged, found: Mapping[str, NotebookNode], before: Mapping[str, float]
) -> Regraded:
    now = {
        notebooks.grade_id(cell): float(cell.outputs[0].data["text/plain"])
        for nb in found.values()
        for cell in nb.cells
        if notebooks.is_autograded(cell)
    }
    points = {
        name: (before.get(name, 0.0), value)
        for name, value in now.items()
        if value != before.get(name, 0.0)
    }
    return Regraded(judged.student, points, [n for n in judged.changed if n not in points])


_assignment: Assignment  # for the processes that are forked from this one


def _judge_all(
    assignment: Assignment, students: Sequence[str], workers: int | None
) -> Iterator[_Judged]:
    global _assignment
    _assignment, _ = assignment, assignment.digests  # which is computed once, here
    if not CAN_FORK or workers == 1 or len(students) < 2 * AT_ONCE:
        yield from map(_judge, students)
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # before a process is forked: its threads would not be there
    try:
        with ProcessPoolExecutor(workers, get_context("fork")) as pool:
            yield from pool.map(_judge, students, chunksize=AT_ONCE)
    finally:
        torch.set_num_threads(threads)


def _judge(student: str) -> _Judged:
    """Judge one submission again: only what is judged by something else now."""
    changed, found, (asked, by) = [], {}, _assignment.digests
    for name in _assignment.notebooks:
        path = _assignment.evidence(student, name)
        if (before := kept.read(path)) is None:
            return _Judged(student, why_not="its evidence was not kept")
        if different := [check for check in asked if before.asked.get(check) != asked[check]]:
            return _Judged(student, why_not=f"{different[0]} asks for something else now")
        same = [check for check in by if before.by.get(check) == by[check]]
        nb = notebooks.from_bytes(before.notebook)
        known = {check: before.verdicts[check] for check in same if check in before.verdicts}
        verdicts = judge_and_process(nb, _assignment, known)
        now = kept.shown(nb)
        changed += [check for check in now if now[check] != before.shown.get(check)]
        found[name] = replace(before, by=by, verdicts=verdicts, shown=now), nb
    if not changed:
        return _Judged(student)
    return _Judged(student, changed, {
        name: _New(evidence, notebooks.to_bytes(nb)) for name, (evidence, nb) in found.items()
    })  # fmt: skip
