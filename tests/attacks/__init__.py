"""Attacks: what a hostile student might hand in, one file each.

A file is a docstring that names the trick and percent cells whose titles are the grade
ids of the cells they replace. Between the two may stand

- `FILES`: what lies beside the notebook, by name; a `Path` is a symbolic link to it,
- `BASE`: the notebook it starts from, "blank" (the default) or "solved",
- `POINTS`: what that is worth without the attack (default: nothing),
- `REASON`: a pattern for what must be said of it in at least one cell.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from autograder.authoring.solutions import with_cells
from tests import submissions

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Attack:
    """One hostile submission."""

    name: str
    cells: Mapping[str, str]
    files: Mapping[str, str | bytes | Path] = field(default_factory=dict)
    base: str = "blank"
    points: float = 0
    reason: str = ""

    def notebook(self, assignment: str) -> NotebookNode:
        """Put the attack into the notebook it starts from."""
        start = submissions.released_notebook(assignment)
        if self.base == "solved":
            start = submissions.in_release(assignment, submissions.source_notebook(assignment))
        return with_cells(start, self.cells)

    def put_files(self, folder: Path) -> None:
        """Put what lies beside the notebook into a folder."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                path.unlink(missing_ok=True)
                path.symlink_to(content)
            else:
                path.write_bytes(content.encode() if isinstance(content, str) else content)


def read(file: Path, places: Mapping[str, object]) -> Attack:
    """Read an attack; `@name@` in it stands for a place it could not know otherwise."""
    text = file.read_text()
    for name, place in places.items():
        text = text.replace(f"@{name}@", str(place))
    head, *_ = text.partition("\n# %%")
    settings: dict = {}
    exec(head, settings)
    return Attack(
        file.stem, submissions.cells_of(text), settings.get("FILES", {}),
        settings.get("BASE", "blank"), settings.get("POINTS", 0), settings.get("REASON", ""),
    )  # fmt: skip


def read_all(places: Mapping[str, object]) -> list[Attack]:
    """Read every attack."""
    return [read(file, places) for file in sorted(HERE.glob("[!_]*.py"))]
