"""What a student looks at before handing in, and the file that is handed in.

`check.hand_in()` in a notebook and `autograder check NOTEBOOK` in a shell do the same.
"""

import json
import os
import platform
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from autograder import __version__
from autograder.errors import UserError
from autograder.notebook import pictures, progress, restart
from autograder.notebook.artifacts import REAL, WRONG_DATA, trained_on
from autograder.notebook.grid import BAD, GOOD, Grid, Mark

EMPTY = "YOUR ANSWER HERE"  # what nbgrader leaves in a written answer
FEW = 15  # words; an answer with fewer is shown as short
SAVES = re.compile(r'save_artifact\(\s*f?"([^"{}]+)"')
CHECKER = re.compile(r'Checker\(\s*"(\w+)"')
TABLES = re.compile(r"""["']([\w-]+\.csv)["']""")  # of runs, which a notebook writes for its report
LARGEST_TABLE = 1_000_000  # bytes
ABOUT = "hand_in.json"  # who, what, when: beside the notebook in the zip


class NothingToHandIn(UserError):
    """There is no notebook to look at."""


@dataclass(frozen=True)
class Notebook:
    """A notebook to be handed in: its JSON, its file if it has one, the name of its assignment."""

    content: Mapping[str, Any]
    path: Path | None
    assignment: str


@dataclass(frozen=True)
class Looked:
    """What there is to hand in, and what is missing."""

    notebook: Notebook
    run: restart.Restarted
    rows: Sequence[tuple[str, Mark, str]]
    files: Sequence[Path] = field(default=())

    @property
    def missing(self) -> int:
        """How many rows are not as they should be."""
        return sum(mark.colour == BAD for _, mark, _ in self.rows)

    def grid(self) -> Grid:
        """Draw it."""
        title = f"{self.notebook.assignment}: everything is there"
        if self.missing:
            title = f"{self.notebook.assignment}: {self.missing} things to look at"
        heads = "what you hand in", "", "remark"
        return Grid(title.replace(": 1 things", ": 1 thing"), heads, self.rows)


def find(assignment: str, folder: Path) -> Notebook:
    """Return the notebook of an assignment that is open, or the newest one in a folder.

    Raises NothingToHandIn.
    """
    if content := _from_colab():
        return Notebook(content, None, assignment)
    if named := _named_by_front_end():
        return load(named)
    found = [path for path in folder.glob("*.ipynb") if assignment in path.name]
    if not found:
        raise NothingToHandIn(
            f"There is no {assignment}.ipynb in {folder}. In a terminal, run "
            "`autograder check NOTEBOOK` with the path of your notebook."
        )
    return load(max(found, key=lambda path: path.stat().st_mtime))


