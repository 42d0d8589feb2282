"""Finds what students must not see in files that are about to be handed out.

What must not be seen: lines of solutions and hidden tests, model answers and marking schemes,
hidden cases and reference tensors, and the lines of known mistakes. A line that is given to
students elsewhere in the course is no secret.
"""

import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
import torch
from nbformat import NotebookNode
from safetensors import SafetensorError
from safetensors.torch import load

from autograder.grading.course import AssignmentFolders
from autograder.grading.notebooks import grade_id
from autograder.notebook import cases
from autograder.sandbox import package

REGION = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)\s*### END \1", re.DOTALL)
WORDS = ("### BEGIN", "### END", "check.hidden(")
CODE, MISTAKE, PROSE = 20, 40, 25  # characters; a shorter line says too little, or to nobody
SMALL = 64  # bytes; a smaller tensor may be equal by chance
TEXTS = (".py", ".ipynb", ".md", ".txt", ".yml", ".json", ".toml", ".diff")


@dataclass(frozen=True)
class Secret:
    """Something that must not be handed out: what it is, and the line itself."""

    what: str
    line: str

    def stands_in(self, text: str, lines: Set[str]) -> bool:
        """Say whether it is one of the lines of a text or, if it is prose, any part of it."""
        prose = len(self.line) > PROSE and self.line.count(" ") > 4 and "=" not in self.line
        return self.line in lines or (prose and self.line in text)


@dataclass(frozen=True)
class Leak:
    """A secret in a file."""

    file: str
    secret: Secret

    def __str__(self) -> str:
        """Say what leaks where."""
        line = self.secret.line
        return f"{self.file}: {self.secret.what}: {line[:70]}{'…' if len(line) > 70 else ''}"


def answers(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """Yield the name of a cell, and each line of its solution or hidden region."""
    for cell in notebook.cells:
        for match in REGION.finditer(cell.source):
            for line in match[2].splitlines():
                yield grade_id(cell) or "a cell", line.strip()


def given(notebooks: Iterable[NotebookNode]) -> str:
    """Return all that notebooks give to students: the text outside of such regions."""
    return "\n".join(REGION.sub("", cell.source) for one in notebooks for cell in one.cells)


def secrets(assignments: Sequence[AssignmentFolders]) -> list[Secret]:
    """Return the lines that must not be handed out, of several assignments of a course."""
    notebooks = {one.name: _notebook(one) for one in assignments}
    known = given(notebooks.values()) + _engine()
    found: dict[str, Secret] = {}
    for one in assignments:
        for name, line in answers(notebooks[one.name]):
            if _says_something(line) and line not in known:
                found.setdefault(line, Secret(f"an answer of {one.name}, cell {name}", line))
        for path in sorted(one.source.glob("checks/*.diff")):
            for line in path.read_text().splitlines():
                wrong = line[1:].strip() if line[:1] in "+-" else ""
                header = line[:3] in ("+++", "---")
                if not header and _says_something(wrong, MISTAKE) and wrong not in known:
                    found.setdefault(wrong, Secret(f"a known mistake of {one.name}", wrong))
    return list(found.values())


def _notebook(assignment: AssignmentFolders) -> NotebookNode:
    """Read an instructor's notebook, from its `.py` if there is no other."""
    py = assignment.source / f"{assignment.name}.py"
    if py.is_file() and not py.with_suffix(".ipynb").is_file():
        return jupytext.read(py)
    return nbformat.read(assignment.notebook(), 4)


def _engine() -> str:
    """Return the code of the engine, which everybody has: the example of `autograder new` too."""
    files = package.distributed().items()
    engine = (path for name, path in files if name.startswith(package.ENGINE))
    return "\n".join(path.read_text() for path in engine if path.suffix in TEXTS)


def _says_something(line: str, least: int = CODE) -> bool:
    code = not line.startswith(("import ", "from ", "#")) and not line.endswith(("(", "[", "{"))
    return len(line) > least and code


def find(folder: Path, assignments: Sequence[AssignmentFolders]) -> list[Leak]:
    """Return what of a course's secrets is in the files of a folder, wheels and archives too."""
    lines, found = secrets(assignments), []
    hidden = _hidden_tensors(assignments)
    whole = {path.read_bytes(): f"the file {path.name} of {one.name}" for one in assignments
             for path in [one.source / cases.REFERENCES] if path.is_file()}  # fmt: skip
    for name, data in _files(folder):
        if what := whole.get(data):
            found.append(Leak(name, Secret(what, "the whole file")))
        elif name.endswith(".safetensors"):
            found += [Leak(name, Secret(hidden[raw], "a tensor")) for raw in _tensors(data)
                      if raw in hidden][:3]  # fmt: skip
        elif name.endswith(TEXTS):
            text = _text(name, data)
            found += [Leak(name, Secret("a mark of the instructor's notebook", word))
                      for word in WORDS if name.endswith(".ipynb") and word in text]  # fmt: skip
            there = {form.strip() for line in text.splitlines()
                     for form in (line, line.strip().lstrip("+-#"))}  # fmt: skip
            found += [Leak(name, secret) for secret in lines if secret.stands_in(text, there)]
    return found


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a folder, and those inside wheels and zip archives."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(".git/"):
            yield name, path.read_bytes()
            if path.suffix in (".whl", ".zip"):
                with zipfile.ZipFile(path) as archive:
                    for inside in archive.namelist():
                        yield f"{name}/{inside}", archive.read(inside)


def _text(name: str, data: bytes) -> str:
    """Return what a file says; of a notebook, the text of its cells."""
    text = data.decode("utf-8", "replace")
    if not name.endswith(".ipynb"):
        return text
    return "\n".join(cell.source for cell in nbformat.reads(text, 4).cells)


def _hidden_tensors(assignments: Iterable[AssignmentFolders]) -> Mapping[bytes, str]:
    """Return the tensors of hidden cases that are not those of public ones, as bytes."""
    found: dict[bytes, str] = {}
    for one in assignments:
        path = one.source / cases.REFERENCES
        if path.is_file():
            found |= dict.fromkeys(_tensors(path.read_bytes()), f"a hidden case of {one.name}")
    for one in assignments:
        path = one.source / cases.PUBLIC
        for raw in _tensors(path.read_bytes()) if path.is_file() else ():
            found.pop(raw, None)
    return found


def _tensors(data: bytes) -> Iterator[bytes]:
    try:
        tensors = load(data).values()
    except (SafetensorError, ValueError):
        return
    for tensor in tensors:
        raw = tensor.contiguous().view(-1)
        if raw.nbytes >= SMALL and len(raw.unique()) > 8:
            yield raw.view(torch.uint8).numpy().tobytes()  # NumPy has no bfloat16
