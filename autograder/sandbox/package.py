"""What of a course is in the sandbox, and what is in its wheel."""

import ast
import hashlib
import json
import re
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path, PurePath

CLONE = Path(__file__).parents[2]  # or, if the engine was installed, the folder of packages
LIBRARIES = {sysconfig.get_path(name) for name in ("purelib", "platlib")}  # Python's folders
FOLDERS = "autograder/notebook", "autograder/sandbox", "data_scripts"
ROOMS = "grading", "authoring", "commands", "lms", "marking", "reports"
ENGINE = tuple(f"autograder/{room}" for room in ROOMS)
LESSONS, PUBLIC = "lesson", "public.safetensors"  # of an assignment's folder
ADAPTERS = f"{LESSONS}/adapters.py"  # which checks import


def is_clone() -> bool:
    """Say whether the engine lies in a clone of its repository, and was not installed."""
    return (CLONE / "pyproject.toml").is_file()


def contents(source: Path = CLONE / "source") -> dict[str, Path]:
    """Return the files that notebooks and kernels need, by their names in the package.

    The engine's are those of this clone, the assignments' those of a course's `source` folder.
    """
    modules = [CLONE / "autograder", CLONE / "autograder" / "assignments"]
    found = {path: path.relative_to(CLONE) for folder in modules for path in folder.glob("*.py")}
    found |= _inside(FOLDERS)
    for folder in source.iterdir() if source.is_dir() else ():
        for path in (folder / PUBLIC, *(folder / LESSONS).rglob("*")):
            found[path] = "autograder/assignments" / path.relative_to(source)
    return _by_name(found)


def distributed(source: Path = CLONE / "source") -> dict[str, Path]:
    """Return the files of the wheel by name: the contents, and the engine that grades.

    The engine has no answer in it. An instructor who installs the wheel can run a course.
    """
    return {**contents(source), **_by_name(_inside(ENGINE))}


def _inside(folders: Sequence[str]) -> dict[Path, Path]:
    paths = (path for name in folders for path in (CLONE / name).rglob("*"))
    return {path: path.relative_to(CLONE) for path in paths}


def _by_name(found: Mapping[Path, PurePath]) -> dict[str, Path]:
    names = {name.as_posix(): path for path, name in found.items() if path.is_file()}
    return {name: names[name] for name in sorted(names) if not _is_left_over(name)}


@cache
def imports(source: Path, assignments: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return what notebooks import, a statement each: those of some assignments, or of all.

    The first step of any optimiser imports torch._dynamo, in a second, so that is among it.
    """
    found: set[str] = set()
    for name in assignments or sorted(path.name for path in source.glob("*")):
        path = source / name / f"{name}.ipynb"
        if (source / name / ADAPTERS).is_file():
            found.add(f"import autograder.assignments.{name}.{LESSONS}.adapters")
        for cell in json.loads(path.read_text("utf-8"))["cells"] if path.is_file() else ():
            if cell["cell_type"] == "code":
                found.update(_imports_of("".join(cell["source"])))
    return tuple(sorted(found))


def _imports_of(code: str) -> Iterator[str]:
    if re.search(r"\boptim\b", code):
        yield "import torch._dynamo"
    try:
        tree = ast.parse(re.sub(r"(?m)^(\s*)[%!].*", r"\1pass", code))
    except SyntaxError:  # a magic of another kind
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"import {alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"from {node.module} import {alias.name}" for alias in node.names)


def digest(source: Path) -> str:
    """Return a digest of all code that runs a submission."""
    total = hashlib.sha256()
    workers = [f"autograder/grading/{name}.py" for name in ("execute", "files", "notebooks")]
    for name, file in {**contents(source), **{n: CLONE / n for n in workers}}.items():
        total.update(name.encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def _is_left_over(name: str) -> bool:
    """Say whether a file is what Python or a front end left: nothing that an author wrote."""
    return any(part == "__pycache__" or part.startswith(".") for part in name.split("/"))
