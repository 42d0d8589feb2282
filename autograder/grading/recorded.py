"""What references were recorded from, and whether it has changed since."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.grading.course import SHOWN, AssignmentFolders, CourseError
from autograder.grading.notebooks import grade_id
from autograder.notebook import cases
from autograder.sandbox.package import ADAPTERS

COMMENT = re.compile(r"(?m)^\s*(#.*)?\n")  # whole lines, and empty ones


def origins(folder: Path, notebook: NotebookNode) -> dict[str, str]:
    """Return a digest of each file of checks, mistakes and adapters, and of each cell with code.

    `folder` is an assignment's, `notebook` its instructor's. Comments and texts do not count.
    Cells without a name count as one.
    """
    texts = {
        f"checks/{path.name}": path.read_text("utf-8", errors="replace")
        for path in sorted((folder / "checks").glob("[!._]*"))  # no editor's lock, no macOS's copy
        if path.suffix in (".py", ".diff") and path.is_file()
    }
    if (adapters := folder / ADAPTERS).is_file():
        texts[ADAPTERS] = adapters.read_text("utf-8", errors="replace")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            name = grade_id(cell) or "cells without a name"
            texts[name] = f"{texts.get(name, '')}\n{cell.source}"
    return {
        name: hashlib.sha256(COMMENT.sub("", f"{text}\n").encode()).hexdigest()[:16]
        for name, text in texts.items()
    }


def out_of_date(folders: AssignmentFolders) -> str:
    """Say what has changed since references were recorded; nothing if nothing did, or none knows.

    Raises CourseError, CasesNotFound.
    """
    before, path = cases.recorded_from(folders.source), folders.notebook()
    try:
        notebook = nbformat.read(path, 4)
    except (ValueError, nbformat.ValidationError) as error:
        raise CourseError(f"{folders.named(path)}: it is not a notebook.") from error
    return _sentence(folders.name, before, origins(folders.source, notebook)) if before else ""


def _sentence(assignment: str, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if not changed:
        return ""
    more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
    return (
        f"{assignment}: since its references were recorded, {', '.join(changed[:SHOWN])}{more} "
        f"changed; grades still follow the references. `autograder reference {assignment}` records "
        "them again (with your --seed, if you drew cases of your own)."
    )
