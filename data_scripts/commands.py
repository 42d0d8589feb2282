"""The command line that every data set has: `python -m data_scripts.NAME`."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from data_scripts.fetch import Source
from data_scripts.storage import SHARED, DataNotFound, Stored, roots


class DataSet(Protocol):
    """What the command line asks of a data set."""

    @property
    def name(self) -> str:
        """Its name on the command line."""

    @property
    def title(self) -> str:
        """Its name as messages say it."""

    @property
    def sources(self) -> Sequence[Source]:
        """Where it can be had."""

    @property
    def parts(self) -> Sequence[str]:
        """What can be had one by one: `prepare` then takes `only`, too."""

    def prepare(
        self,
        *,
        real: bool,
        root: str | Path | None = None,
        source: str | None = None,
        given: str | Path | None = None,
    ) -> Path:
        """Put the set on disk, embedded or real. Raises DataNotFound."""

    def stored(self, root: str | Path | None = None, check: bool = False) -> Iterator[Stored]:
        """Yield what of the set is on disk, with `check` compared with what it must be."""


EMBEDDED = "embedded"


def main(data_set: DataSet, arguments: Sequence[str] | None = None) -> None:
    """Prepare a data set, or look at what is there. Exits with 1 and a sentence on failure."""
    options = _parser(data_set).parse_args(arguments)
    try:
        if not options.check:
            _prepare(data_set, options)
        wrong = show(data_set.stored(options.root, check=options.check))
    except DataNotFound as error:
        sys.exit(f"{data_set.name}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    if wrong:
        sys.exit(f"{data_set.name}: {wrong}")


def _prepare(data_set: DataSet, options: argparse.Namespace) -> None:
    embedded = options.source == EMBEDDED
    data_set.prepare(
        real=not embedded, root=options.root, source=None if embedded else options.source,
        given=options.given, **({"only": options.only} if options.only else {}),
    )  # fmt: skip


def show(stored: Iterable[Stored]) -> str:
    """Print what is on disk, a line each. Returns what is wrong with it, or nothing."""
    wrong, empty = [], True
    try:
        for one in stored:
            empty = False
            print(f"{one.what:<28} {one.size / 1e6:>9.1f} MB  {one.origin:<24} {one.path}")
            for line in one.digests:
                print(f"    {line}")
            if one.wrong:
                wrong.append(f"{one.path}: {one.wrong}")
    except OSError as error:
        return f"{error.filename}: it cannot be read ({error.strerror})"
    if empty:
        print("There is no data yet.")
    return "; ".join(wrong)


def add_root(parser: argparse.ArgumentParser) -> None:
    """Let a command line say which folder data is kept in."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--root", type=Path, help=f"where data is kept (default: {roots()[0]})")
    where.add_argument(
        "--shared", dest="root", action="store_const", const=SHARED,
        help=f"keep it for everybody who uses this Python ({SHARED})",
    )  # fmt: skip


def _parser(data_set: DataSet) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m data_scripts.{data_set.name}",
        description=f"{data_set.title}: fetch it from whichever source answers, or take it from "
        "your own copy.",
    )
    names = list(dict.fromkeys(source.name for source in data_set.sources))
    add_root(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--source", choices=[*names, EMBEDDED], help="use only this source")
    what.add_argument("--from", dest="given", metavar="FILE_OR_FOLDER", type=Path,
                      help="take the real data from this file or folder")  # fmt: skip
    what.add_argument("--check", action="store_true",
                      help="compare what is there with what it must be")  # fmt: skip
    if data_set.parts:
        parser.add_argument("--only", metavar="NAME", help="only this part of the set")
    else:
        parser.set_defaults(only=None)
    return parser
