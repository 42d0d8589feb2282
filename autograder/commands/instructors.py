"""What an instructor types, in the order of a term."""

import argparse
import gc
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.commands.shared import (
    chosen,
    positive,
    print_notices,
    print_out_of_date,
    runs_notebooks,
    takes,
    takes_assignments,
    the_course,
)
from autograder.errors import UserError

if TYPE_CHECKING:
    from autograder.grading.course import AssignmentFolders


@takes("assignment", metavar="ASSIGNMENT")
@takes("source", type=Path, metavar="DOWNLOAD")
@takes("--roster", type=Path, metavar="CSV", help="who is in the class: see the documentation")
@takes("--id", default="", metavar="COLUMN", help="the roster's column that names the students")
def collect(options: argparse.Namespace) -> int:
    """Take the submissions from a download of Moodle, Canvas or Gradescope, or from a folder."""
    from autograder.grading.gradebook import enrol, patiently
    from autograder.lms import roster
    from autograder.lms.collect import collect

    assignment = the_course(options).assignment(options.assignment)
    assignment.notebook()  # is there such an assignment?
    people = roster.read(options.roster, options.id) if options.roster else None
    done = collect(assignment, options.source, people)
    if people:
        names = {one.id: (one.person.name, one.person.email) for one in people.students}
        patiently(lambda: enrol(assignment.course, names))
    total = len(done.new) + len(done.replaced) + len(done.unchanged)
    print(
        f"{done.system}: {total} submissions; {len(done.new)} new, {len(done.replaced)} replaced "
        f"(what was there is in earlier/), {len(done.unchanged)} unchanged"
    )
    if done.absent:
        print(f"not handed in: {', '.join(done.absent)}")
    for line in done.left_out:
        print(f"left out: {line}", file=sys.stderr)
    return 1 if done.left_out else 0


@takes_assignments("+")
@takes("--student", action="append", help="grade this student only; may be repeated")
@takes("--scheduler", metavar="ADDRESS", help="run on the workers of a Dask cluster")
@takes("--resume", action="store_true", help="skip what is graded and has not changed")
@takes("--table", action="store_true", help="print a row for each student, however wide")
@runs_notebooks
def grade(options: argparse.Namespace) -> int:
    """Grade a class in one assignment or in several, and print how it did."""
    _begin(options)
    gc.disable()  # what is imported stays: to look for garbage in it takes a tenth of the time
    from autograder.grading.cluster import connect
    from autograder.grading.pipeline import grade
    from autograder.grading.progress import show

    gc.freeze()
    gc.enable()
    sys.setswitchinterval(0.0005)  # seconds: kernels wait for threads that wait for their turn
    failed = []
    with ExitStack() as stack:
        shared, assignments = None, chosen(options)
        config = assignments[0].course.config
        config.Execute.assignments = [one.name for one in assignments]
        if len(assignments) > 1:  # they share their workers
            shared = stack.enter_context(connect(options.scheduler, options.workers, config))
        for assignment in assignments:
            print_out_of_date(assignment)
            students = options.student or assignment.students()
            grading = grade(
                assignment, students, options.workers, options.scheduler, options.resume, shared
            )
            failed += show(grading, assignment.name, len(students))
            _print_class(assignment, options.student or (), options.table)
            if not options.student and (left_out := assignment.left_out()):
                print(left_out, file=sys.stderr)
    print_notices(assignments)
    return 1 if failed else 0


@takes_assignments("+")
@takes("--student", action="append", help="judge this student only; may be repeated")
@takes("--dry-run", action="store_true", help="say what would change, and write nothing")
@takes("--workers", type=positive, help="processes (default: one per core)")
def regrade(options: argparse.Namespace) -> int:
    """Judge what was graded again, by today's references and settings, without running it."""
    from autograder.grading.progress import show_regraded
    from autograder.grading.regrade import regrade

    to_run = 0
    for assignment in chosen(options):
        print_out_of_date(assignment)
        found = regrade(assignment, options.student or (), options.workers, options.dry_run)
        to_run += show_regraded(found, assignment.name, options.dry_run)
    return 1 if to_run else 0


