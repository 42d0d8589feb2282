"""The student's package of a course, as a wheel."""

import shutil
import tempfile
from pathlib import Path

from autograder.sandbox import package

BESIDE = ("pyproject.toml", "README.md", "LICENSE")  # what the build needs of this clone


def build(source: Path, target: Path) -> Path:
    """Build the package with the assignments in a course's `source` folder. Returns its path."""
    from build import ProjectBuilder

    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as staged:
        for name, file in package.contents(source).items():
            copy = Path(staged, name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        for name in BESIDE:
            shutil.copyfile(package.CLONE / name, Path(staged, name))
        return Path(ProjectBuilder(staged).build("wheel", target.resolve()))
