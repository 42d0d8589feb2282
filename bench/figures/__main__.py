"""Measure a figure of the seeds, or continue where a killed process stopped.

Without a name: list all figures. An experiment runs from a few minutes to hours, prints its
steps, and keeps each finished one and each finished epoch, in `runs/figures/NAME`. Its result
goes to `docs/figures/NAME.json`, and from there into `docs/results.md`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from autograder.errors import UserError
from bench.figures import page
from bench.figures.figure import KEPT, record, run
from bench.figures.registry import FIGURES
from bench.figures.work import Work

WORK = Path("runs/figures")


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.figures", description=__doc__)
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="of a figure to measure")
    add("--small", action="store_true", help="whether it runs: in a minute, on drawn data")
    add("--work", type=Path, default=WORK, help="where steps are kept (default: %(default)s)")
    add("--threads", type=int, default=1, help="of the processor (default: %(default)s)")
    add("--page", action="store_true", help="only make docs/results.md anew")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in FIGURES]
    if unknown:
        parser.error(f"no figure {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    if not options.names and not options.page:
        overview()
        return
    torch.set_num_threads(options.threads)
    for name in options.names:
        work = Work(options.work / (f"{name}_small" if options.small else name), options.small)
        try:
            path = run(FIGURES[name], work, work.folder if options.small else KEPT)
        except UserError as reason:
            sys.exit(f"{name}: {reason}")
        print(path.read_text())
    if not options.small:
        page.write(FIGURES)


def overview() -> None:
    """Print every figure: what we have, what the seed has, and how long it takes."""
    for name, figure in FIGURES.items():
        found = record(name)
        ours = page.value(found["rows"][0]) if found else "not measured here"
        print(f"{name:22}{ours:>20}   seed {figure.seed:24}{figure.minutes:5} min  {figure.title}")


if __name__ == "__main__":
    main()
