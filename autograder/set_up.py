"""Brings the course's package to a notebook; the first cell of each notebook begins here.

It uses nothing but Python's standard library, because it may run before anything is installed:
Python imports it from the wheel beside the notebook, under whatever name a browser gave it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from importlib import invalidate_caches, metadata
from importlib.util import find_spec
from pathlib import Path

NAME = "gradient-check"
OURS = ("autograder", "data_scripts")  # what the package holds
GIVEN = ("torch", "torchvision", "numpy", "scipy")  # taken as they are: another one takes minutes
DRIVE = Path("/content/drive/MyDrive")  # where Colab shows a student's Google Drive
PATIENCE = 300  # seconds for pip
OWN_PYTHON = (
    "This Python belongs to a hub or to your system, and you cannot install that here. On a hub, "
    "send this line to whoever runs it. On your own computer, make an environment, "
    "`python3 -m venv course`; run `course/bin/pip install jupyterlab torch torchvision`, and "
    "start JupyterLab from there: `course/bin/jupyter lab`."
)
HOME = "~/.gradient-check"  # packages go here if Python lets nobody write among its own
NO_DRIVE = "GRADIENT_CHECK_NO_DRIVE"  # set once a student has said no
DATA = "GRADIENT_CHECK_DATA"  # the folder of the data, for data_scripts.storage


class NotReady(Exception):
    """The package cannot be brought here; the message says why, and what to do."""


def ready(course: str = NAME, version: str = "", wheels: Iterable[str] = ()) -> bool:
    """Install the course's package, or update it, and choose the folder for files.

    `course` is where it comes from: a name on an index, or the address of a wheel or of a git
    repository. `version` is the oldest one that will do. One of the `wheels` beside the notebook
    is taken first. Prints a sentence if something is missing, and returns whether all is there.
    """
    wheels = list(wheels)
    sys.path[:] = [place for place in sys.path if place not in wheels]
    if os.environ.get("NBGRADER_EXECUTION"):
        return True  # whoever grades has the package
    _look_at_home()
    try:
        if not _is_clone() and (what := _wanted(course, version, wheels)):
            _install(what)
        _forget()  # what is here may have come from a wheel, or be of an older version
        _need(metadata.requires(NAME) or () if _installed() else ())
    except NotReady as problem:
        print(problem)
        return False
    workspace()
    return True


def workspace() -> Path:
    """Return the folder for data, training runs and trained files, and go there.

    In Colab it is in your Google Drive, where it outlives the session: Colab asks for permission
    once. Anywhere else it is the notebook's own folder.
    """
    if _in_colab() and not DRIVE.is_dir() and not os.environ.get(NO_DRIVE):
        try:
            from google.colab import drive  # ty: ignore[import-not-found]: only there

            drive.mount(str(DRIVE.parent))
        except Exception:  # whatever way Colab has of saying that somebody said no
            os.environ[NO_DRIVE] = "1"
            print("Without Google Drive, files last only as long as this session: download "
                  "your notebook and the files it saves before you close it.")  # fmt: skip
    if _in_colab() and DRIVE.is_dir():
        folder = DRIVE / "Gradient Check"
        folder.mkdir(exist_ok=True)
        os.chdir(folder)
        os.environ.setdefault(DATA, str(folder / "data"))
    return Path.cwd()


def _in_colab() -> bool:
    return "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ


def _is_clone() -> bool:
    """Say whether the package is somebody's clone of the course, which must stay as it is."""
    try:
        said = json.loads(metadata.distribution(NAME).read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError):
        return False
    return bool(said.get("dir_info", {}).get("editable"))


def _locked() -> str:
    """Return the folder of Python's packages if nobody may write there, as on many JupyterHubs."""
    folder = sysconfig.get_path("purelib")
    return "" if os.access(folder, os.W_OK) else folder


def at_home() -> list[str]:
    """Return the student's own folders for packages: of the course, and of what it needs."""
    home, python = os.path.expanduser(HOME), ".".join(map(str, sys.version_info[:2]))
    return [os.path.join(home, "course"), os.path.join(home, f"needs-{python}")]


def _look_at_home() -> None:
    """Let Python find, before other packages, what it did not let us put among them.

    If the course there is older than the one among the others, it is left alone.
    """
    if _locked():
        here, place = _installed(), int(sys.path[:1] == [""])
        sys.path[place:place] = [one for one in at_home() if one not in sys.path]
        if _number(here) > _number(_installed()):
            sys.path.remove(at_home()[0])


def _wanted(course: str, version: str, wheels: Sequence[str]) -> str:
    """Return what has to be installed: a wheel, what the course says, or nothing."""
    here = _installed()
    newest = max(wheels, key=lambda wheel: _number(_version_of(wheel)), default="")
    if newest and (not here or _number(_version_of(newest)) > _number(here)):
        return newest
    return course if not here or _number(here) < _number(version) else ""


def _installed() -> str:
    """Return the version that is installed, or nothing."""
    try:
        return metadata.version(NAME)
    except metadata.PackageNotFoundError:
        return ""


