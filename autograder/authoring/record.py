"""Record reference tensors from the instructor's notebook, and distrust them.

The notebook runs on the cases exactly as a submission does. Each outcome is then compared with an
oracle that knows the answer another way. Every alternative solution must pass, every mistake must
fail, and so must a function that returns zeros. Only when all of it holds are the files written.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import torch
from nbformat import NotebookNode
from traitlets.config import Config

from autograder.authoring.checks import Assignment, Check, answer_of, load
from autograder.authoring.mistakes import Mistake
from autograder.authoring.proofread import proofread, unrecorded
from autograder.authoring.solutions import only_checks_that_use, with_functions, with_mistake
from autograder.errors import UserError
from autograder.grading.course import AssignmentFolders, CourseError
from autograder.grading.execute import run, worker_config
from autograder.grading.notebooks import grade_id
from autograder.grading.recorded import origins
from autograder.grading.verdicts import error_of
from autograder.notebook import cases, evidence
from autograder.notebook.cases import Case, KnownMistake, RecordedCheck
from autograder.notebook.evidence import Outcome
from autograder.notebook.judge import alike, judge

Outcomes = Mapping[str, Mapping[str, Outcome]]  # by check, by case
# criteria by which two outcomes of one mistake are the same
EXACT = "close", "accuracy", "macro_f1"


class RecordingRefused(UserError):
    """References were not written; the message says why, a line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(("nothing was written.", *problems)))


@dataclass(frozen=True)
class Recording:
    """What was recorded for an assignment: the public checks and the hidden ones, and from what."""

    public: dict[str, RecordedCheck]
    hidden: dict[str, RecordedCheck]
    origins: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> list[Path]:
        """Write both files into an assignment's folder, or none. Returns their paths.

        Raises CourseError.
        """
        contents = {
            folder / cases.PUBLIC: cases.to_bytes(self.public),
            folder / cases.REFERENCES: cases.to_bytes(self.hidden, self.origins),
        }
        beside = {path: path.with_name(f".{path.name}.new") for path in contents}
        try:
            for path, content in contents.items():
                beside[path].write_bytes(content)
        except OSError as error:
            for path in beside.values():
                path.unlink(missing_ok=True)
            raise CourseError(
                f"{folder.name}/{cases.REFERENCES}: {error.strerror}; nothing was overwritten."
            ) from error
        for path in contents:
            beside[path].rename(path)
        return list(contents)


def record(
    folders: AssignmentFolders, seed: int = 0, workers: int | None = None, real: bool = False
) -> Recording:
    """Record the references of an assignment.

    Raises RecordingRefused if the notebook and an oracle disagree, an alternative
    solution fails, or a mistake passes; NoChecks if it has none; with `real`,
    NoRealData or DataNotFound.
    """
    notebook = proofread(folders)
    assignment = load(folders.source, seed, real)
    before = origins(folders.source, notebook)
    recording = record_assignment(assignment, notebook, workers, folders.course.config)
    return replace(recording, origins=before)


def record_assignment(
    assignment: Assignment,
    notebook: NotebookNode,
    workers: int | None = None,
    config: Config | None = None,
) -> Recording:
    """Record an assignment whose solutions are in `notebook`. Raises RecordingRefused."""
    config = worker_config(config or Config())
    confirmed = confirm(assignment, notebook, config)
    challenge = cases.challenge(confirmed)
    others = {path.name: with_functions(notebook, path) for path in assignment.alternatives}
    checked = {m.cell: only_checks_that_use(notebook, m.cell) for m in assignment.mistakes}
    others |= {m.name: with_mistake(checked[m.cell], m) for m in assignment.mistakes}
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        futures = {
            name: pool.submit(recorded_by, nb, challenge, config, assignment.artifacts)
            for name, nb in others.items()
        }
        outcomes = {name: read_outcomes(future.result()) for name, future in futures.items()}
    problems = list(trivial_passes(confirmed))
    for path in assignment.alternatives:
        problems += refused(path.name, confirmed, outcomes[path.name])
    public, hidden = (
        {name: part(check, assignment, outcomes, public=which) for name, check in confirmed.items()}
        for which in (True, False)
    )
    for mistake in assignment.mistakes:
        passed = list(survived(mistake, confirmed, outcomes[mistake.name]))
        problems += passed or unnamed(mistake, hidden, outcomes[mistake.name])
    problems += inseparable(assignment.mistakes, public, hidden)
    if problems:
        raise RecordingRefused(problems)
    return Recording(public, hidden)


