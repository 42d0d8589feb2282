"""The package of a course, as a wheel and as a source distribution."""

import re
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import autograder
from autograder.errors import UserError
from autograder.sandbox import package

BESIDE = ("pyproject.toml", "README.md", "LICENSE")  # what the build needs
PROJECT = "autograder/authoring/project"  # where a wheel keeps them, and a course's configuration
CONFIG = "nbgrader_config.py"
CONSTRAINTS = "constraints.txt"
VERSION = re.compile(r'(?m)^__version__ = ".*"$')
INIT = "autograder/__init__.py"


class NotBuilt(UserError):
    """The package of a course cannot be built here."""


def of_project(name: str) -> Path:
    """Return a file of the project: from the clone or, if the engine was installed, from there.

    Raises NotBuilt.
    """
    path = package.CLONE / name if package.is_clone() else package.CLONE / PROJECT / name
    if not path.is_file():
        raise NotBuilt(
            f"{name} did not come with this installation, which pip made from a repository; clone "
            "the repository, and install it there with `pip install -e .[instructor]`."
        )
    return path


def build(source: Path, target: Path) -> tuple[Path, Path]:
    """Build the package with the assignments in a course's `source` folder.

    Returns the paths of the wheel and of the source distribution. Each build has a version of its
    own, that of the engine with the time (0.2.0.post20261129184500), so that pip replaces an
    older one. A package that has not changed since the last build is not built again.
    """
    target.mkdir(parents=True, exist_ok=True)
    files = contents(source)
    if same := _built_before(files, target):
        return same
    with tempfile.TemporaryDirectory() as staged:
        for name, content in files.items():
            copy = Path(staged, name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)
        for name in BESIDE:
            shutil.copyfile(of_project(name), Path(staged, name))
        _set_version(Path(staged, INIT))
        return _built(Path(staged), "wheel", target), _built(Path(staged), "sdist", target)


def contents(source: Path) -> dict[str, bytes]:
    """Return what the wheel of a course holds, by name."""
    files = package.distributed(source)
    files |= {f"{PROJECT}/{name}": of_project(name) for name in (*BESIDE, CONFIG, CONSTRAINTS)}
    return {name: file.read_bytes() for name, file in sorted(files.items())}


def _built(staged: Path, what: Literal["wheel", "sdist"], target: Path) -> Path:
    from build import ProjectBuilder

    return Path(ProjectBuilder(staged).build(what, target.resolve()))


def _set_version(init: Path) -> None:
    base = autograder.__version__.split(".post")[0]
    version = f"{base}.post{datetime.now(UTC):%Y%m%d%H%M%S}"
    init.write_text(VERSION.sub(f'__version__ = "{version}"', init.read_text()))


def _built_before(files: Mapping[str, bytes], target: Path) -> tuple[Path, Path] | None:
    """Return the newest wheel in a folder and its source distribution, if they hold these files."""
    wheels = sorted(target.glob("gradient_check-*.whl"))
    if not wheels:
        return None
    sdist = target / f"{wheels[-1].name.removesuffix('-py3-none-any.whl')}.tar.gz"
    try:
        with zipfile.ZipFile(wheels[-1]) as archive:
            names = [name for name in archive.namelist() if ".dist-info/" not in name]
            held = {name: archive.read(name) for name in names}
    except (OSError, zipfile.BadZipFile):
        return None
    here, there = ({**one, INIT: _but_version(one.get(INIT, b""))} for one in (files, held))
    return (wheels[-1], sdist) if here == there and sdist.is_file() else None


def _but_version(init: bytes) -> str:
    return VERSION.sub("", init.decode())