@takes("assignment", metavar="ASSIGNMENT")
@takes("file", type=Path, metavar="CSV")
@takes("--output", type=Path, metavar="CSV", help="where to write it (default: CSV-grades.csv)")
@takes("--column", default="", help="the column to fill (default: that named after ASSIGNMENT)")
@takes("--id", default="", metavar="COLUMN", help="the column that names the students")
def export(options: argparse.Namespace) -> int:
    """Fill the grades into a file that Canvas, Moodle or Blackboard exported, to be imported."""
    from autograder.grading.gradebook import patiently, totals
    from autograder.lms.gradebooks import Grades, fill

    assignment = the_course(options).assignment(options.assignment)
    found = patiently(lambda: totals(assignment))
    grades = Grades(assignment.name, found.maximum, found.points)
    done = fill(options.file, grades, options.column, options.id)
    path = options.output or options.file.with_name(f"{options.file.stem}-grades.csv")
    try:
        path.write_text(done.text, encoding="utf-8", newline="")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; name another file with --output.") from None
    print(f"wrote {path}: {len(done.filled)} grades for {done.system}, column {done.column}")
    for what, who in (("no grade", done.without_grade), ("not in the file", done.not_there)):
        if who:
            print(f"{what}: {', '.join(who)}", file=sys.stderr)
    if found.unmarked:
        print(f"submissions with answers that nobody has marked: {found.unmarked}", file=sys.stderr)
    return 0


@takes("assignment", metavar="ASSIGNMENT")
@takes("source", type=Path, metavar="DOWNLOAD")
@takes("--roster", type=Path, metavar="CSV", help="who is in the class: as for `collect`")
@takes("--id", default="", metavar="COLUMN", help="the roster's column that names the students")
@takes("--output", type=Path, metavar="ZIP", help="where to write (default: DOWNLOAD-feedback.zip)")
def feedback_zip(options: argparse.Namespace) -> int:
    """Put feedback pages into a zip that Moodle or Canvas takes, named as in its download."""
    from autograder.lms import feedback, roster

    assignment, source = the_course(options).assignment(options.assignment), options.source
    people = roster.read(options.roster, options.id) if options.roster else None
    found = feedback.pages(assignment, source, people)
    source = source if source.name else source.resolve()  # if it is the current folder
    path = options.output or source.with_name(f"{source.name.removesuffix('.zip')}-feedback.zip")
    if path.resolve() == source.resolve():
        raise UserError(f"{path}: this is the download; name another file with --output.")
    try:
        feedback.write(found, path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; name another file with --output.") from None
    size = path.stat().st_size / 1e6
    print(f"wrote {path}: {size:.1f} MB, students with feedback: {len(found.students)}")
    where = {"moodle": "Upload multiple feedback files in a zip", "canvas": "Upload Submissions"}
    print(f"upload it in {found.system.title()}: {where[found.system]}")
    for what, who in (
        ("no feedback", found.without),
        ("not in the download", found.not_there),
        (f"graded since (nbgrader generate_feedback {assignment.name} --force)", found.old),
    ):
        if who:
            print(f"{what}: {', '.join(who)}", file=sys.stderr)
    for line in found.left_out:
        print(f"left out: {line}", file=sys.stderr)
    return 0


@takes("assignment", metavar="ASSIGNMENT")
@takes("--output", type=Path, metavar="ZIP", help="default: dist/ASSIGNMENT-gradescope.zip")
def gradescope(options: argparse.Namespace) -> int:
    """Write an assignment's autograder as a zip for Gradescope."""
    from autograder.authoring import gradescope
    from autograder.grading.rules import rules_of
    from autograder.lms.gradescope import visibility, written_answers

    course = the_course(options)
    assignment = course.assignment(options.assignment)
    answers, shown = written_answers(assignment), visibility(course.config)
    print_out_of_date(assignment)
    path = options.output or course.root / "dist" / f"{assignment.name}-gradescope.zip"
    gradescope.write(assignment, path)
    rules = rules_of(assignment.notebook(), course.config)
    points = sum(rules.maximum(check) for check in rules.points)
    print(f"wrote {path}, {path.stat().st_size / 1e6:.1f} MB; it holds the answers")
    print(f"Autograder Points: {points:g}; students see their results: {shown}")
    for name, worth in answers.items():
        print(f"a question to mark by hand: {name}, {worth:g} points")
    return 0


@takes("assignment", metavar="ASSIGNMENT")
@takes("--port", type=int, default=0, help="where the page is (default: any free port)")
@takes("--no-browser", action="store_true", help="only print the page's address")
@takes("--seed", type=int, default=0, metavar="N", help="another random order of the answers")
@takes("--marker", default="", metavar="NAME", help="an order of your own, if several mark at once")
def mark(options: argparse.Namespace) -> int:
    """Mark written answers on a page of this machine: question by question, without names."""
    import asyncio
    import webbrowser

    from autograder.marking.desk import Desk
    from autograder.marking.server import serve

    assignment = the_course(options).assignment(options.assignment)
    desk = Desk(assignment, options.seed, options.marker)

    def ready(address: str) -> None:
        print(f"marking {assignment.name}: {address}\nCtrl-C ends it.", flush=True)
        if not options.no_browser:
            webbrowser.open(address)

    with suppress(KeyboardInterrupt):
        asyncio.run(serve(desk, options.port, ready))
    print("\nended; every mark is in the gradebook.")
    return 0


@takes("student", metavar="STUDENT")
@takes("assignment", metavar="ASSIGNMENT")
@takes("check", metavar="CHECK")
def show(options: argparse.Namespace) -> int:
    """Show what a check asked a student's code, what it found, and what is expected."""
    from autograder.grading.show import show

    print(show(the_course(options).assignment(options.assignment), options.student, options.check))
    return 0


@takes_assignments("*")
def report(options: argparse.Namespace) -> int:
    """Write the class report of some assignments; without a name, of all and of the course."""
    from autograder.reports import course_page, page, results

    assignments = chosen(options)
    if not options.assignments:
        assignments = results.graded(assignments)
    folder = assignments[0].course.root / "report"
    course = {} if options.assignments else {"the course": "index.html"}
    found = []
    for assignment in assignments:
        found.append(results.collect(assignment))
        print(f"wrote {assignment.named(page.write(found[-1], folder, course))}")
    if course:
        print(f"wrote {assignments[0].named(course_page.write(found, folder))}")
    return 0


@takes("assignment", metavar="ASSIGNMENT")
@takes("--output", type=Path, metavar="FOLDER", help="where to write (default: report/)")
@takes(
    "--given",
    type=Path,
    action="append",
    metavar="FILE",
    help="a notebook or text that all could copy from; may be repeated",
)
@takes(
    "--common",
    type=positive,
    metavar="N",
    help="leave out what more than N students share (default: 10, or 5 %% of the class)",
)
@takes("--workers", type=positive, help="processes (default: one per core)")
def similar(options: argparse.Namespace) -> int:
    """Show which submissions are alike, side by side; what was given is no evidence."""
    from autograder.reports.similar import compare, page, read

    assignment = the_course(options).assignment(options.assignment)
    given = read.given(assignment, options.given or ())
    class_, unreadable = read.submissions(assignment, options.workers)
    compared = compare.compare(class_, given, options.common)
    folder = options.output or assignment.course.root / "report"
    try:
        paths = page.write(assignment.name, class_, unreadable, compared, folder)
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}; name another folder with --output.") from None
    print(f"compared {len(class_)} submissions; pairs that are alike: {len(compared.pairs)}")
    shown = paths[0] if options.output else assignment.named(paths[0])
    print(f"wrote {shown} and {paths[1].name}: no verdict; read the page first")
    for one in unreadable:
        print(f"left out: {one.student}: {one.unreadable}", file=sys.stderr)
    return 0