def load(path: Path) -> Notebook:
    """Read a notebook. Raises NothingToHandIn."""
    try:
        content = json.loads(path.read_text("utf-8"))
        source = "".join("".join(cell["source"]) for cell in content["cells"])
        named = CHECKER.search(source)
    except OSError as error:
        raise NothingToHandIn(f"{path}: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NothingToHandIn(f"{path} is not a notebook; save it again in JupyterLab.") from None
    if not named:
        raise NothingToHandIn(
            f"{path} is not a notebook of this course: it has no line `check = Checker(…)`."
        )
    return Notebook(content, path, named[1])


def look(
    notebook: Notebook, folder: Path, say: Callable[[int, int], None] = lambda done, total: None
) -> Looked:
    """Run a notebook in a fresh process, and see what is missing. Raises NotRun."""
    ran = restart.run(notebook.content, folder, notebook.assignment, say)
    progress.add(folder / progress.NAME, notebook.assignment, ran.checks)
    names = sorted({*_files(notebook.content, SAVES), *_there(notebook.content, folder)})
    rows = [*_checks(notebook, ran), *_cells(notebook, ran), *_answers(notebook.content)]
    rows += _gone(notebook.content)
    rows += [_file(folder / name, notebook.assignment) for name in names]
    for link in dict.fromkeys(pictures.linked(notebook.content)):
        if why := pictures.fault(link, folder):
            rows.append((link, Mark("missing", BAD), why))
    if (size := pictures.together(notebook.content, folder)) > pictures.TOGETHER:
        most = f"{pictures.TOGETHER / 1e6:.0f} MB together at most: save them smaller"
        rows.append(("pictures", Mark("look", BAD), f"{size / 1e6:.0f} MB; {most}"))
    there = [folder / name for name in names if (folder / name).is_file()]
    return Looked(notebook, ran, rows, there)


def write(looked: Looked, folder: Path, student: str = "") -> Path:
    """Write one zip with the notebook, its pictures and files, and a note of who, what and when.

    Raises NothingToHandIn if it cannot be written.
    """
    notebook, path = looked.notebook, folder / f"{looked.notebook.assignment}.zip"
    content = pictures.embedded(notebook.content, folder)
    about = {
        "student": student or _user(),
        "assignment": notebook.assignment,
        "written": datetime.now().astimezone().isoformat(timespec="seconds"),
        "gradient-check": __version__, "torch": _version("torch"),
        "python": platform.python_version(), "system": platform.system(),
    }  # fmt: skip
    part = path.with_suffix(".zip.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{notebook.assignment}.ipynb", json.dumps(content, indent=1))
            for file in looked.files:
                archive.write(file, file.name)
            archive.writestr(ABOUT, json.dumps(about, indent=1))
        part.replace(path)
    except OSError as error:
        raise NothingToHandIn(
            f"{path} cannot be written ({error.strerror}); hand in the notebook and its files."
        ) from None
    return path


def _checks(notebook: Notebook, ran: restart.Restarted) -> Iterator[tuple[str, Mark, str]]:
    """Describe each check: what its public cases show after a restart."""
    for name, points in progress.points(notebook.content):
        kept = ran.checks.get(name)
        if kept is None:
            yield name, Mark("not run", BAD), f"{points:g} points; see the cell that fails"
        elif not kept.written:
            yield name, Mark("open", BAD), f"not written yet, {points:g} points"
        elif kept.fraction == 1:
            yield name, Mark("passed", GOOD), f"{points:g} points"
        elif kept.level:
            yield name, Mark("partly"), f"{kept.fraction:.0%} of {points:g} points"
        else:
            remark = f"{kept.passed} of {kept.cases} cases, {points:g} points"
            yield name, Mark("failed", BAD), remark


def _cells(notebook: Notebook, ran: restart.Restarted) -> Iterator[tuple[str, Mark, str]]:
    """Describe the cells that fail after a restart, but for those of checks."""
    checks = dict(progress.points(notebook.content))
    for cell in ran.failed:
        if cell.name in checks and cell.name not in ran.checks and cell.error == "NameError":
            continue  # the cell that should have made the name is in the list already
        why = "not written yet" if cell.error == "NotImplementedError" else cell.why
        where = cell.name or f"code cell {cell.number}"
        yield f"cell {where}", Mark("error", BAD), f"{cell.error}: {why}"[:120]


def _answers(content: Mapping[str, Any]) -> Iterator[tuple[str, Mark, str]]:
    """Describe the written answers."""
    for cell in content["cells"]:
        about = cell.get("metadata", {}).get("nbgrader", {})
        if cell["cell_type"] == "markdown" and about.get("grade") and about.get("solution"):
            text = "".join(cell["source"]).replace(EMPTY, "")
            words = _words(text)
            name, points = about["grade_id"], f"{about.get('points', 0):g} points"
            if not text.strip():
                yield name, Mark("empty", BAD), f"written answer, {points}"
            else:
                mark = Mark("written", GOOD) if words >= FEW else Mark("short")
                yield name, mark, f"{words} words, {points}, marked by a person"


def _gone(content: Mapping[str, Any]) -> Iterator[tuple[str, Mark, str]]:
    """Describe the checks and written answers whose cells somebody has deleted."""
    graded = content.get("metadata", {}).get(progress.GRADED, {})
    names = {
        cell.get("metadata", {}).get("nbgrader", {}).get("grade_id") for cell in content["cells"]
    }
    if names == {None}:
        return  # a front end has dropped what it does not know; a grader finds the cells by text
    for name, points in graded.items():
        if name not in names:
            remark = f"{points:g} points; its cell is gone: take it from a new copy of the notebook"
            yield name, Mark("deleted", BAD), remark


def _words(text: str) -> int:
    """Count the words of an answer, without those in tables and in links to pictures."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith(("|", "![")))
    return sum(bool(re.search(r"\w", word)) for line in lines for word in line.split())


def _files(content: Mapping[str, Any], names: re.Pattern) -> Iterator[str]:
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            yield from names.findall("".join(cell["source"]))


def _there(content: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Yield the tables of runs that are there; nobody has to hand one in, or a data set."""
    for name in _files(content, TABLES):
        if (folder / name).is_file() and (folder / name).stat().st_size <= LARGEST_TABLE:
            yield name


def _file(path: Path, assignment: str) -> tuple[str, Mark, str]:
    if not path.is_file():
        return path.name, Mark("missing", BAD), "run the cell that trains and saves it"
    if trained_on(path, assignment) == REAL:
        return path.name, Mark("look", BAD), WRONG_DATA
    when = datetime.fromtimestamp(path.stat().st_mtime)
    return path.name, Mark("there", GOOD), f"{path.stat().st_size / 1e6:.2f} MB, {when:%d %b %H:%M}"


def _from_colab() -> Mapping[str, Any] | None:
    """Ask Colab for the notebook that is open."""
    with suppress(Exception):  # there is no Colab, or it does not answer
        from google.colab import _message  # ty: ignore[import-not-found]: only there

        return _message.blocking_request("get_ipynb", request="", timeout_sec=30)["ipynb"]
    return None


def _named_by_front_end() -> Path | None:
    """Return the path of the open notebook, as JupyterLab or VS Code tell it to the kernel."""
    from IPython import get_ipython

    shell = get_ipython()
    names = getattr(shell, "user_ns", {})
    told = names.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", "")
    return Path(told) if told.endswith(".ipynb") and Path(told).is_file() else None


def _user() -> str:
    return os.environ.get("JUPYTERHUB_USER", "")


def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return ""
