"""What an instructor sees while a class is graded."""

from collections.abc import Iterable
from time import monotonic

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)  # fmt: skip
from rich.text import Text

from autograder.grading.course import SHOWN
from autograder.grading.journal import Graded
from autograder.grading.regrade import Regraded


class RateColumn(TextColumn):
    """Submissions a minute."""

    def render(self, task: Task) -> Text:
        """Draw the rate, once there is one."""
        rate = task.finished_speed or task.speed
        return Text(f"{60 * rate:.0f}/min" if rate else "")


def show(grading: Iterable[Graded], assignment: str, total: int) -> list[Graded]:
    """Draw the progress of a class, a line for each failure and repair, and a summary.

    Returns those that could not be graded.
    """
    console, start = Console(), monotonic()
    failed: list[Graded] = []
    repaired = done = 0
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), RateColumn(""),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"grading {assignment}", total=total)
        for graded in grading:
            done += 1
            progress.advance(task)
            notes = [note for found in (graded.notes or {}).values() for note in found]
            repaired += bool(notes)
            for note in notes:
                _say(console, f"{graded.student}: {note}", "yellow")
            if graded.error:
                failed.append(graded)
                _say(console, f"{graded.student} could not be graded: {graded.error}", "red")
    seconds = monotonic() - start
    before = f", {total - done} were graded before" if done < total else ""
    _say(
        console,
        f"{done - len(failed)} graded in {seconds:.0f} s, {len(failed)} could not be, "
        f"{repaired} repaired{before}.",
        "",
    )
    return failed


def show_regraded(found: Iterable[Regraded], assignment: str, dry_run: bool) -> int:
    """Print a line for each submission that changed, and a summary.

    Returns how many could not be judged again.
    """
    console, start = Console(), monotonic()
    total = changed = shown = 0
    by_reason: dict[str, list[str]] = {}
    for one in found:
        total += 1
        if one.why_not:
            by_reason.setdefault(one.why_not, []).append(one.student)
        elif one.points:
            changed += 1
            _say(console, _changes(one))
        else:
            shown += bool(one.other)
    again, seconds = total - sum(map(len, by_reason.values())), monotonic() - start
    _say(
        console,
        f"{assignment}: {again} judged again in {seconds:.1f} s; the points of {changed} "
        f"{'would change' if dry_run else 'changed'}, and only reasons or hints for {shown}."
        + dry_run
        * " Nothing was written.",
    )
    for reason, students in by_reason.items():
        named = ", ".join(students[:SHOWN]) + ", …" * (len(students) > SHOWN)
        _say(
            console,
            f"{len(students)} could not be ({reason}): run `autograder grade {assignment}` for "
            f"{named}",
            "red",
        )
    return total - again


def _changes(one: Regraded) -> str:
    total = sum(after - before for before, after in one.points.values())
    said = [f"{check} {before:g} → {after:g}" for check, (before, after) in one.points.items()]
    return f"{one.student}: {total:+g} points ({', '.join(said)})"


def _say(console: Console, text: str, style: str = "") -> None:
    """Print a line that a student had a part in: none of it is markup."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
