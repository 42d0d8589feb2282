"""Pictures that answers show from files, handed in beside the notebook.

Where a whole folder is handed in, through nbgrader's exchange or in an archive of one's own, they
come as files; whoever marks the answers sees a notebook alone.
"""

import os.path
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePath
from urllib.parse import unquote

from autograder.grading import files
from autograder.grading.repair.submitted import ALL_PICTURES, Cell
from autograder.notebook import pictures


def carried(cells: Iterable[Cell], folder: Path) -> list[Cell]:
    """Put the pictures that text cells show from files in a folder into the cells.

    A link out of the folder, a file that is no picture or larger than 6 MB, and what is too much
    for one notebook stay as they are. A platform may have put all files into one folder: a
    picture is found there, too.
    """
    cells = list(cells)
    if not any(cell.kind == "markdown" and any(pictures.links(cell.source)) for cell in cells):
        return cells
    found = files.in_folder(folder)
    room = ALL_PICTURES - sum(
        len(data) for cell in cells for forms in cell.attachments.values()
        for data in forms.values()
    )  # fmt: skip

    def read(link: str) -> bytes | None:
        nonlocal room
        name = os.path.normpath(unquote(link).replace("\\", "/"))
        path = found.get(name) or found.get(PurePath(name).name)
        picture = files.read(path, pictures.LARGEST) if path else None
        if picture is None or len(picture) > min(pictures.LARGEST, room * 3 // 4):
            return None
        room -= len(picture) * 4 // 3
        return picture

    for number, cell in enumerate(cells):
        if cell.kind == "markdown":
            source, attached = pictures.carry(cell.source, read)
            if attached:
                both = {**cell.attachments, **attached}
                cells[number] = replace(cell, source=source, attachments=both)
    return cells
