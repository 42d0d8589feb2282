"""Grades one submission on Gradescope, in the image that `autograder gradescope` makes.

`python -m autograder.lms.gradescope ROOT USER`, run as root by `run_autograder`. ROOT is
Gradescope's /autograder, with the course in source/course, the files of a student in submission/
and results/results.json to be written. USER is the number of the Unix user that the student's code
runs as. The form of the results: https://gradescope-autograders.readthedocs.io/en/latest/specs/
"""

import json
import platform
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import psutil
from traitlets import Enum, TraitError
from traitlets.config import Config, Configurable

import autograder
from autograder.errors import SandboxError, UserError
from autograder.grading import notebooks
from autograder.grading.cluster import connect, run_class
from autograder.grading.course import AssignmentFolders, Course, CourseError, open_course
from autograder.grading.execute import Execute, Ran
from autograder.grading.exercises import QUESTIONS, exercises
from autograder.grading.pipeline import judge_and_process
from autograder.grading.prepare import Assignment, Prepared, load_assignment, prepare
from autograder.grading.repair import submitted
from autograder.notebook.evidence import clip
from autograder.notebook.hand_in import CHECKER
from autograder.reports.results import CheckResult, verdicts_in
from autograder.sandbox import client

COURSE = "source/course"  # the course, below ROOT
STUDENT = "submission"  # what the one student of a container is called in its course
VISIBILITIES = "visible", "after_due_date", "after_published", "hidden"
FAILED = (
    "Your submission could not be graded. Nothing is lost, and it is not your fault: please tell "
    "your teacher, who can grade it again."
)
NO_SANDBOX = "This container allows no sandbox: the submission runs as another user instead."


class Gradescope(Configurable):
    """What Gradescope shows, set in nbgrader_config.py."""

    visibility = Enum(
        VISIBILITIES, default_value="visible", help="when students see the checks and their points"
    ).tag(config=True)


def visibility(config: Config) -> str:
    """Return when students see their results. Raises CourseError."""
    try:
        return Gradescope(config=config).visibility
    except TraitError:
        said = config.Gradescope.visibility
        raise CourseError(
            f"nbgrader_config.py, c.Gradescope.visibility: {said!r} is none of "
            f"{', '.join(VISIBILITIES)}."
        ) from None


def written_answers(assignment: AssignmentFolders) -> dict[str, float]:
    """Return what a person marks, with its points. Raises CourseError."""
    notebook = nbformat.read(assignment.notebook(), 4)
    points = {
        notebooks.grade_id(cell): float(cell.metadata.nbgrader.get("points", 0))
        for cell in notebook.cells
        if notebooks.grade_id(cell)
    }
    return {name: points[name] for name, of in exercises(notebook).items() if of == QUESTIONS}


def main(arguments: Sequence[str]) -> int:
    """Grade a submission, and write results whatever happens."""
    root, user = Path(arguments[0]), int(arguments[1] or 0)
    try:
        results = grade(root, user)
    except Exception as error:  # students read one sentence; instructors read this, in stdout
        if isinstance(error, UserError):
            print(*error.sentences, sep="\n")
        else:
            traceback.print_exc(file=sys.stdout)
        results = {"score": 0, "output": FAILED, "tests": []}
    finally:
        client.close()
    seconds = round(time.time() - psutil.Process().create_time(), 1)
    shown = {"output_format": "text", "test_output_format": "text", "stdout_visibility": "hidden"}
    path, part = root / "results" / "results.json", root / "results" / ".results.json.part"
    part.write_text(json.dumps({**results, **shown, "execution_time": seconds}, indent=1))
    part.replace(path)
    return 0


