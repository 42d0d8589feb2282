"""The command `autograder`."""

import argparse
import errno
import io
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import autograder
from autograder.commands import authors, instructors, students
from autograder.commands.shared import Command
from autograder.errors import UserError

FOR_STUDENTS = students.check, students.progress
COMMANDS: Mapping[str, Command] = {
    command.__name__.replace("_", "-"): command
    for command in (
        *FOR_STUDENTS,
        authors.sync, authors.release, authors.reference, authors.mutants, authors.new,
        authors.wheel, authors.publish,
        instructors.collect, instructors.grade, instructors.regrade, instructors.mark,
        instructors.show, instructors.report, instructors.similar, instructors.export,
        instructors.feedback_zip, instructors.gradescope, instructors.doctor,
    )
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns 0, or 1 after a sentence that says what was wrong."""
    # jsonschema would build a grammar of addresses with it, in 2 s, that nothing here needs
    sys.modules.setdefault("rfc3987_syntax", None)  # ty: ignore[no-matching-overload]: None bars it
    _open_what_is_closed()
    options = parser().parse_args(arguments)
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


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line: each command with what it says that it takes."""
    parser = argparse.ArgumentParser(prog="autograder", description=autograder.__doc__)
    parser.add_argument("--version", action="version", version=autograder.__version__)
    parser.add_argument(
        "--course", type=Path, default=".", help="course folder (default: this one)"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        about = command.__doc__
        sub = commands.add_parser(name, help=about, description=about)
        sub.set_defaults(command=command)
        for names, settings in command.__dict__["arguments"]:
            sub.add_argument(*names, **settings)
    return parser


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
    for stream in (sys.stdout, sys.stderr):  # a terminal without Unicode shows a question mark
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _fail(*sentences: str) -> int:
    for sentence in sentences:
        print(f"autograder: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
