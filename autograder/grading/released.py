"""What of an assignment's folder is released: the notebook, and what an author names.

nbgrader would copy every file but for those it is told to ignore. The folder holds the solutions,
so here a file that nobody named is not released.
"""

import glob
import os
from pathlib import Path

from traitlets import List, Unicode
from traitlets.config import Config, Configurable


class Release(Configurable):
    """What is released beside the notebooks, set in nbgrader_config.py."""

    include = List(
        Unicode(), help="patterns of files, from an assignment's folder on: figures/*.png"
    ).tag(config=True)


def files(source: Path, config: Config) -> dict[str, Path]:
    """Return what is released of an assignment's folder, by relative path."""
    patterns = [f"{source.name}.ipynb", *Release(config=config).include]
    found = (path for pattern in patterns for path in sorted(source.glob(pattern)))
    own = ((str(path.relative_to(source)), path) for path in found if path.is_file())
    return {name: path for name, path in own if not _is_linked(path, source)}


def _is_linked(path: Path, source: Path) -> bool:
    """Say whether a file, or a folder between it and the assignment's, is a link."""
    parents = path.relative_to(source).parents
    return path.is_symlink() or any((source / parent).is_symlink() for parent in parents[:-1])


def ignored(folder: str, config: Config) -> list[str]:
    """Return the rest of a folder, as patterns for nbgrader, which compares paths as texts."""
    source = Path(folder)
    released = set(files(source, config).values())
    above = {parent for path in released for parent in path.parents}
    kept = {source, *(folder for folder in above if folder.is_relative_to(source))}
    inside = (path for place in kept for path in place.iterdir())
    others = (path.relative_to(source) for path in inside if path not in released | kept)
    return [glob.escape(os.path.join(folder, path)) for path in others]
