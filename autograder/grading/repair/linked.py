"""Pictures that answers show from files, handed in beside the notebook.

Where a whole folder is handed in, through nbgrader's exchange or in an archive of one's own, they
come as files; whoever marks the answers sees a notebook alone.
"""

import os.path
from pathlib import Path, PurePath
from urllib.parse import unquote

from nbformat import NotebookNode

from autograder.grading import files
from autograder.grading.repair.submitted import ALL_PICTURES
from autograder.notebook import pictures

MOST = 100  # pictures that are put into a notebook
LINKS = 1000  # that are followed


def carry(notebook: NotebookNode, folder: Path) -> None:
    """Put pictures that a student's text cells show from files in a folder into the cells.

    A link out of the folder, a file that is no picture or larger than 6 MB, and what is too much
    for one notebook stay as they are. A platform may have put all files into one folder: a
    picture is found there, too.
    """
    texts = [cell for cell in notebook.cells if _is_students(cell)]
    texts = [cell for cell in texts if any(pictures.links(cell.source))]
    if not texts:
        return
    found, known = files.in_folder(folder), dict[Path, bytes | None]()
    room = ALL_PICTURES - sum(
        len(data) for cell in notebook.cells for forms in cell.get("attachments", {}).values()
        for data in forms.values()
    )  # fmt: skip
    followed = put = 0

    def read(link: str) -> bytes | None:
        nonlocal room, followed, put
        followed += 1
        if followed > LINKS or put >= MOST:
            return None
        name = os.path.normpath(unquote(link).replace("\\", "/"))
        path = found.get(name) or found.get(PurePath(name).name)
        if path is None:
            return None
        limit = min(pictures.LARGEST, room * 3 // 4)
        if path not in known:
            known[path] = _picture(path, limit)
        picture = known[path]
        if picture is None or len(picture) > limit:
            return None
        room -= len(picture) * 4 // 3
        put += 1
        return picture

    for cell in texts:
        cell.source, attached = pictures.carry(cell.source, read, cell.get("attachments", {}))
        if attached:
            cell.attachments = {**cell.get("attachments", {}), **attached}


def _is_students(cell: NotebookNode) -> bool:
    about = cell.metadata.get("nbgrader", {})
    locked = not about.get("solution") and (about.get("grade") or about.get("locked"))
    return cell.cell_type == "markdown" and not locked


def _picture(path: Path, limit: int) -> bytes | None:
    """Read a file that is not empty and not larger than a limit."""
    try:
        if path.stat().st_size > limit:
            return None
    except OSError:  # it has gone
        return None
    picture = files.read(path, limit)
    return picture if picture and len(picture) <= limit else None
