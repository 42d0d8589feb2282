"""A class and its points, read once.

Scores come from the gradebook, reasons from the verdicts in the autograded notebooks.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

import nbformat
import orjson
from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_task

from autograder.grading.course import AssignmentFolders, CourseError
from autograder.grading.exercises import QUESTIONS, exercises, sections
from autograder.grading.gradebook import graded_cells, patiently, penalties
from autograder.grading.notebooks import VERDICT_MIME, grade_id, is_autograded, node
from autograder.grading.rules import rules_of
from autograder.reports import people
from autograder.reports.people import Person


@dataclass(frozen=True)
class CheckResult:
    """One student's result in one check."""

    points: float
    maximum: float
    reason: str
    mistake: str
    hint: str
    certain: bool = True  # whether the mistake is


@dataclass(frozen=True)
class StudentResult:
    """One student: results by check, points by exercise, and the answers still to be marked.

    Of the `waiting` answers no person has said yet what they are worth; those count as 0.
    """

    student: str
    checks: Mapping[str, CheckResult]
    exercises: Mapping[str, float]
    total: float
    unmarked: int
    sections: Mapping[str, float] = field(default_factory=dict)  # points by section
    penalty: float = 0.0  # points that late work has cost; the total is without them
    waiting: tuple[str, ...] = ()  # the answers still to be marked
    answers: Mapping[str, float] = field(default_factory=dict)  # points of those that are

    @property
    def main_reason(self) -> str:
        """The reason that cost the most points, or an empty string."""
        lost = {name: check.maximum - check.points for name, check in self.checks.items()}
        worst = max(lost, key=lost.__getitem__, default=None)
        if worst is None or lost[worst] == 0:
            return ""
        check = self.checks[worst]
        hint = check.hint if check.certain or not check.hint else f"may be: {check.hint}"
        return f"{worst}: {hint or check.reason}"


@dataclass(frozen=True)
class ClassReport:
    """A graded class.

    `exercises`, `checks`, `sections` and `questions` map names to the points one can have.
    """

    assignment: str
    exercises: Mapping[str, float]
    checks: Mapping[str, float]
    students: tuple[StudentResult, ...]
    maximum: float
    sections: Mapping[str, float] = field(default_factory=dict)
    questions: Mapping[str, float] = field(default_factory=dict)  # what a person marks
    section_of: Mapping[str, str] = field(default_factory=dict)  # of each check and question
    exercise_of: Mapping[str, str] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)  # all, with and without points

    @property
    def automatic_maximum(self) -> float:
        """The points that need no person."""
        return sum(self.checks.values())

    @property
    def mean_total(self) -> float:
        """The mean of the students' points."""
        return mean(student.total for student in self.students)

    @property
    def median_total(self) -> float:
        """The median of the students' points."""
        return median(student.total for student in self.students)

    @property
    def unmarked(self) -> int:
        """The number of written answers that a person has yet to mark."""
        return sum(student.unmarked for student in self.students)

    def mean_share(self, check: str) -> float:
        """The mean share of a check's points, from 0 to 1."""
        results = [s.checks[check] for s in self.students if check in s.checks]
        shares = [result.points / result.maximum for result in results if result.maximum]
        return mean(shares) if shares else 0.0

    def common_mistakes(self, check: str, most: int = 3) -> list[tuple[str, str, int]]:
        """The most common certain mistakes in a check: name, hint, number of students."""
        seen = [s.checks[check] for s in self.students if check in s.checks]
        counted = Counter((c.mistake, c.hint) for c in seen if c.mistake and c.certain)
        return [(name, hint, count) for (name, hint), count in counted.most_common(most)]