def _version_of(wheel: str) -> str:
    """Read the version inside a wheel. Raises NotReady."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
            said = archive.read(name).decode()
    except (OSError, ValueError, zipfile.BadZipFile):
        raise NotReady(
            f"{Path(wheel).name} is damaged: download it again, put it beside this notebook, and "
            "run this cell again."
        ) from None
    return re.findall(r"(?m)^Version: (\S+)", said)[0]


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version.split("+")[0])))


def _install(what: str) -> None:
    """Install the package alone: what it needs comes later. Raises NotReady."""
    with tempfile.TemporaryDirectory() as folder:
        file, said = what, what
        if Path(what).is_file():  # pip believes the name, and a browser may have changed it
            name = f"gradient_check-{_version_of(what)}-py3-none-any.whl"
            file, said = str(shutil.copyfile(what, Path(folder, name))), Path(what).name
        if _locked():
            _put_home(at_home()[0], [file], said)
        else:
            _pip("--no-deps", "--force-reinstall", file, what=said)
    if not _installed():
        raise NotReady(f"{said} is not this course's package: ask your teacher for the file.")


def _put_home(place: str, what: Iterable[str], said: str) -> None:
    """Install packages, and nothing that they need, in place of what a folder holds.

    Raises NotReady. (In a folder that is not empty, pip would leave the older versions.)
    """
    new = Path(place).with_name("new")
    shutil.rmtree(new, ignore_errors=True)
    _pip("--no-deps", "--target", str(new), *what, what=said)
    shutil.rmtree(place, ignore_errors=True)
    try:
        new.rename(place)
    except OSError as error:
        raise NotReady(
            f"{place} cannot be replaced ({error.strerror}): restart the kernel, and run this "
            "cell again."
        ) from None
    invalidate_caches()
    _look_at_home()


def _pip(*arguments: str, what: str) -> None:
    """Run pip to install something. Raises NotReady with the reason that a student can use."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-color"]
    command.append("--disable-pip-version-check")
    environment = {**os.environ, "PIP_USER": "0"} if _locked() else None  # as hubs may set it
    try:
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=PATIENCE,
            env=environment,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NotReady(
            f"Installing {what} took longer than {PATIENCE // 60} minutes, and was stopped. Run "
            "this cell again, with a faster connection if you can."
        ) from None
    if done.returncode == 0:
        invalidate_caches()
        return
    said = done.stderr
    if "No module named pip" in said:
        raise NotReady(
            "The Python of this notebook has no pip. In a terminal, run "
            f"`{sys.executable} -m ensurepip`; then run this cell again."
        )
    if "externally-managed" in said:
        raise NotReady(OWN_PYTHON)
    if re.search("No matching distribution|Could not find|Connection|Max retries|HTTP", said):
        raise NotReady(
            f"{what} cannot be downloaded. Check your internet connection; or put the file "
            "`gradient_check-….whl` that your teacher gave you beside this notebook, and run this "
            "cell again."
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["no word of why"]
    last = next((line for line in reversed(lines) if line.startswith("ERROR:")), lines[-1])
    raise NotReady(
        f"pip could not install {what}: {last.removeprefix('ERROR:').strip(' .')}. Put that right, "
        f"or send this line to whoever looks after {sys.executable}; then run this cell again."
    )


def _need(requirements: Iterable[str]) -> None:
    """Install what the package needs and is not here. Raises NotReady."""
    needed, missing = list[str](), list[str]()
    for requirement in requirements:
        match = re.match(r"([\w.-]+)>=([\d.]+)", requirement)
        if ";" in requirement or match is None:
            continue  # for instructors
        needed.append(requirement)
        name, least = match.groups()
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            found = ""
        if not found or _number(found) < _number(least):
            if name in GIVEN:
                is_there = f"{name} {found} is too old" if found else f"{name} is not installed"
                remedy = OWN_PYTHON if _locked() else (
                    "In a terminal, run `pip install --upgrade torch torchvision`; then restart "
                    "the kernel."
                )  # fmt: skip
                raise NotReady(f"{is_there}: the course needs {name} {least} or later. {remedy}")
            missing.append(requirement)
    if not missing:
        return
    with tempfile.TemporaryDirectory() as folder:
        fixed, said = Path(folder, "constraints.txt"), " and ".join(missing)
        fixed.write_text("".join(
            f"{name}=={metadata.version(name)}\n" for name in GIVEN if find_spec(name)
        ))  # fmt: skip
        if not _locked():
            _pip("--constraint", str(fixed), *missing, what=said)
            return
        report = Path(folder, "report.json")  # what it prints has colours in a notebook
        common = "--constraint", str(fixed), "--report", str(report)
        _pip("--dry-run", *common, *needed, what=said)
        new = [one["metadata"] for one in json.loads(report.read_bytes())["install"]]
        if new:
            _put_home(at_home()[1], [f"{one['name']}=={one['version']}" for one in new], said)


def _forget() -> None:
    """Forget what was imported of an older version, so that nobody has to restart."""
    for name in [n for n in sys.modules if n.split(".")[0] in OURS and n != __name__]:
        del sys.modules[name]
    sys.modules.pop(__name__, None)
    invalidate_caches()