def grade(root: Path, user: int) -> dict[str, Any]:
    """Grade the submission in a folder like Gradescope's. Returns its results.

    Raises CourseError, SandboxError, and what a worker raised.
    """
    course = open_course(root / COURSE)
    folders = course.assignment(course.assignments()[0])
    wall = raise_wall(course, user)
    _hand_over(root / "submission", folders.submitted(STUDENT))
    with connect(None, 1, course.config) as workers:  # which begin to warm up
        assignment = load_assignment(folders)
        prepared = prepare(assignment, STUDENT)
        ((_, ran),) = run_class(workers, iter([prepared]), course.config)
    if isinstance(ran, Exception):
        raise ran
    metadata = _metadata(root / "submission_metadata.json")
    results = _results(assignment, prepared, ran)
    if said := of_another(root / "submission", folders.name):
        results["output"] = f"{said}\n{results['output']}"
    return {**results, "extra_data": {
        "gradient-check": autograder.__version__, "torch": _version_of("torch"),
        "python": platform.python_version(), "wall": wall, "questions": assignment.digest[:16],
        "submission": metadata.get("id"),
    }}  # fmt: skip


def raise_wall(course: Course, user: int) -> str:
    """Choose the wall between a submission and the answers: the sandbox, or another user.

    Returns which it is. Raises SandboxError if there can be neither.
    """
    execute = Execute(config=course.config)
    try:
        client.begin(replace(execute.settings, preload=())).wait_until_warm()
        return "namespaces"
    except SandboxError:
        print(NO_SANDBOX)
    if user <= 0:
        raise SandboxError("there is no user `student` to run submissions; run setup.sh again.")
    course.config.Execute.sandbox, course.config.Execute.user = False, user
    return "another user"


def of_another(folder: Path, assignment: str) -> str:
    """Say so if every notebook that was handed in belongs to other assignments of a course."""
    said = ""
    for path in submitted.notebooks(folder):
        with suppress(submitted.Unreadable):
            held, _ = submitted.cells(submitted.document(path)[0])
            named = CHECKER.search("\n".join(cell.source for cell in held))
            if not named or named[1] == assignment:
                return ""
            said = said or (
                f"{clip(path.name)} is a notebook of {clip(named[1])}, and this is {assignment}: "
                f"please hand in {assignment}.ipynb."
            )
    return said


def _hand_over(submission: Path, place: Path) -> None:
    """Let the course find what was handed in."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(submission)


def _metadata(path: Path) -> Mapping[str, Any]:
    """Read what Gradescope says of a submission; nothing if it says nothing that can be read."""
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text("utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


def _results(assignment: Assignment, prepared: Prepared, ran: Ran) -> dict[str, Any]:
    found: dict[str, CheckResult] = {}
    for data in ran.notebooks.values():
        nb = notebooks.from_bytes(data)
        judge_and_process(nb, assignment)
        found |= verdicts_in(nb.cells)
    rules, notes = assignment.rules, [note for some in prepared.notes.values() for note in some]
    points = sum(result.points for result in found.values())
    maximum = sum(rules.maximum(check) for check in found)
    lines = [f"{points:g} of {maximum:g} points from {len(found)} checks.", *notes]
    if answers := written_answers(assignment.folders):
        named = ", ".join(f"{name} ({worth:g})" for name, worth in answers.items())
        lines.append(f"A person marks these answers, with their points: {named}.")
    titles = {name: check.title for name, check in assignment.references.items()}
    tests = [_test(f"{n}: {titles[n]}", found[n], rules.maximum(n)) for n in found]
    shown = visibility(assignment.folders.course.config)
    return {"output": "\n".join(lines), "tests": tests, "visibility": shown}


def _test(name: str, result: CheckResult, maximum: float) -> dict[str, Any]:
    """Describe a check as Gradescope does; its maximum differs from its worth for a bonus."""
    passed = result.points >= result.maximum
    return {
        "name": name, "score": result.points, "max_score": maximum,
        "status": "passed" if passed else "failed", "output": "\n".join(_said(result, passed)),
    }  # fmt: skip


def _said(result: CheckResult, passed: bool) -> Iterator[str]:
    if result.reason:
        yield result.reason
    elif passed:
        yield "All hidden cases passed."
    if result.hint:
        yield f"{'Looks like' if result.certain else 'May be'}: {result.hint}"


def _version_of(package: str) -> str:
    from importlib.metadata import version

    return version(package)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