def collect(assignment: AssignmentFolders) -> ClassReport:
    """Read a class's results from the gradebook and the autograded notebooks.

    Raises CourseError if nothing is graded yet.
    """
    source = nbformat.read(assignment.notebook(), 4)
    rules = rules_of(assignment.notebook(), assignment.course.config)
    points = {
        grade_id(cell): float(cell.metadata.nbgrader.points)
        for cell in source.cells
        if is_grade(cell) or is_task(cell)
    }
    points |= {check: rules.maximum(check) for check in rules.points}
    checks = {check: points[check] for check in rules.points}
    exercise_of, section_of = exercises(source), sections(source)
    maxima = _sums(exercise_of, points)
    if QUESTIONS in maxima:  # they stand all over the notebook; in a table they come last
        maxima[QUESTIONS] = maxima.pop(QUESTIONS)
    questions = {name: points[name] for name in exercise_of if name not in checks}
    late = patiently(lambda: penalties(assignment))
    students = tuple(
        _student(
            assignment,
            name,
            grades,
            late.get(name, 0.0),
            exercise_of,
            section_of,
            maxima,
            questions,
        )
        for name, grades in sorted(graded_cells(assignment).items())
    )
    if not students:
        raise CourseError(
            f"{assignment.name}: nothing is graded yet; "
            f"run `autograder grade {assignment.name}` first."
        )
    return ClassReport(
        assignment.name, maxima, checks, students, sum(points.values()),
        _sums(section_of, points), questions, section_of, exercise_of,
        patiently(lambda: people.read(assignment)),
    )  # fmt: skip


def _student(
    assignment: AssignmentFolders,
    name: str,
    grades: Mapping[str, tuple[float, bool]],
    penalty: float,
    exercise_of: Mapping[str, str],
    section_of: Mapping[str, str],
    exercises: Iterable[str],
    questions: Iterable[str],
) -> StudentResult:
    """Add up what one student has; `grades` are of cells, each with whether it is to be marked."""
    scores = {cell: score for cell, (score, _) in grades.items()}
    waiting = tuple(cell for cell, (_, unmarked) in grades.items() if unmarked)
    by_exercise = _sums(exercise_of, scores)
    return StudentResult(
        student=name,
        checks=verdicts(assignment.autograded(name) / f"{assignment.name}.ipynb"),
        exercises={exercise: by_exercise[exercise] for exercise in exercises},
        total=max(0.0, sum(scores.values()) - penalty),
        unmarked=len(waiting),
        sections=_sums(section_of, scores),
        penalty=penalty,
        waiting=waiting,
        answers={n: scores[n] for n in questions if n in scores and n not in waiting},
    )


def graded(assignments: Iterable[AssignmentFolders]) -> list[AssignmentFolders]:
    """Return those that have been graded for somebody. Raises CourseError if none has."""
    found = []
    for assignment in assignments:
        with suppress(CourseError):  # it was never released
            if graded_cells(assignment):
                found.append(assignment)
    if not found:
        raise CourseError("nothing is graded yet; run `autograder grade ASSIGNMENT` first.")
    return found


def _sums(of: Mapping[str, str], points: Mapping[str, float]) -> dict[str, float]:
    """Add the points of cells up by what each belongs to, in the order of the notebook."""
    found: dict[str, float] = {}
    for name, whole in of.items():
        found[whole] = found.get(whole, 0.0) + points.get(name, 0.0)
    return found


def verdicts(notebook: Path) -> dict[str, CheckResult]:
    """Read the verdicts in an autograded notebook, by check; none if there is no notebook."""
    if not notebook.exists():
        return {}
    cells = orjson.loads(notebook.read_bytes())["cells"]
    return verdicts_in(node(cell) for cell in cells if "nbgrader" in cell["metadata"])


def verdicts_in(cells: Iterable[NotebookNode]) -> dict[str, CheckResult]:
    """Read the verdicts in cells that were judged, by check."""
    found = {}
    for cell in filter(is_autograded, cells):
        for output in cell.outputs:
            if verdict := output.get("data", {}).get(VERDICT_MIME):
                fields = ("points", "maximum", "reason", "mistake", "hint")
                found[grade_id(cell)] = CheckResult(
                    *(verdict[field] for field in fields), verdict.get("certain", True)
                )
    return found
