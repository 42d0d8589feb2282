"""Everything that the pages of a class show, as CSV."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from autograder.reports.results import ClassReport
from autograder.reports.statistics import at_risk, items, went_wrong

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would compute


def write(report: ClassReport, folder: Path) -> list[Path]:
    """Write the tables of a class: students, checks, what went wrong, every lost point."""
    tables = {
        "students": _students(report),
        "checks": _checks(report),
        "mistakes": _mistakes(report),
        "reasons": _reasons(report),
    }
    return [
        write_table(folder / f"{report.assignment}-{name}.csv", rows)
        for name, rows in tables.items()
    ]


def write_table(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write rows that share their columns; a spreadsheet takes no text of them for a formula."""
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(rows[0] if rows else ())
        table.writerows([_cell(value) for value in row.values()] for row in rows)
    return path


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _students(report: ClassReport) -> Iterable[dict[str, Any]]:
    results = {student.student: student for student in report.students}
    risks = at_risk(report)
    for name in sorted({*report.people, *results}):
        person, student = report.people.get(name), results.get(name)
        row: dict[str, Any] = {"student": name, "name": person.name if person else ""}
        row["total"] = student.total if student else ""
        row["maximum"] = report.maximum
        row["late penalty"] = student.penalty if student else ""
        row["answers to be marked"] = student.unmarked if student else ""
        time = person.time if person else None
        row["handed in (UTC)"] = f"{time:%Y-%m-%d %H:%M:%S}" if time else ""
        row["hours late"] = person.late.total_seconds() / 3600 if person else 0.0
        row["handed in"] = "no" if person and not person.handed_in else "yes"
        row["error"] = person.error if person else ""
        row["repaired"] = " ".join(person.repaired) if person else ""
        row["seconds"] = person.seconds if person else 0.0
        row["peak memory in MiB"] = person.peak_memory / 2**20 if person else 0.0
        row["may need help"] = risks.get(name, "")
        row["where most points were lost"] = student.main_reason if student else ""
        row |= _of("section", report.sections, student.sections if student else {})
        row |= _of("exercise", report.exercises, student.exercises if student else {})
        points = {n: c.points for n, c in student.checks.items()} if student else {}
        row |= _of("check", report.checks, points)
        yield row | _of("answer", report.questions, student.answers if student else {})


def _of(what: str, names: Sequence[str] | Mapping[str, float], points: Mapping[str, float]) -> dict:
    return {f"{what}: {name}": points.get(name, "") for name in names}


def _checks(report: ClassReport) -> Iterable[dict[str, Any]]:
    for item in items(report):
        yield {
            "check": item.check,
            "section": report.section_of.get(item.check, ""),
            "exercise": report.exercise_of.get(item.check, ""),
            "points": item.points,
            "mean share": item.share,
            "discrimination": "" if item.discrimination is None else item.discrimination,
            "all points": item.full,
            "some points": item.some,
            "no points": item.none,
            "remark": item.remark,
        }


def _mistakes(report: ClassReport) -> Iterable[dict[str, Any]]:
    for one in went_wrong(report):
        yield {
            "mistake": one.name, "students": len(one.students), "points lost": one.points,
            "checks": " ".join(one.checks), "what to say": one.say,
            "who": " ".join(sorted(one.students)),
        }  # fmt: skip


def _reasons(report: ClassReport) -> Iterable[dict[str, Any]]:
    for student in report.students:
        for check, result in student.checks.items():
            yield {
                "student": student.student, "check": check, "points": result.points,
                "maximum": result.maximum, "reason": result.reason, "mistake": result.mistake,
                "certain": result.certain if result.mistake else "", "hint": result.hint,
            }  # fmt: skip
