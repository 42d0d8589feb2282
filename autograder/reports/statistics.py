"""What the points of a class say: of its checks, of what went wrong, of who may need help."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from autograder.reports.results import ClassReport, StudentResult

FEW = 10  # students; of fewer, a correlation says nothing
EASY, HARD = 0.95, 0.3  # mean shares of the points of a check
WEAK = 0.15  # discrimination below which a check says little of a student
AT_RISK = 0.5  # share of the points that have been given


@dataclass(frozen=True)
class Item:
    """A check as an item of a test (classical test theory).

    `share` is its difficulty, the mean share of its points. `discrimination` is the correlation of
    that share with the points in all other checks; None if there are fewer than ten students, or if
    all have the same.
    """

    check: str
    points: float
    share: float
    discrimination: float | None
    full: int
    some: int
    none: int

    @property
    def remark(self) -> str:
        """What an instructor may want to look at."""
        if self.discrimination is not None and self.discrimination < 0:
            return "those who are good elsewhere lose points here: is the task clear?"
        if self.share >= EASY:
            return "nearly everybody has it"
        if self.share <= HARD:
            return "hard: few have it"
        if self.discrimination is not None and self.discrimination < WEAK:
            return "says little of how students do elsewhere"
        return ""


@dataclass
class Wrong:
    """Something that went wrong in the same way for several students."""

    name: str  # of the mistake, or empty for a reason that is no known mistake
    say: str  # what helps: the hint, or the reason
    checks: list[str] = field(default_factory=list)
    students: set[str] = field(default_factory=set)
    points: float = 0.0  # lost, in all


def items(report: ClassReport) -> list[Item]:
    """Analyse the checks of a class, in the order of the notebook."""
    return [_item(report, check) for check in report.checks]


def _item(report: ClassReport, check: str) -> Item:
    shares, others = [], []
    for student in report.students:
        if (result := student.checks.get(check)) and result.maximum:
            shares.append(result.points / result.maximum)
            others.append(sum(c.points for c in student.checks.values()) - result.points)
    found = None
    if len(shares) >= FEW and len({*shares}) > 1 and len({*others}) > 1:
        found = statistics.correlation(shares, others)
    full, none = (sum(share == value for share in shares) for value in (1, 0))
    mean = statistics.fmean(shares) if shares else 0.0
    return Item(
        check, report.checks[check], mean, found, full, len(shares) - full - none, none
    )  # fmt: skip


def went_wrong(report: ClassReport) -> list[Wrong]:
    """Return known mistakes and other reasons, those of most students first.

    A mistake that is only suspected counts by its reason.
    """
    found: dict[tuple[str, str], Wrong] = {}
    for student in report.students:
        for check, result in student.checks.items():
            if result.points >= result.maximum:
                continue
            known = bool(result.mistake) and result.certain
            key = (result.mistake, result.hint) if known else ("", result.reason)
            one = found.setdefault(key, Wrong(*key))
            one.students.add(student.student)
            one.points += result.maximum - result.points
            if check not in one.checks:
                one.checks.append(check)
    return sorted(found.values(), key=lambda one: (-len(one.students), -one.points))


def share(report: ClassReport, student: StudentResult) -> float:
    """Return the share of the points that were given so far: without answers still to be marked."""
    given = report.maximum - sum(report.questions.get(name, 0.0) for name in student.waiting)
    return student.total / given if given > 0 else 1.0


def at_risk(report: ClassReport) -> dict[str, str]:
    """Return who may need help, and why, by student.

    That is whose work could not be graded, and who has less than half of the points given so far.
    """
    found: dict[str, str] = {}
    results = {student.student: student for student in report.students}
    for name, person in report.people.items():
        if person.error:
            found[name] = person.error
        elif name in results and share(report, results[name]) < AT_RISK:
            found[name] = _lost_most(report, results[name])
    return found


def _lost_most(report: ClassReport, student: StudentResult) -> str:
    lost: dict[str, float] = defaultdict(float)
    for section, maximum in report.sections.items():
        waiting = sum(
            report.questions[name]
            for name in student.waiting
            if report.section_of.get(name) == section
        )
        lost[section] = maximum - waiting - student.sections.get(section, 0.0)
    worst = max(lost, key=lost.__getitem__, default="")
    most = f"lost most in “{worst}” ({lost[worst]:.4g} points)" if worst else ""
    return "; ".join(filter(None, (most, student.main_reason))) or "late work cost the points"


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the three quartiles of some numbers."""
    if len(values) < 2:
        only = values[0] if values else 0.0
        return only, only, only
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high
