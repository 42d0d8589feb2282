"""The report of a class as one page that needs no other file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean, median
from typing import Any

import jinja2
from markupsafe import Markup

from autograder.reports import charts, tables
from autograder.reports.people import said
from autograder.reports.results import ClassReport, StudentResult
from autograder.reports.statistics import Wrong, at_risk, items, quartiles, went_wrong

MOST = 8  # mistakes that are worth a word in class
FEWEST = 2  # students: what one of them did is a matter between two people


@dataclass(frozen=True)
class Exercise:
    """A task of the notebook: its checks, and the mean of what students have."""

    name: str
    maximum: float
    mean: float
    checks: Sequence[str]


@dataclass(frozen=True)
class Section:
    """A section of the notebook, and the mean of what students have."""

    name: str
    maximum: float
    mean: float
    exercises: Sequence[Exercise]


@cache
def templates() -> jinja2.Environment:
    """Return the templates of the pages."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"points": _points, "percent": _percent, "late": said}
    return environment


def html(report: ClassReport, others: Mapping[str, str] | None = None) -> str:
    """Write the report of a class as a page; `others` are pages to link to, by name."""
    results = {student.student: student for student in report.students}
    found, people = items(report), report.people
    totals = [student.total for student in report.students]
    ran = sorted(((p.seconds, name) for name, p in people.items() if p.seconds), reverse=True)
    return templates().get_template("class.html").render(
        report=report,
        others=others or {},
        quartiles=quartiles(totals),
        distribution=Markup(charts.distribution(totals, report.maximum)),
        sections=sections(report),
        mistakes=report.common_mistakes,
        wrong=worth_saying(report),
        risks=at_risk(report),
        items=found,
        discriminations=Markup(charts.discriminations(found)),
        absent=[name for name, p in people.items() if not p.handed_in],
        late={name: p for name, p in people.items() if p.late},
        failed={name: p.error for name, p in people.items() if p.error},
        repaired={name: p.repaired for name, p in people.items() if p.repaired},
        questions=_questions(report),
        ran=ran,
        median_seconds=median(seconds for seconds, _ in ran) if ran else 0.0,
        memory=max((p.peak_memory for p in people.values()), default=0) / 2**20,
        rows=[(name, people.get(name), results.get(name)) for name in sorted({*people, *results})],
    )  # fmt: skip


def write(report: ClassReport, folder: Path, others: Mapping[str, str] | None = None) -> Path:
    """Write the report of a class into a folder, and its tables beside it. Returns its path."""
    path = folder / f"{report.assignment}.html"
    path.parent.mkdir(exist_ok=True)
    path.write_text(html(report, others), encoding="utf-8")
    tables.write(report, folder)
    return path


def sections(report: ClassReport) -> list[Section]:
    """Sort exercises and checks into the sections of the notebook."""
    found = []
    for name, maximum in report.sections.items():
        of_it = [n for n, section in report.section_of.items() if section == name]
        by_exercise: dict[str, list[str]] = {}
        for check in of_it:
            by_exercise.setdefault(report.exercise_of.get(check, ""), []).append(check)
        mean = fmean(student.sections.get(name, 0.0) for student in report.students)
        exercises = [_exercise(report, each, names) for each, names in by_exercise.items()]
        found.append(Section(name or "Before the first section", maximum, mean, exercises))
    return found


def worth_saying(report: ClassReport) -> list[Wrong]:
    """Return what went wrong for several students, known mistakes first."""
    several = [one for one in went_wrong(report) if len(one.students) >= FEWEST]
    return sorted(several, key=lambda one: not one.name)[:MOST]


def _exercise(report: ClassReport, name: str, names: Sequence[str]) -> Exercise:
    maximum = sum(report.checks.get(n, report.questions.get(n, 0.0)) for n in names)
    mean = fmean(sum(_of(student, n) for n in names) for student in report.students)
    return Exercise(name, maximum, mean, names)


def _of(student: StudentResult, name: str) -> float:
    if result := student.checks.get(name):
        return result.points
    return student.answers.get(name, 0.0)


def _questions(report: ClassReport) -> list[tuple[str, float, int, Any]]:
    """Return each question, its points, how many answers wait for a mark, the mean of the rest."""
    found = []
    for name, maximum in report.questions.items():
        waiting = sum(name in student.waiting for student in report.students)
        marked = [s.answers[name] for s in report.students if name in s.answers]
        found.append((name, maximum, waiting, fmean(marked) if marked else None))
    return found


def _points(value: float) -> str:
    return f"{value:.4g}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
