"""A graded class in a terminal: a summary that fits 80 columns, a student, the whole table."""

from collections import Counter
from collections.abc import Iterator
from textwrap import shorten, wrap

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from autograder.reports.results import CheckResult, ClassReport, StudentResult

WIDTH = 80  # columns of a summary
BAR = 20  # columns of a full bar
MOST = 3  # reasons that a summary names
NAME = 24  # columns of a student's name in a table


def summary(report: ClassReport) -> str:
    """Say how a class did: in all, by section, and what cost it most."""
    count = len(report.students)
    who = "1 student" if count == 1 else f"{count} students"
    lines = [
        f"{report.assignment}: {who}, mean {report.mean_total:.1f}, median "
        f"{report.median_total:.1f} of {report.maximum:g} points"
    ]
    if unmarked := report.unmarked:
        lines.append(f"{_answers(unmarked)} to be marked; they count as 0 until then")
    if late := [student for student in report.students if student.penalty]:
        were = "1 student was" if len(late) == 1 else f"{len(late)} students were"
        lines.append(f"{were} late and lost {sum(s.penalty for s in late):g} points")
    width = max(map(len, report.sections), default=0)
    width = min(width, WIDTH - BAR - 18)
    for section, maximum in report.sections.items():
        if not section:  # what is graded above the first title
            continue
        mean = sum(s.sections.get(section, 0.0) for s in report.students) / count
        bar = "█" * min(BAR, round(BAR * mean / maximum)) if maximum else ""
        lines.append(f"  {cut(section, width):{width}} {mean:5.1f} of {maximum:<4g} {bar}".rstrip())
    worst = list(_worst(report))[:MOST]
    lines += ["what cost most:"] * bool(worst)
    for check, reason, students, points in worst:
        of = "1 student" if students == 1 else f"{students} students"
        text = f"{points:g} points, {of}: {check}: {reason}"
        lines += wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ", max_lines=3,
                      placeholder=" …")  # fmt: skip
    return "\n".join(lines)


def student_lines(report: ClassReport, name: str) -> str:
    """Say what one student has, and why points were lost."""
    student = next((s for s in report.students if s.student == name), None)
    if student is None:
        return f"{cut(name, WIDTH - 20)}: not graded yet"
    waiting = f", {_answers(student.unmarked)} to be marked" if student.unmarked else ""
    late = f", {student.penalty:g} lost because it was late" if student.penalty else ""
    lines = [f"{cut(name, NAME)}: {student.total:.4g} of {report.maximum:g} points{late}{waiting}"]
    for check, result in student.checks.items():
        if result.points < result.maximum:
            text = f"{check}: {result.points:.4g} of {result.maximum:g}: {reason_of(result)}"
            lines += wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)


def table(report: ClassReport) -> Table:
    """Draw the class: a student a row, an exercise a column."""
    title = f"{report.assignment}: {len(report.students)} students"
    drawn = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    drawn.add_column("student", no_wrap=True)
    for exercise, maximum in report.exercises.items():
        name = exercise.removeprefix("nn_").replace("_", "\n")
        drawn.add_column(f"{name}\n/{maximum:g}", justify="right", no_wrap=True)
    drawn.add_column(f"total\n/{report.maximum:g}", justify="right", style="bold", no_wrap=True)
    drawn.add_column("where most points were lost", min_width=20)
    for student in report.students:
        points = [f"{value:.4g}" for value in student.exercises.values()]
        reason = shorten(student.main_reason, 80, placeholder=" …")
        name = escape(cut(student.student, NAME))
        drawn.add_row(name, *points, _total(student), escape(reason))
    most = max((student.unmarked for student in report.students), default=0)
    drawn.caption = f"+{most}? = {_answers(most)} to be marked" if most else None
    return drawn


def width_of(report: ClassReport) -> int:
    """Return how wide a table has to be so that no column is lost."""
    words = [max(map(len, name.removeprefix("nn_").split("_"))) for name in report.exercises]
    return NAME + sum(max(word, 5) + 2 for word in words) + 60


def reason_of(result: CheckResult) -> str:
    """Return the hint of a check if there is one, and else the reason."""
    if not result.hint:
        return result.reason
    return result.hint if result.certain else f"may be: {result.hint}"


def cut(text: str, width: int) -> str:
    """Cut a long text in the middle: its end often tells it from others."""
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"


def _total(student: StudentResult) -> str:
    return f"{student.total:.4g}" + (f" +{student.unmarked}?" if student.unmarked else "")


def _answers(count: int) -> str:
    return "1 written answer" if count == 1 else f"{count} written answers"


def _worst(report: ClassReport) -> Iterator[tuple[str, str, int, float]]:
    """Yield check, reason, number of students and points lost, those that cost most first."""
    lost: Counter[tuple[str, str]] = Counter()
    students: Counter[tuple[str, str]] = Counter()
    for student in report.students:
        for check, result in student.checks.items():
            if result.points < result.maximum:
                key = check, reason_of(result)
                lost[key] += result.maximum - result.points  # ty: ignore[invalid-assignment]
                students[key] += 1
    for key, points in lost.most_common():
        yield *key, students[key], points
