"""What a student's public checks have shown so far: a small file beside the notebooks.

Nothing is sent anywhere. `check.progress()` and `autograder progress` draw it.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from autograder import assignments
from autograder.notebook import cases, grid
from autograder.notebook.judge import NOT_WRITTEN, Verdict

NAME = ".gradient-check.json"
GRADED = "gradient_check_graded"  # in a student version's metadata: points, by name of the cell
FILE = "GRADIENT_CHECK_PROGRESS"  # a variable: another file, for a run that only looks
HOURS = re.compile(r"\*\*Time\*\* (?:about )?(\d+½?|½) (hours?|minutes)")


@dataclass(frozen=True)
class Kept:
    """What a public check last showed: cases passed of how many, the share of its points, when.

    `written` is false as long as the function is only a `raise NotImplementedError`; `level` says
    whether its points are those of a level that is reached, and not the highest.
    """

    passed: int
    cases: int
    fraction: float
    when: str
    written: bool = True
    level: bool = False


@dataclass(frozen=True)
class Assignment:
    """How far a student is with an assignment; no points and hours without its notebook."""

    name: str
    checks: int
    passed: int
    failed: int
    points: float | None
    of_points: float | None
    hours: str

    @property
    def open(self) -> int:
        """How many checks have not been run."""
        return self.checks - self.passed - self.failed


def keep(assignment: str, verdict: Verdict) -> None:
    """Keep what a public check has shown. A folder that cannot be written to keeps nothing."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    passed = sum(case.passed for case in verdict.cases)
    written = not all(case.reason == NOT_WRITTEN for case in verdict.cases)
    level = any(0 < case.credit < 1 for case in verdict.cases)
    kept = Kept(passed, len(verdict.cases), verdict.fraction, now, written, level)
    add(Path(os.environ.get(FILE) or NAME), assignment, {verdict.check: kept})


def add(path: Path, assignment: str, checks: Mapping[str, Kept]) -> None:
    """Add what checks have shown to what a file keeps, if it can be written."""
    everything = read(path)
    everything.setdefault(assignment, {}).update(checks)
    part = path.with_name(f"{path.name}.part")
    with suppress(OSError):
        part.write_text(json.dumps(everything, default=asdict, indent=1))
        part.replace(path)


def read(path: Path) -> dict[str, dict[str, Kept]]:
    """Return what is kept in a file, by assignment and check; nothing if it cannot be read."""
    try:
        said = json.loads(path.read_text())
        return {assignment: {name: Kept(**kept) for name, kept in checks.items()}
                for assignment, checks in said.items()}  # fmt: skip
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def course(folder: Path) -> list[Assignment]:
    """Return how far a student is with each assignment that is known here.

    Notebooks and what was kept are looked for in the folder, in those inside it and beside it.
    """
    places = [folder, *_folders(folder), *_folders(folder.resolve().parent)]
    kept: dict[str, dict[str, Kept]] = {}
    for place in reversed(places):
        for name, checks in read(place / NAME).items():
            kept.setdefault(name, {}).update(checks)
    return [_assignment(path, kept.get(path.name, {}), places) for path in _known()]


def show(folder: Path) -> grid.Grid:
    """Draw the whole course as a table."""
    found = course(folder)
    rows = [
        (
            one.name, grid.bar(one.passed, one.failed, one.checks), str(one.passed),
            str(one.failed), str(one.open),
            "" if one.of_points is None else f"{one.points:g} of {one.of_points:g}", one.hours,
        )
        for one in found
    ]  # fmt: skip
    heads = "assignment", "", "passed", "failed", "open", "code points so far", "hours"
    done, total = sum(one.passed for one in found), sum(one.checks for one in found)
    return grid.Grid(
        f"{done} of {total} public checks passed", heads, rows,
        "Points are those that hidden cases of the same checks will confirm.",
    )  # fmt: skip


def points(notebook: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the name of each check in a notebook (its JSON), and the points of its cell."""
    for cell in notebook["cells"]:
        about, source = cell.get("metadata", {}).get("nbgrader", {}), "".join(cell["source"])
        if cell["cell_type"] == "code" and about.get("grade"):
            for name in re.findall(r'check\.public\(\s*"(\w+)"', source)[:1]:
                yield name, float(about.get("points", 0))


def _folders(place: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(one for one in place.iterdir() if one.is_dir() and one.name[0] != ".")
    return []


def _known() -> list[Path]:
    found = {
        path.parent.name: path.parent
        for place in reversed(assignments.__path__)
        for path in Path(place).glob(f"*/{cases.PUBLIC}")
    }
    return [found[name] for name in sorted(found)]


def _assignment(path: Path, kept: Mapping[str, Kept], places: list[Path]) -> Assignment:
    names = set(cases.load_public(path))
    passed = {name for name, one in kept.items() if one.fraction == 1} & names
    notebook = next((n for place in places for n in place.glob(f"{path.name}*.ipynb")), None)
    each, hours = dict[str, float](), ""
    if notebook:
        with suppress(OSError, ValueError, LookupError, TypeError):
            said = json.loads(notebook.read_text("utf-8"))
            each = dict(points(said))
            stated = HOURS.search("".join(said["cells"][0]["source"]))
            hours = " ".join(stated.groups()) if stated else ""
    got = sum(each.get(name, 0) * kept[name].fraction for name in set(kept) & names)
    tried = sum(kept[name].written for name in set(kept) & names)
    return Assignment(
        path.name, len(names), len(passed), tried - len(passed),
        got if each else None, sum(each.values()) if each else None, hours,
    )  # fmt: skip
