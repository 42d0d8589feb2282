"""What commands share: how they say what they take, and how they open a course."""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from autograder.errors import UserError

if TYPE_CHECKING:
    from autograder.grading.course import AssignmentFolders, Course

Command = Callable[[argparse.Namespace], int]
Function = TypeVar("Function", bound=Command)


def takes(*names: str, **settings: Any) -> Callable[[Function], Function]:
    """Add an argument to a command, as `argparse` describes it; the first one is at the top.

    Without a name, the command takes nothing.
    """

    def add(command: Function) -> Function:
        arguments = command.__dict__.setdefault("arguments", [])
        if names:
            arguments.insert(0, (names, settings))
        return command

    return add


def takes_assignments(how_many: str) -> Callable[[Function], Function]:
    """Let a command be given the names of assignments: at least one (+), or any number (*)."""
    return takes("assignments", nargs=how_many, metavar="ASSIGNMENT")


def runs_notebooks(command: Function) -> Function:
    """Add the options of a command that runs notebooks."""
    takes("--no-sandbox", action="store_true", help="run notebooks with all your rights")(command)
    return takes("--workers", type=positive, help="processes (default: one per core)")(command)


def positive(text: str) -> int:
    """Return a number that is at least 1. Raises ArgumentTypeError, which argparse prints."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text}: at least 1 is needed")
    return number


def the_course(options: argparse.Namespace) -> "Course":
    """Open the course of a command. Raises CourseError."""
    from autograder.grading.course import open_course

    course = open_course(options.course)
    if getattr(options, "no_sandbox", False):
        course.config.Execute.sandbox = False
    return course


def chosen(options: argparse.Namespace) -> "list[AssignmentFolders]":
    """Return the folders of the assignments that were named, or else of all there are."""
    course = the_course(options)
    return [course.assignment(name) for name in options.assignments or course.assignments()]


def print_out_of_date(assignment: "AssignmentFolders") -> None:
    """Say on standard error what has changed since an assignment's references were recorded."""
    from autograder.grading.recorded import out_of_date

    with suppress(UserError):  # whoever needs what is missing says so
        if said := out_of_date(assignment):
            print(said, file=sys.stderr)


def print_notices(assignments: "Sequence[AssignmentFolders]") -> None:
    """Say on standard error what else may be wrong with what was graded."""
    from autograder.grading import notices

    with suppress(UserError):
        for said in (*map(notices.of_release, assignments), notices.of_cases(assignments)):
            if said:
                print(said, file=sys.stderr)
