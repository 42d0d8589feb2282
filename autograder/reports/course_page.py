"""The whole course as one page: each student's line over all assignments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from autograder.reports.page import templates
from autograder.reports.results import ClassReport
from autograder.reports.statistics import AT_RISK, share
from autograder.reports.tables import write_table

MISSING = 2  # assignments without work, from which on somebody may be gone
FALL = 0.25  # of the share of points, from the mean of all before to the last


@dataclass(frozen=True)
class Line:
    """A student over the course: total by assignment, None where nothing was handed in."""

    student: str
    name: str
    totals: Mapping[str, float | None]
    waiting: int  # answers still to be marked
    risk: str  # why the student may need help, or empty

    @property
    def points(self) -> float:
        """The points of all assignments."""
        return sum(total for total in self.totals.values() if total is not None)


def lines(reports: Sequence[ClassReport]) -> list[Line]:
    """Return a line for every student of the course, in order."""
    students = {name for report in reports for name in report.people}
    students |= {student.student for report in reports for student in report.students}
    by_report = [{one.student: one for one in report.students} for report in reports]
    found = []
    for name in sorted(students):
        results = [results.get(name) for results in by_report]
        names = [r.people[name].name for r in reports if name in r.people and r.people[name].name]
        shares = [share(r, s) for r, s in zip(reports, results, strict=True) if s]
        totals = {
            r.assignment: s.total if s else None for r, s in zip(reports, results, strict=True)
        }
        waiting = sum(one.unmarked for one in results if one)
        found.append(Line(name, names[0] if names else "", totals, waiting, _risk(shares, results)))
    return found


def write(reports: Sequence[ClassReport], folder: Path) -> Path:
    """Write the page of the course, `index.html`, and `course.csv`. Returns the page's path."""
    found = lines(reports)
    page = templates().get_template("course.html").render(
        reports=reports,
        lines=found,
        maximum=sum(report.maximum for report in reports),
        risks=[line for line in found if line.risk],
        medians={report.assignment: median(s.total for s in report.students) for report in reports},
    )  # fmt: skip
    folder.mkdir(exist_ok=True)
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    write_table(folder / "course.csv", map(_row, found))
    return path


def _risk(shares: Sequence[float], results: Sequence[object]) -> str:
    missing = sum(one is None for one in results)
    mean = 100 * fmean(shares) if shares else 0.0
    why = []
    if missing >= MISSING or missing == len(results):
        why.append(f"no work in {missing} of {len(results)}")
    if shares and mean < 100 * AT_RISK:
        why.append(f"{mean:.0f} % of the points on average")
    if len(shares) >= 3 and shares[-1] < fmean(shares[:-1]) - FALL:
        why.append(f"{100 * shares[-1]:.0f} % in the last, {100 * fmean(shares[:-1]):.0f} % before")
    return "; ".join(why)


def _row(line: Line) -> dict[str, object]:
    totals = {name: "" if total is None else total for name, total in line.totals.items()}
    return {
        "student": line.student, "name": line.name, **totals, "points": line.points,
        "answers to be marked": line.waiting, "may need help": line.risk,
    }  # fmt: skip
