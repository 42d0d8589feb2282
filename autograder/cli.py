"""The command `autograder`."""

import argparse
import errno
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING

import autograder
from autograder.errors import UserError

if TYPE_CHECKING:
    from autograder.grading.course import AssignmentFolders, Course


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns 0, or 1 after a sentence that says what was wrong."""
    # jsonschema would build a grammar of addresses with it, in 2 s, that nothing here needs
    sys.modules.setdefault("rfc3987_syntax", None)  # ty: ignore[no-matching-overload]: None bars it
    _open_what_is_closed()
    options = _parser().parse_args(arguments)
    if options.command not in FOR_STUDENTS and find_spec("nbgrader") is None:
        return _fail("what an instructor needs is not installed: "
                     "`pip install 'gradient-check[instructor]'`.")  # fmt: skip
    try:
        return options.command(options)
    except KeyboardInterrupt:
        return _fail("stopped; finished work is kept.") + 129
    except UserError as error:
        return _fail(*error.sentences)
    except OSError as error:  # whoever reads what is printed has gone, or its disk is full
        if error.errno not in (errno.EPIPE, errno.ENOSPC) or not _output_fails():
            raise
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        return _fail(f"the output cannot be written ({error.strerror}); finished work is kept.")


def check(options: argparse.Namespace) -> int:
    """Run a notebook as a student would before handing in, and write the zip to hand in."""
    from autograder.notebook import hand_in

    notebook = hand_in.load(options.notebook)
    folder = options.notebook.resolve().parent
    looked = hand_in.look(notebook, folder)
    print(looked.grid().text())
    print(f"\nwrote {hand_in.write(looked, folder, options.student)}")
    return 1 if looked.missing else 0


def progress(options: argparse.Namespace) -> int:
    """Show how far a student is with each assignment, from the notebooks in a folder."""
    from autograder.notebook import progress

    print(progress.show(options.folder).text())
    return 0


def sync(options: argparse.Namespace) -> int:
    """Write source notebooks from their .py files."""
    from autograder.authoring.release import sync

    for assignment in _chosen(options):
        print(f"wrote {assignment.named(sync(assignment))}")
    return 0


def release(options: argparse.Namespace) -> int:
    """Generate student versions."""
    from autograder.authoring.release import release

    for assignment in _chosen(options):
        print(f"released {assignment.named(release(assignment))}")
        _print_out_of_date(assignment)
    return 0


def reference(options: argparse.Namespace) -> int:
    """Record reference tensors."""
    from autograder.authoring.record import record

    for assignment in _chosen(options):
        recording = record(assignment, options.seed, options.workers, options.real)
        for path in recording.write(assignment.source):
            print(f"recorded {assignment.named(path)}, {path.stat().st_size / 1000:.0f} kB")
    return 0


def mutants(options: argparse.Namespace) -> int:
    """Generate wrong solutions, and list those that the checks let through."""
    from autograder.authoring import mutants

    to_settle = 0
    for assignment in _chosen(options):
        tried = list(mutants.try_all(assignment, options.seed, options.limit, options.workers))
        to_settle += sum(not one.as_marked for one in tried)
        print(*mutants.report(assignment.name, tried), sep="\n")
    return 1 if to_settle else 0


def new(options: argparse.Namespace) -> int:
    """Make the folder of a new assignment, with one exercise to start from."""
    from autograder.authoring.new import new

    for path in new(options.course, options.assignment):
        print(f"wrote {path}")
    return 0


def wheel(options: argparse.Namespace) -> int:
    """Build the course's package, to hand out with the notebooks."""
    from autograder.authoring.wheel import build

    for path in build(_open(options).source, options.output):
        print(f"built {path}, {path.stat().st_size / 1e6:.1f} MB")
    return 0


def publish(options: argparse.Namespace) -> int:
    """Write a repository for students, ready to push, in which nothing gives an answer away."""
    from autograder.authoring.publish import Repository, publish

    chosen = _chosen(options)
    for assignment in chosen:
        _print_out_of_date(assignment)
    repository = Repository(options.repository, options.branch)
    folder = options.folder
    names = publish(chosen[0].course, folder, repository, options.package, chosen)
    print(f"wrote {len(names)} files into {folder}; nothing in them gives an answer away")
    print(f"to hand it out: git -C {folder} add -A, commit, push")
    return 0


def grade(options: argparse.Namespace) -> int:
    """Grade a class in one assignment or in several, and print its points."""
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
        shared, chosen = None, _chosen(options)
        chosen[0].course.config.Execute.assignments = [one.name for one in chosen]
        if len(chosen) > 1:  # they share their workers
            workers = connect(options.scheduler, options.workers, chosen[0].course.config)
            shared = stack.enter_context(workers)
        for assignment in chosen:
            _print_out_of_date(assignment)
            students = options.student or assignment.students()
            grading = grade(
                assignment, students, options.workers, options.scheduler, options.resume, shared
            )
            failed += show(grading, assignment.name, len(students))
            _print_class(assignment)
            if not options.student and (left_out := assignment.left_out()):
                print(left_out, file=sys.stderr)
    return 1 if failed else 0