@takes()
def doctor(options: argparse.Namespace) -> int:
    """Look for what is wrong with this machine or this course."""
    from itertools import chain

    from autograder.grading.doctor import course, machine

    wrong = 0
    for finding in chain(machine(), course(the_course(options))):
        mark = "ok   " if not finding.wrong else "WRONG" if finding.matters else "look "
        wrong += bool(finding.wrong and finding.matters)
        print(f"{mark}  {finding.what}: {finding.wrong or finding.said}")
    return 1 if wrong else 0


def _begin(options: argparse.Namespace) -> None:
    """Start the warm process before anything else, because it takes seconds.

    It has the settings that a course most likely has; for other settings, another one replaces it.
    """
    from autograder.sandbox import client

    source = Path(options.course).resolve() / "source"
    if source.is_dir() and not options.scheduler and client.CAN_FORK:
        sandbox = not options.no_sandbox
        with suppress(UserError, OSError, ValueError):  # it is said when the course is open
            client.begin(client.settings(source, options.assignments, sandbox=sandbox))


def _print_class(
    assignment: "AssignmentFolders", students: Sequence[str], whole_table: bool
) -> None:
    from rich.console import Console

    from autograder.grading.gradebook import patiently
    from autograder.reports import results, terminal

    found = patiently(lambda: results.collect(assignment))
    if students:
        print(*(terminal.student_lines(found, student) for student in students), sep="\n")
    elif whole_table:
        console = Console(width=max(Console().width, terminal.width_of(found)))
        console.print(terminal.table(found))
    else:
        print(terminal.summary(found))
