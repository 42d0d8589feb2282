"""The student's package: what is in the wheel, and all of the course that is in the sandbox."""

import hashlib
from pathlib import Path

CLONE = Path(__file__).parents[2]
FOLDERS = (
    "autograder/notebook", "autograder/sandbox", "autograder/assignments", "data_scripts",
)  # fmt: skip
LESSONS, PUBLIC = "lesson", "public.safetensors"  # of an assignment's folder


def contents(source: Path = CLONE / "source") -> dict[str, Path]:
    """Return the files of the package by their names in it.

    The engine's are those of this clone, the assignments' those of a course's `source` folder.
    """
    inside = [CLONE / "autograder", *(CLONE / name for name in FOLDERS)]
    found = {path: path.relative_to(CLONE) for path in inside[0].glob("*.py")}
    found |= {path: path.relative_to(CLONE) for folder in inside[1:] for path in folder.rglob("*")}
    for folder in source.iterdir() if source.is_dir() else ():
        for path in (folder / PUBLIC, *(folder / LESSONS).rglob("*")):
            found[path] = "autograder/assignments" / path.relative_to(source)
    names = {name.as_posix(): path for path, name in found.items() if path.is_file()}
    return {name: names[name] for name in sorted(names) if not _is_left_over(name)}


def lessons(package: dict[str, Path]) -> list[str]:
    """Return the modules that notebooks import of their own assignments."""
    modules = (name.removesuffix(".py") for name in package if name.endswith(".py"))
    names = (name.removesuffix("/__init__").split("/") for name in modules)
    return [".".join(parts) for parts in names if parts[3:4] == [LESSONS]]


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
