"""What an author of assignments types."""

import argparse
from pathlib import Path

from autograder.commands.shared import (
    chosen,
    positive,
    print_out_of_date,
    runs_notebooks,
    takes,
    takes_assignments,
    the_course,
)


@takes_assignments("*")
def sync(options: argparse.Namespace) -> int:
    """Write source notebooks from their .py files."""
    from autograder.authoring.release import sync

    for assignment in chosen(options):
        print(f"wrote {assignment.named(sync(assignment))}")
    return 0


@takes_assignments("*")
def release(options: argparse.Namespace) -> int:
    """Generate student versions."""
    from autograder.authoring.release import release

    for assignment in chosen(options):
        print(f"released {assignment.named(release(assignment))}")
        print_out_of_date(assignment)
    return 0


@takes_assignments("*")
@takes("--seed", type=int, default=0, help="seed of the hidden cases (default: 0)")
@takes("--real", action="store_true", help="add cases of real data, which must be on this machine")
@runs_notebooks
def reference(options: argparse.Namespace) -> int:
    """Record reference tensors."""
    from autograder.authoring.record import record

    for assignment in chosen(options):
        recording = record(assignment, options.seed, options.workers, options.real)
        for path in recording.write(assignment.source):
            print(f"recorded {assignment.named(path)}, {path.stat().st_size / 1000:.0f} kB")
    return 0


@takes_assignments("+")
@takes("--seed", type=int, default=0, help="seed that chooses which run (default: 0)")
@takes("--limit", type=positive, help="run only this many (default: all)")
@runs_notebooks
def mutants(options: argparse.Namespace) -> int:
    """Generate wrong solutions, and list those that the checks let through."""
    from autograder.authoring import mutants

    to_settle = 0
    for assignment in chosen(options):
        tried = list(mutants.try_all(assignment, options.seed, options.limit, options.workers))
        to_settle += sum(not one.as_marked for one in tried)
        print(*mutants.report(assignment.name, tried), sep="\n")
    return 1 if to_settle else 0


@takes("assignment", metavar="ASSIGNMENT")
def new(options: argparse.Namespace) -> int:
    """Make the folder of a new assignment, with one exercise to start from."""
    from autograder.authoring.new import new

    for path in new(options.course, options.assignment):
        print(f"wrote {path}")
    return 0


@takes("--output", type=Path, default="dist", help="folder (default: dist)")
def wheel(options: argparse.Namespace) -> int:
    """Build the course's package, to hand out with the notebooks."""
    from autograder.authoring.wheel import build

    for path in build(the_course(options).source, options.output):
        print(f"built {path}, {path.stat().st_size / 1e6:.1f} MB")
    return 0


@takes("folder", type=Path, metavar="DIR")
@takes_assignments("*")
@takes("--repository", default="", metavar="URL", help="where students will find it")
@takes("--branch", default="main", help="its branch (default: main)")
@takes(
    "--package", default="", metavar="ADDRESS",
    help="where notebooks get the package: a name on an index, the address of a wheel or of a git "
    "repository (default: the wheel in the repository)",
)  # fmt: skip
def publish(options: argparse.Namespace) -> int:
    """Write a repository for students, ready to push, in which nothing gives an answer away."""
    from autograder.authoring.publish import Repository, publish

    assignments = chosen(options)
    for assignment in assignments:
        print_out_of_date(assignment)
    repository = Repository(options.repository, options.branch)
    folder = options.folder
    names = publish(assignments[0].course, folder, repository, options.package, assignments)
    print(f"wrote {len(names)} files into {folder}; nothing in them gives an answer away")
    print(f"to hand it out: git -C {folder} add -A, commit, push")
    return 0