def confirm(assignment: Assignment, notebook: NotebookNode, config: Config) -> dict[str, Check]:
    """Run the notebook, and return its checks with the answers on which the oracles agree.

    Raises RecordingRefused.
    """
    checks = {check.name: check for check in assignment.checks}
    problems = [f"{p} in {assignment.name}/checks/." for p in unrecorded(notebook, checks)]
    names = [mistake.name for mistake in assignment.mistakes]
    problems += [f"two mistakes are called {name}; rename one." for name in repeated(names)]
    if problems:
        raise RecordingRefused(problems)
    challenge = cases.challenge(checks)
    right = outcomes_of(notebook, challenge, config, assignment.artifacts)
    if silent := [name for name in checks if not right.get(name)]:
        error = first_error(run(notebook, challenge, config, assignment.artifacts))
        raise RecordingRefused(
            [f"{name}: no cell leaves evidence for it{error}." for name in silent]
        )
    problems = [p for name, check in checks.items() for p in disagreements(check, right[name])]
    if problems:  # without right answers there is nothing to compare others with
        raise RecordingRefused(problems)
    return {name: with_expected(check, right[name]) for name, check in checks.items()}


def outcomes_of(
    notebook: NotebookNode,
    challenge: bytes,
    config: Config | None = None,
    artifacts: Mapping[str, Path] | None = None,
) -> Outcomes:
    """Run a notebook on a challenge, beside its artifacts, and read the evidence it leaves."""
    return read_outcomes(recorded_by(notebook, challenge, config, artifacts))


def recorded_by(
    notebook: NotebookNode,
    challenge: bytes,
    config: Config | None = None,
    artifacts: Mapping[str, Path] | None = None,
) -> list[dict]:
    """Run a notebook and return its evidence as recorded."""
    executed = run(notebook, challenge, config, artifacts)
    return [dict(data) for cell in executed.cells for data in evidence.in_cell(cell)]


def read_outcomes(recorded: Sequence[dict]) -> Outcomes:
    """Read recorded evidence, by check."""
    return dict(map(evidence.from_output, recorded))


def first_error(executed: NotebookNode) -> str:
    """Say which cell of a notebook raised an error first, and which, or nothing."""
    for number, cell in enumerate(executed.cells, start=1):
        if cell.cell_type == "code" and (error := error_of(cell)):
            return f"; cell {number} ({grade_id(cell) or 'without a name'}) raised {error}"
    return ""


def repeated(names: Sequence[str]) -> list[str]:
    """Return the names that occur more than once."""
    return [name for name, count in Counter(names).items() if count > 1]


