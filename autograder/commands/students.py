"""What a student types. It needs nothing but the student's package."""

import argparse
from pathlib import Path

from autograder.commands.shared import takes


@takes("notebook", type=Path, metavar="NOTEBOOK")
@takes("--student", default="", help="the name to write into the zip")
def check(options: argparse.Namespace) -> int:
    """Run a notebook as a student would before handing in, and write the zip to hand in."""
    from autograder.notebook import hand_in

    notebook = hand_in.load(options.notebook)
    folder = options.notebook.resolve().parent
    looked = hand_in.look(notebook, folder)
    print(looked.grid().text())
    print(f"\nwrote {hand_in.write(looked, folder, options.student)}")
    return 1 if looked.missing else 0


@takes("folder", type=Path, nargs="?", default=".", metavar="FOLDER")
def progress(options: argparse.Namespace) -> int:
    """Show how far a student is with each assignment, from the notebooks in a folder."""
    from autograder.notebook import progress

    print(progress.show(options.folder).text())
    return 0
