"""A repository for students: notebooks, the package, and all that a student needs to begin.

It holds nothing of the instructor's: before it is written, it is searched for every answer.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

import nbformat
from nbformat.v4 import new_markdown_cell

from autograder.authoring import leaks, wheel
from autograder.errors import UserError
from autograder.grading.course import AssignmentFolders, Course
from autograder.notebook.progress import HOURS

FIRST = re.compile(r'^COURSE, VERSION = "[^"]*", "[^"]*"', re.MULTILINE)
TEMPLATE = Path(__file__).parent / "student_repository"
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
COLAB = "https://colab.research.google.com/github"
CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base"}  # names that differ there
OURS = ".published.json"  # which files an earlier run has written
SHOWN = 10  # leaks that are named


class NotPublished(UserError):
    """A course cannot be published; the message says why, and what to do."""


@dataclass(frozen=True)
class Repository:
    """Where students will find the repository; nothing is known of a folder without an address."""

    address: str = ""
    branch: str = "main"

    @property
    def web(self) -> str:
        """Its address in a browser."""
        ssh = re.fullmatch(r"git@([^:]+):(.+?)(?:\.git)?/?", self.address)
        return f"https://{ssh[1]}/{ssh[2]}" if ssh else re.sub(r"(\.git)?/?$", "", self.address)

    def badge(self, path: str) -> str:
        """Return a badge that opens a notebook in Colab, if the repository is on GitHub."""
        match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+)", self.web)
        if not match:
            return ""
        return f"[![Open in Colab]({BADGE})]({COLAB}/{match[1]}/blob/{self.branch}/{quote(path)})"

    def file(self, name: str) -> str:
        """Return the address of a file, for pip, or nothing."""
        host = re.match(r"https://(?:www\.)?(github\.com|gitlab[\w.-]*)/", self.web)
        if not host:
            return ""
        raw = "raw" if host[1] == "github.com" else "-/raw"
        return f"{self.web}/{raw}/{self.branch}/{quote(name)}"


def publish(
    course: Course, folder: Path, repository: Repository, package: str = "",
    assignments: Sequence[AssignmentFolders] = (),
) -> list[str]:  # fmt: skip
    """Write the repository of a course, and return the names of its files.

    `package` is where notebooks get the package from: a name on an index, the address of a wheel
    or of a git repository. Without it, the wheel in the repository is used. Raises NotPublished if
    something leaks, or if the folder holds files that an earlier run has not written.
    """
    chosen = list(assignments) or [course.assignment(name) for name in course.assignments()]
    for one in chosen:
        one.require_release()
        if not (one.release / f"{one.name}.ipynb").is_file():
            raise NotPublished(f"{one.name} has no student version; run `autograder release`.")
    before = _written_before(folder)
    with tempfile.TemporaryDirectory() as temporary:
        staged = Path(temporary, "repository")
        _stage(course, chosen, staged, repository, package)
        every = [course.assignment(name) for name in course.assignments()]
        if leaking := leaks.find(staged, every):
            more = f"\n… and {len(leaking) - SHOWN} more" if len(leaking) > SHOWN else ""
            raise NotPublished(
                "nothing is published, because it would give answers away:\n"
                + "\n".join(map(str, leaking[:SHOWN])) + more
            )  # fmt: skip
        names = sorted(p.relative_to(staged).as_posix() for p in staged.rglob("*") if p.is_file())
        (staged / OURS).write_text(json.dumps(names, indent=1))
        for name in before - set(names):
            if not name.endswith(".whl"):  # notebooks that students have copied still ask for it
                (folder / name).unlink(missing_ok=True)
        if (folder / "LICENSE").exists() and "LICENSE" not in before:
            (staged / "LICENSE").unlink()  # theirs
        shutil.copytree(staged, folder, dirs_exist_ok=True)
    return names


def _written_before(folder: Path) -> set[str]:
    """Return what an earlier run has written into a folder. Raises NotPublished."""
    try:
        return set(json.loads((folder / OURS).read_text()))
    except (OSError, ValueError):
        there = [path.name for path in folder.glob("*") if path.name not in (".git", "LICENSE")]
        if there:
            raise NotPublished(
                f"{folder} holds other files ({', '.join(sorted(there)[:3])}); name a new or an "
                "empty folder, or a clone of an empty repository."
            ) from None
        return set()


def _stage(
    course: Course, chosen: Sequence[AssignmentFolders], staged: Path, repository: Repository,
    package: str,
) -> None:  # fmt: skip
    shutil.copytree(TEMPLATE, staged, ignore=shutil.ignore_patterns("__pycache__"))
    (staged / "devcontainer").rename(staged / ".devcontainer")
    built, _ = wheel.build(course.source, course.root / "dist")
    shutil.copyfile(built, staged / built.name)
    version = built.name.split("-")[1]
    source = package or repository.file(built.name) or built.name
    rows = []
    for one in chosen:
        shutil.copytree(
            one.release, staged / one.name,
            ignore=shutil.ignore_patterns(".ipynb_checkpoints", ".gradient-check.json"),
        )  # fmt: skip
        for path in sorted((staged / one.name).glob("*.ipynb")):
            rows.append(_prepare(path, one.name, repository, source, version))
    shutil.copyfile(wheel.of_project("LICENSE"), staged / "LICENSE")
    _fill(staged, {
        "TITLE": course.coursedir.course_id.replace("_", " ").title(),
        "CLONE": f"git clone {repository.web}" if repository.web else "git clone …",
        "FOLDER": repository.web.rsplit("/", 1)[-1] or "…",
        "TABLE": "\n".join(rows), "WHEEL": built.name,
        "PIP": "\n".join(_needs("{name}>={least}")),
        "CONDA": "\n".join(_needs("  - {conda} >={least}")),
    })  # fmt: skip


def _prepare(path: Path, name: str, repository: Repository, source: str, version: str) -> str:
    """Tell a notebook where its package is. Returns its row in the table of the README."""
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            told = f'COURSE, VERSION = "{source}", "{version}"'
            cell.source = FIRST.sub(lambda _, told=told: told, cell.source)
    first, where = notebook.cells[0].source, f"{name}/{path.name}"
    title = (re.findall(r"(?m)^# (.+)$", first) or [path.stem])[0]
    hours = HOURS.search(first)
    points = re.search(r"\*\*Points\*\* (\d+)", first)
    badge = repository.badge(where)
    if badge:
        notebook.cells.insert(0, new_markdown_cell(badge, id="open-in-colab"))
    nbformat.write(notebook, path)
    entries = f"[{title}]({quote(where)})", " ".join(hours.groups()) if hours else ""
    return f"| {' | '.join([*entries, points[1] if points else '', badge])} |"


def _needs(form: str) -> list[str]:
    """Write what a student needs, a line each."""
    lines = []
    for requirement in metadata.requires("gradient-check") or ():
        match = re.fullmatch(r"([\w.-]+)>=([\d.]+)", requirement)
        if match:
            name, least = match.groups()
            lines.append(form.format(name=name, least=least, conda=CONDA.get(name, name)))
    return sorted(lines)


def _fill(staged: Path, values: Mapping[str, str]) -> None:
    """Put values into the texts of the template, in the place of {{NAME}}."""
    for path in sorted(staged.rglob("*")):
        if path.is_file() and path.suffix in (".md", ".txt", ".yml", ".json"):
            text = path.read_text("utf-8")
            for name, value in values.items():
                text = text.replace("{{" + name + "}}", value)
            path.write_text(text, "utf-8")