def report(options: argparse.Namespace) -> int:
    """Write the class report of one assignment or of several."""
    from autograder.grading import report

    for assignment in _chosen(options):
        folder = assignment.course.root / "report"
        path = report.write(report.collect(assignment), folder)
        print(f"wrote {assignment.named(path)}")
    return 0


FOR_STUDENTS = (check, progress)


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


def _open(options: argparse.Namespace) -> "Course":
    """Open the course of a command."""
    from autograder.grading.course import open_course

    course = open_course(options.course)
    if getattr(options, "no_sandbox", False):
        course.config.Execute.sandbox = False
    return course


def _chosen(options: argparse.Namespace) -> "list[AssignmentFolders]":
    """Return the folders of the assignments that were named, or else of all there are."""
    course = _open(options)
    return [course.assignment(name) for name in options.assignments or course.assignments()]


def _print_out_of_date(assignment: "AssignmentFolders") -> None:
    from autograder.grading.recorded import out_of_date

    with suppress(UserError):  # whoever needs what is missing says so
        if said := out_of_date(assignment):
            print(said, file=sys.stderr)


def _print_class(assignment: "AssignmentFolders") -> None:
    from rich.console import Console

    from autograder.grading import report
    from autograder.grading.gradebook import patiently

    console = Console(width=max(Console().width, 150))  # narrower, it would drop columns
    console.print(report.table(patiently(lambda: report.collect(assignment))))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="autograder", description=autograder.__doc__)
    parser.add_argument("--version", action="version", version=autograder.__version__)
    parser.add_argument(
        "--course", type=Path, default=".", help="course folder (default: this one)"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(command: FunctionType, how_many: str = "") -> argparse.ArgumentParser:
        about = command.__doc__
        sub = commands.add_parser(command.__name__, help=about, description=about)
        sub.set_defaults(command=command)
        if how_many:
            sub.add_argument("assignments", nargs=how_many, metavar="ASSIGNMENT")
        return sub

    sub = add(check)
    sub.add_argument("notebook", type=Path, metavar="NOTEBOOK")
    sub.add_argument("--student", default="", help="the name to write into the zip")
    add(progress).add_argument("folder", type=Path, nargs="?", default=".", metavar="FOLDER")
    add(sync, "*")
    add(release, "*")
    sub = add(reference, "*")
    sub.add_argument("--seed", type=int, default=0, help="seed of the hidden cases (default: 0)")
    sub.add_argument(
        "--real", action="store_true", help="add cases of real data, which must be on this machine"
    )
    _let_run(sub)
    sub = add(mutants, "+")
    sub.add_argument("--seed", type=int, default=0, help="seed that chooses which run (default: 0)")
    sub.add_argument("--limit", type=_positive, help="run only this many (default: all)")
    _let_run(sub)
    sub = add(grade, "+")
    sub.add_argument("--student", action="append", help="grade this student only; may be repeated")
    sub.add_argument("--scheduler", metavar="ADDRESS", help="run on the workers of a Dask cluster")
    sub.add_argument(
        "--resume", action="store_true", help="skip what is graded and has not changed"
    )
    _let_run(sub)
    add(new).add_argument("assignment", metavar="ASSIGNMENT")
    add(wheel).add_argument("--output", type=Path, default="dist", help="folder (default: dist)")
    sub = add(publish)
    sub.add_argument("folder", type=Path, metavar="DIR")
    sub.add_argument("assignments", nargs="*", metavar="ASSIGNMENT")
    sub.add_argument("--repository", default="", metavar="URL", help="where students will find it")
    sub.add_argument("--branch", default="main", help="its branch (default: main)")
    sub.add_argument(
        "--package", default="", metavar="ADDRESS",
        help="where notebooks get the package: a name on an index, the address of a wheel or of a "
        "git repository (default: the wheel in the repository)",
    )  # fmt: skip
    add(report, "+")
    return parser


def _let_run(sub: argparse.ArgumentParser) -> None:
    """Add the options of a command that runs notebooks."""
    sub.add_argument("--workers", type=_positive, help="processes (default: one per core)")
    sub.add_argument("--no-sandbox", action="store_true", help="run notebooks with all your rights")


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text}: at least 1 is needed")
    return number


def _output_fails() -> bool:
    """Say whether nothing can be printed."""
    try:
        print(flush=True)  # an empty line: what failed before may be in no buffer any more
    except OSError:
        return True
    return False


def _open_what_is_closed() -> None:
    """Open the three standard files if a job started this process without them."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), fd)
            os.set_inheritable(fd, True)
            setattr(sys, name, os.fdopen(fd, "w" if fd else "r"))


def _fail(*sentences: str) -> int:
    for sentence in sentences:
        print(f"autograder: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