def disagreements(check: Check, outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    """Yield where the notebook's outcomes differ from the oracle's, or are missing."""
    asked = [with_oracle(check, case, outcomes.get(case.name)) for case in check.cases]
    judged = judge(replace(check, cases=tuple(asked)), outcomes)
    for verdict in judged.cases if judged.fraction < 1 else ():
        if not verdict.passed:
            yield (
                f"{check.name}, case {verdict.name}: the notebook and the oracle disagree: "
                f"{verdict.reason}."
            )


def with_oracle(check: Check, case: Case, like: Outcome | None = None) -> Case:
    """Return a case with the oracle's answer as the expected one.

    An oracle answers in tensors. Where the outcome `like` has Python numbers, so has the case;
    and the inputs that it modified may be modified.
    """
    answer = answer_of(check, case)
    leaves = {name: answer[name] for name in check.records}
    for name, leaf in (like.leaves if like else {}).items():
        if leaf.kind in ("number", "numbers"):
            leaves[name] = replace(leaves[name], kind=leaf.kind)
    return replace(case, expected=Outcome(leaves, like.modified if like else ()))


def with_expected(check: Check, outcomes: Mapping[str, Outcome]) -> Check:
    """Return a check with the notebook's outcomes as the expected ones.

    Where quality is measured, the expected values are the oracle's: labels, not scores.
    """
    if check.criterion == "close":
        answered = [replace(c, expected=outcomes.get(c.name)) for c in check.cases]
    else:
        answered = [with_oracle(check, case, outcomes.get(case.name)) for case in check.cases]
    return replace(check, cases=tuple(answered))


def trivial_passes(confirmed: Mapping[str, RecordedCheck]) -> Iterator[str]:
    """Yield the checks that a function returning nothing but zeros would pass."""
    for check in confirmed.values():
        zeros = {
            case.name: Outcome({
                name: replace(leaf, tensor=torch.zeros_like(leaf.tensor))
                for name, leaf in case.expected.leaves.items() if leaf.tensor is not None
            })
            for case in check.cases if case.expected is not None
        }  # fmt: skip
        for public in (True, False):
            if judge(only(check, public), zeros).fraction == 1:
                which = "public" if public else "hidden"
                yield f"{check.name}: zeros pass all {which} cases; change the cases."


def refused(name: str, confirmed: Mapping[str, RecordedCheck], outcomes: Outcomes) -> Iterator[str]:
    """Yield the checks that refuse a right solution."""
    for check in confirmed.values():
        verdict = judge(check, outcomes.get(check.name, {}))
        if verdict.fraction < 1:
            yield f"{check.name} refuses the alternative {name}, which is right: {verdict.reason}."


def survived(
    mistake: Mistake, confirmed: Mapping[str, RecordedCheck], outcomes: Outcomes
) -> Iterator[str]:
    """Yield the checks that a mistake survives although they promise to catch it."""
    for name in mistake.checks:
        if name not in confirmed:
            yield f"mistake {mistake.name}: there is no check {name}; correct its list of checks."
        elif judge(only(confirmed[name], False), outcomes.get(name, {})).fraction == 1:
            yield (
                f"{name} accepts the mistake {mistake.name}; add a case that tells them apart, or "
                "take the mistake out if what it does is right."
            )
    if not 0 <= mistake.credit < 1:
        yield f"mistake {mistake.name}: its credit is {mistake.credit}, not from 0 to below 1."


def unnamed(
    mistake: Mistake, hidden: Mapping[str, RecordedCheck], outcomes: Outcomes
) -> Iterator[str]:
    """Yield a mistake whose hint is never given where it should be."""
    promised = [name for name in mistake.checks if name in hidden]
    told = [judge(hidden[name], outcomes.get(name, {})) for name in promised]
    named = [verdict.mistake for verdict in told]
    seen = [outcome for name in promised for outcome in outcomes.get(name, {}).values()]
    if promised and all(outcome.raised for outcome in seen):
        raised = seen[0].raised if seen else "an error before its check ran"
        yield (
            f"mistake {mistake.name}: it only ever raises ({raised}), which can have any cause, so "
            "nobody is told its hint; correct its lines with +."
        )
    elif promised and mistake.hint not in [verdict.hint for verdict in told]:
        others = ", ".join(sorted({name for name in named if name})) or "none"
        yield (
            f"mistake {mistake.name}: none of its checks names it (they name: {others}); "
            "add a case that tells them apart, or place the narrower mistake first."
        )


def inseparable(mistakes: Sequence[Mistake], *parts: Mapping[str, RecordedCheck]) -> Iterator[str]:
    """Yield the mistakes that a check promises to catch and cannot tell apart.

    One of two hints would then be false.
    """
    for name in parts[0]:
        checks = [part[name] for part in parts if part[name].criterion in EXACT]
        promised = [mistake for mistake in mistakes if name in mistake.checks]
        for one, other in combinations(promised, 2):
            if checks and one.hint != other.hint and all(
                alike(check, as_known(check, one), as_known(check, other)) for check in checks
            ):  # fmt: skip
                yield (
                    f"{name} cannot tell the mistakes {one.name} and {other.name} apart, so one of "
                    "their hints would be false; add a case, or give them one hint that is true of "
                    "both."
                )


def as_known(check: RecordedCheck, mistake: Mistake) -> KnownMistake:
    """Return what a check recorded of a mistake, which may be that it does not show."""
    known = (found for found in check.mistakes if found.name == mistake.name)
    return next(known, KnownMistake(mistake.name, mistake.hint, mistake.credit, {}))


def only(check: RecordedCheck, public: bool) -> RecordedCheck:
    """Return a check with its public, or its hidden, cases only."""
    return replace(check, cases=tuple(case for case in check.cases if case.public is public))


def part(
    check: Check, assignment: Assignment, outcomes: Mapping[str, Outcomes], *, public: bool
) -> RecordedCheck:
    """Return the public, or the hidden, part of a check with the mistakes that show in it.

    A student is told the first one that fits, so those of its own topic come before all others.
    """
    chosen, known = only(check, public), []
    first = sorted(assignment.mistakes, key=lambda mistake: mistake.topic != check.topic)
    for mistake in first if check.criterion in EXACT else ():
        seen = outcomes[mistake.name].get(check.name, {})
        judged = zip(chosen.cases, judge(chosen, seen).cases, strict=True)
        wrong = {case.name: seen[case.name] for case, verdict in judged
                 if case.name in seen and not verdict.passed}  # fmt: skip
        if wrong:
            known.append(KnownMistake(mistake.name, mistake.hint, mistake.credit, wrong))
    return replace(chosen, mistakes=tuple(known))
