"""The command `autograder`: sync, release, reference, grade, report."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import autograder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns 0, or 1 after a sentence that says what was wrong."""
    # jsonschema would build a grammar of addresses with it, in 2 s, that nothing here needs
    sys.modules.setdefault("rfc3987_syntax", None)
    options = _parser().parse_args(arguments)
    if find_spec("autograder.grade") is None or find_spec("nbgrader") is None:
        return _fail("this is the student's package; grading needs a clone of the course, "
                     "installed there with `pip install -e .[instructor]`.")  # fmt: skip
    try:
        from autograder import cases, checks, course, reference, solutions
        from autograder.kernels import warm_process
        from data_scripts.storage import DataNotFound

        return options.command(options)
    except KeyboardInterrupt:  # first: it may come before the other names are there
        return _fail("stopped; what was done is kept.") + 129
    except reference.RecordingRefused as error:
        return _fail("nothing was written.", *error.problems)
    except (
        cases.CasesNotFound, checks.NoRealData, checks.UnknownAssignment, course.CourseError,
        DataNotFound, solutions.CellNotFound, warm_process.SandboxError,
    ) as error:  # fmt: skip
        return _fail(str(error))


def sync(options: argparse.Namespace) -> int:
    """Write source notebooks from their .py files."""
    from autograder.course import open_course, sync

    course = open_course(options.course)
    for assignment in options.assignments or course.assignments():
        print(f"wrote {sync(course, assignment).relative_to(course.root)}")
    return 0


def release(options: argparse.Namespace) -> int:
    """Generate student versions."""
    from autograder.course import open_course, release

    course = open_course(options.course)
    for assignment in options.assignments or course.assignments():
        print(f"released {release(course, assignment).relative_to(course.root)}")
    return 0


def reference(options: argparse.Namespace) -> int:
    """Record reference tensors."""
    from autograder import reference

    course = _open(options)
    for assignment in options.assignments or course.assignments():
        recording = reference.record(
            course.source_notebook(assignment), options.seed, options.workers, course.config,
            options.real,
        )  # fmt: skip
        for path in recording.write(assignment):
            print(f"recorded {path.parent.name}/{path.name}, {path.stat().st_size / 1000:.0f} kB")
    return 0


def grade(options: argparse.Namespace) -> int:
    """Grade a class in one assignment or in several, and print its points."""
    from autograder.cluster import connect
    from autograder.grade import grade
    from autograder.progress import show

    course, failed = _open(options), []
    with ExitStack() as stack:
        client = None
        if len(options.assignments) > 1:  # they share their workers
            workers = connect(options.scheduler, options.workers, course.config)
            client = stack.enter_context(workers)
        for assignment in options.assignments:
            students = options.student or course.students(assignment)
            grading = grade(
                course, assignment, students, options.workers, options.scheduler, options.resume,
                client,
            )  # fmt: skip
            failed += show(grading, assignment, len(students))
            _print_class(course, assignment)
    return 1 if failed else 0


def report(options: argparse.Namespace) -> int:
    """Write the class report of one assignment or of several."""
    from autograder import report
    from autograder.course import open_course

    course = open_course(options.course)
    for assignment in options.assignments:
        path = report.write(report.collect(course, assignment), course)
        print(f"wrote {path.relative_to(course.root)}")
    return 0


def _open(options: argparse.Namespace) -> "autograder.course.Course":
    """Open the course of a command that runs notebooks."""
    from autograder.course import open_course

    course = open_course(options.course)
    if options.no_sandbox:
        course.config.Execute.sandbox = False
    return course


def _print_class(course: "autograder.course.Course", assignment: str) -> None:
    from rich.console import Console

    from autograder import report
    from autograder.gradebook import patiently

    console = Console(width=max(Console().width, 150))  # narrower, it would drop columns
    console.print(report.table(patiently(lambda: report.collect(course, assignment))))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="autograder", description=autograder.__doc__)
    parser.add_argument("--version", action="version", version=autograder.__version__)
    parser.add_argument(
        "--course", type=Path, default=".", help="course folder (default: this one)"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: object) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=command.__doc__, description=command.__doc__)
        sub.set_defaults(command=command)
        return sub

    def without_sandbox(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--no-sandbox", action="store_true", help="run notebooks with all your rights"
        )

    sub = add("sync", sync)
    sub.add_argument("assignments", nargs="*", metavar="ASSIGNMENT")
    sub = add("release", release)
    sub.add_argument("assignments", nargs="*", metavar="ASSIGNMENT")
    sub = add("reference", reference)
    sub.add_argument("assignments", nargs="*", metavar="ASSIGNMENT")
    sub.add_argument("--seed", type=int, default=0, help="draws the hidden cases (default: 0)")
    sub.add_argument(
        "--real", action="store_true", help="with cases of real data, which has to be here"
    )
    sub.add_argument("--workers", type=_positive, help="processes (default: one a core)")
    without_sandbox(sub)
    sub = add("grade", grade)
    sub.add_argument("assignments", nargs="+", metavar="ASSIGNMENT")
    sub.add_argument("--student", action="append", help="grade this student only; may be repeated")
    sub.add_argument("--workers", type=_positive, help="processes (default: one a core)")
    sub.add_argument("--scheduler", metavar="ADDRESS", help="run on the workers of a Dask cluster")
    sub.add_argument(
        "--resume", action="store_true", help="leave out what was graded and has not changed"
    )
    without_sandbox(sub)
    sub = add("report", report)
    sub.add_argument("assignments", nargs="+", metavar="ASSIGNMENT")
    return parser


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text}: at least 1 is needed")
    return number


def _fail(*sentences: str) -> int:
    for sentence in sentences:
        print(f"autograder: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
