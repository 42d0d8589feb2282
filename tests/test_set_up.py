"""The first cell of a notebook brings the package, on a Python that is played here."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from autograder import set_up
from tests.submissions import ASSIGNMENTS, ROOT, released_notebook

GIVEN = {"torch": "2.6.0+cu124", "torchvision": "0.21.0", "numpy": "2.1", "scipy": "1.14"}
NEEDS = [
    "torch>=2.6", "torchvision>=0.21", "numpy>=1.26", "scipy>=1.12", "tqdm>=4.66",
    "nbgrader<0.10,>=0.9.5; extra == 'instructor'",
]  # fmt: skip
BROWSERS_NAME = "gradient_check-0.2.0 (1).whl"


@dataclass
class Machine:
    """A Python with some packages, and a pip that installs, or fails with what it says."""

    packages: dict[str, str] = field(default_factory=lambda: {**GIVEN, "tqdm": "4.70"})
    direct_url: str | None = None
    on_index: str = "0.2.0"
    fails: str | Exception = ""
    locked: bool = False  # nobody may write among the packages
    would: list[tuple[str, str]] = field(default_factory=list)  # be installed, and in what version
    asked: list[list[str]] = field(default_factory=list)  # of pip, but for the options for all
    constraints: str = ""

    @property
    def installed(self) -> str:
        return self.packages.get(set_up.NAME, "")

    def version(self, name: str) -> str:
        if name not in self.packages:
            raise metadata.PackageNotFoundError(name)
        return self.packages[name]

    def requires(self, name: str) -> list[str]:
        self.version(name)
        return NEEDS

    def distribution(self, name: str):
        self.version(name)
        return SimpleNamespace(read_text=lambda _: self.direct_url)

    def run(self, command, **_):
        assert command[1:4] == ["-m", "pip", "install"]
        self.asked.append([one for one in command[4:] if one not in ALWAYS])
        if isinstance(self.fails, Exception):
            raise self.fails
        if self.fails:
            return subprocess.CompletedProcess(command, 1, "", self.fails)
        if "--constraint" in command:
            self.constraints = Path(command[command.index("--constraint") + 1]).read_text()
        if "--target" in command:
            Path(command[command.index("--target") + 1]).mkdir(parents=True)
        if "--dry-run" in command:
            new = [{"metadata": {"name": name, "version": v}} for name, v in self.would]
            report = Path(command[command.index("--report") + 1])
            report.write_text(json.dumps({"install": new}))
            return subprocess.CompletedProcess(command, 0, "", "")
        for what in command[4:]:
            if "==" in what:
                self.packages[what.split("==")[0]] = what.split("==")[1]
            if ">=" in what:
                self.packages[what.split(">=")[0]] = what.split(">=")[1]
            elif what.endswith(".whl"):  # pip goes by the name of the file
                assert re.fullmatch(r"[\w.]+-[\d.]+(post\d+)?-py3-none-any\.whl", Path(what).name)
                self.packages[set_up.NAME] = Path(what).name.split("-")[1]
            elif what == set_up.NAME:
                self.packages[what] = self.on_index
        return subprocess.CompletedProcess(command, 0, "", "")


ALWAYS = "--quiet", "--no-color", "--disable-pip-version-check"


@pytest.fixture(autouse=True)
def environment(scratch, monkeypatch):
    """The variables of the environment, which are the test's own."""
    mine = {"PATH": "", "HOME": str(scratch)}
    monkeypatch.setattr(set_up, "os", SimpleNamespace(**{**vars(set_up.os), "environ": mine}))
    return mine


@pytest.fixture
def python(monkeypatch):
    """What the set-up sees of Python itself."""
    seen = SimpleNamespace(path=["", "/purelib"], modules={}, executable="/opt/bin/python",
                           version_info=sys.version_info)  # fmt: skip
    monkeypatch.setattr(set_up, "sys", seen)
    return seen


@pytest.fixture
def machine(monkeypatch, python):
    played = Machine()
    monkeypatch.setattr(set_up, "metadata", SimpleNamespace(
        version=played.version, requires=played.requires, distribution=played.distribution,
        PackageNotFoundError=metadata.PackageNotFoundError,
    ))  # fmt: skip
    monkeypatch.setattr(set_up.os, "access", lambda *_: not played.locked)
    monkeypatch.setattr(set_up, "sysconfig", SimpleNamespace(
        get_path=lambda name, vars={"base": ""}: f"{vars['base']}/{name}"
    ))  # fmt: skip
    monkeypatch.setattr(set_up, "find_spec", lambda name: name in played.packages or None)
    monkeypatch.setattr(set_up.subprocess, "run", played.run)
    return played


def wheel(folder: Path, version: str, name: str = "") -> str:
    """Write a wheel of a version, under a name. Returns its path as the first cell finds it."""
    path = folder / (name or f"gradient_check-{version}-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as archive:
        about = f"Metadata-Version: 2.4\nName: gradient-check\nVersion: {version}\n"
        archive.writestr(f"gradient_check-{version}.dist-info/METADATA", about)
    return str(path)


# Which package is installed


def test_a_wheel_is_installed_whatever_a_browser_has_called_it(machine, scratch):
    assert set_up.ready(wheels=[wheel(scratch, "0.2.0", BROWSERS_NAME)])
    (asked,) = machine.asked
    assert asked[:-1] == ["--no-deps", "--force-reinstall"]
    assert Path(asked[-1]).name == "gradient_check-0.2.0-py3-none-any.whl"
    assert machine.installed == "0.2.0"
    assert (scratch / BROWSERS_NAME).is_file()


@pytest.mark.parametrize(
    "here, beside, then",
    [
        ("", ["0.2.0"], "0.2.0"),
        ("0.2.0", ["0.3.0"], "0.3.0"),
        ("0.9.0", ["0.10.0"], "0.10.0"),
        ("0.2.0", ["0.2.0.post20261129184500"], "0.2.0.post20261129184500"),
        ("", ["0.9.0", "0.10.0", "0.2.0"], "0.10.0"),
        ("0.3.0", ["0.2.0"], ""),
        ("0.2.0", ["0.2.0"], ""),
    ],
)
def test_of_the_wheels_the_newest_is_installed_if_it_is_newer(machine, scratch, here, beside, then):
    if here:
        machine.packages[set_up.NAME] = here
    assert set_up.ready(wheels=[wheel(scratch, version) for version in beside])
    assert machine.installed == (then or here)
    assert len(machine.asked) == bool(then)


@pytest.mark.parametrize(
    "here, oldest, asks",
    [
        ("", "", True),
        ("0.1.0", "0.2.0", True),
        ("0.2.0", "0.2.0.post20261129184500", True),
        ("0.2.0", "0.2.0", False),
        ("0.10.0", "0.9.0", False),
        ("0.1.0", "", False),
    ],
)
def test_without_a_wheel_the_course_says_where_a_missing_or_old_package_comes_from(
    machine, here, oldest, asks
):
    if here:
        machine.packages[set_up.NAME] = here
    assert set_up.ready("gradient-check", oldest)
    assert [asked[-1] for asked in machine.asked] == (["gradient-check"] if asks else [])


def test_a_wheel_that_is_too_old_for_the_notebook_is_no_reason_not_to_ask(machine, scratch):
    machine.packages[set_up.NAME] = "0.1.0"
    assert set_up.ready("gradient-check", "0.2.0", [wheel(scratch, "0.1.0")])
    assert [asked[-1] for asked in machine.asked] == ["gradient-check"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half", "zip without a version"])
def test_a_damaged_wheel_is_named_and_pip_is_not_asked(machine, scratch, capsys, content):
    path = scratch / BROWSERS_NAME
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("something.txt", content)
    assert not set_up.ready(wheels=[str(path)])
    assert machine.asked == []
    assert capsys.readouterr().out == (
        f"{BROWSERS_NAME} is damaged: download it again, put it beside this notebook, and run this "
        "cell again.\n"
    )


def test_a_clone_is_left_as_it_is(machine, scratch):
    machine.packages[set_up.NAME] = "0.1.0"
    machine.direct_url = '{"dir_info": {"editable": true}, "url": "file:///home/kim/course"}'
    assert set_up.ready("gradient-check", "9.0", [wheel(scratch, "9.0")])
    assert machine.asked == [] and machine.installed == "0.1.0"


@pytest.mark.parametrize("direct_url", [None, "{", '{"url": "https://x", "archive_info": {}}'])
def test_what_was_installed_from_a_file_or_an_index_is_no_clone(machine, scratch, direct_url):
    machine.packages[set_up.NAME] = "0.1.0"
    machine.direct_url = direct_url
    assert set_up.ready(wheels=[wheel(scratch, "0.2.0")])
    assert machine.installed == "0.2.0"


# What the package needs


def test_what_is_missing_or_too_old_is_installed_and_torch_stays_as_it_is(machine):
    machine.packages |= {set_up.NAME: "0.2.0"}
    for before in ({}, {"tqdm": "4.65.9"}):
        machine.packages = {**GIVEN, set_up.NAME: "0.2.0", **before}
        machine.asked.clear()
        assert set_up.ready()
        (asked,) = machine.asked
        assert asked[0] == "--constraint" and asked[2:] == ["tqdm>=4.66"]
        assert machine.constraints.splitlines() == [f"{n}=={v}" for n, v in GIVEN.items()]


def test_nothing_that_only_an_instructor_needs_is_installed(machine):
    machine.packages[set_up.NAME] = "0.2.0"
    assert set_up.ready()
    assert machine.asked == []


@pytest.mark.parametrize(
    "found, said", [("", "torch is not installed"), ("2.5.1+cpu", "torch 2.5.1+cpu is too old")]
)
def test_torch_is_asked_for_in_a_sentence_and_never_installed(machine, capsys, found, said):
    machine.packages = {k: v for k, v in machine.packages.items() if k not in ("torch", "tqdm")}
    machine.packages |= {set_up.NAME: "0.2.0"} | ({"torch": found} if found else {})
    assert not set_up.ready()
    out = capsys.readouterr().out
    assert out.startswith(f"{said}: the course needs torch 2.6 or later.")
    assert "pip install --upgrade torch torchvision" in out
    assert machine.asked == []


def test_where_nobody_may_add_torch_it_is_said_who_can(machine, capsys):
    machine.locked = True
    machine.packages = {"torch": "2.5.1", set_up.NAME: "0.2.0"}
    assert not set_up.ready()
    out = capsys.readouterr().out
    assert out.startswith("torch 2.5.1 is too old: the course needs torch 2.6 or later. This Py")
    assert "send this line to whoever runs it" in out and "python3 -m venv course" in out


# When pip cannot


@pytest.mark.parametrize(
    "stderr, said",
    [
        (
            "/opt/bin/python: No module named pip",
            "has no pip. In a terminal, run `/opt/bin/python -m ensurepip`; then run this",
        ),
        ("error: externally-managed-environment\n\n× This …", "belongs to a hub or to your system"),
        ("ERROR: No matching distribution found for gradient-check", "cannot be downloaded"),
        ("Max retries exceeded with url: /simple/gradient-check/", "Check your internet connec"),
        ("ERROR: HTTP error 404 while getting https://x/y.whl", "that your teacher gave you"),
        (
            "lots\nERROR: [Errno 28] No space left on device\n\n",
            "pip could not install gradient-check: [Errno 28] No space left on device. Put that "
            "right, or send this line to whoever looks after /opt/bin/python",
        ),
    ],
)
def test_a_pip_that_fails_is_told_in_a_sentence_with_a_remedy(machine, capsys, stderr, said):
    machine.fails = stderr
    assert not set_up.ready("gradient-check")
    out = capsys.readouterr().out
    assert said in out and "Traceback" not in out and not out.startswith("ERROR")
    assert len(out.splitlines()) == 1


def test_a_pip_that_takes_too_long_is_told(machine, capsys):
    machine.fails = subprocess.TimeoutExpired("pip", 300)
    assert not set_up.ready("gradient-check")
    out = capsys.readouterr().out
    assert out.startswith("Installing gradient-check took longer than 5 minutes, and was stopped.")


def test_a_wheel_that_pip_does_not_want_goes_by_the_name_that_the_student_sees(
    machine, scratch, capsys
):
    machine.fails = "ERROR: the disk is full"
    assert not set_up.ready(wheels=[wheel(scratch, "0.2.0", BROWSERS_NAME)])
    out = capsys.readouterr().out
    assert out.startswith(f"pip could not install {BROWSERS_NAME}: the disk is full.")


# Where nobody may write among Python's packages, as on many JupyterHubs


@pytest.fixture
def own(machine, scratch, monkeypatch):
    """A student's own folder for packages, of a Python in which nobody may write."""
    machine.locked = True
    monkeypatch.setattr(set_up, "HOME", str(scratch / "home"))
    return scratch / "home"


def test_packages_go_to_the_students_own_folder_and_are_found_first(machine, own, python, scratch):
    machine.packages |= {set_up.NAME: "0.1.0", "tqdm": "4.1"}
    machine.would = [("tqdm", "4.70"), ("colorama", "0.4")]
    assert set_up.ready(wheels=[wheel(scratch, "0.2.0")])
    course, dry, needs = machine.asked
    assert course[:3] == ["--no-deps", "--target", str(own / "new")]
    assert (dry[0], dry[1], dry[3]) == ("--dry-run", "--constraint", "--report")
    assert dry[5:] == [need for need in NEEDS if ";" not in need]
    new = ["--no-deps", "--target", str(own / "new"), "tqdm==4.70", "colorama==0.4"]
    assert needs == new
    home = set_up.at_home()
    assert all(Path(place).is_dir() for place in home) and not (own / "new").exists()
    assert python.path == ["", *home, "/purelib"]
    assert machine.installed == "0.2.0"


def test_what_went_there_before_is_found_again(machine, own, python):
    machine.packages[set_up.NAME] = "0.2.0"
    assert set_up.ready() and set_up.ready()
    assert machine.asked == [] and len(python.path) == 4


def test_a_folder_that_cannot_be_replaced_is_said(machine, own, scratch, capsys):
    (own / "course").parent.mkdir()
    (own / "course").write_text("a file")
    assert not set_up.ready(wheels=[wheel(scratch, "0.2.0")])
    assert "course cannot be replaced (Not a directory): restart the kernel" in (
        capsys.readouterr().out
    )


def test_where_a_student_may_write_nothing_goes_there(machine, python, scratch):
    assert set_up.ready(wheels=[wheel(scratch, "0.2.0")])
    assert python.path == ["", "/purelib"] and "--target" not in machine.asked[0]


def test_another_package_of_the_name_is_not_taken_for_the_course(machine, capsys):
    assert not set_up.ready("https://example.org/other.zip")
    assert capsys.readouterr().out == (
        "https://example.org/other.zip is not this course's package: ask your teacher for the "
        "file.\n"
    )


# No restart


def test_what_was_imported_of_the_package_is_forgotten_and_nothing_else(machine, python, scratch):
    ours = ("autograder", "autograder.set_up", "autograder.notebook.check", "data_scripts.toy")
    others = ("torch", "autograders", "data_scripts_of_mine")
    python.modules.update(dict.fromkeys([*ours, *others]))
    assert set_up.ready(wheels=[wheel(scratch, "0.2.0")])
    assert set(python.modules) == set(others)


def test_the_wheels_do_not_stay_on_the_path(machine, python, scratch):
    wheels = [wheel(scratch, "0.1.0"), wheel(scratch, "0.2.0")]
    python.path[:0] = wheels
    assert set_up.ready(wheels=wheels)
    assert python.path == ["", "/purelib"]


def test_under_a_grader_nothing_is_installed_and_nothing_forgotten(
    machine, python, environment, scratch, monkeypatch
):
    environment["NBGRADER_EXECUTION"] = "autograde"
    python.modules["autograder"] = None
    monkeypatch.setattr(set_up, "workspace", pytest.fail)
    assert set_up.ready("gradient-check", "9.0", [wheel(scratch, "9.0")])
    assert machine.asked == [] and list(python.modules) == ["autograder"]


def test_it_comes_from_a_wheel_of_any_name_with_python_s_own_library_only(tmp_path):
    """The first cell imports it before anything is installed."""
    path = tmp_path / BROWSERS_NAME
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("autograder/__init__.py", "autograder/set_up.py"):
            archive.write(ROOT / name, name)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import autograder.set_up as it\n"
        "print(it.__file__)"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip().startswith(str(path)), done.stderr


# A real Python in which nobody may write, and a real pip

FIRST_CELL = next(
    cell.source for cell in released_notebook(ASSIGNMENTS[0]).cells if cell.cell_type == "code"
)
TELL = """
from importlib import metadata
import autograder
def known(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
print(autograder.__version__, *(known(n) for n in ("gradient-check", "old-need", "new-need")))
"""
# A process of root's may write anywhere, unless it gives up the right to.
MAY_NOT = ["setpriv", "--bounding-set", "-dac_override", "--inh-caps", "-dac_override"]


def built(folder: Path, name: str, version: str, *needs: str) -> Path:
    """Build a wheel that can be installed; that of the course has its set-up."""
    path, info = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    inside = {
        f"{info}/METADATA": about + "".join(f"Requires-Dist: {need}\n" for need in needs),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{name}.py": "",
    }
    if name == "gradient_check":
        inside["autograder/__init__.py"] = f"__version__ = {version!r}"
        inside["autograder/set_up.py"] = (ROOT / "autograder" / "set_up.py").read_text()
    inside[f"{info}/RECORD"] = "".join(f"{member},,\n" for member in inside)
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in inside.items():
            archive.writestr(member, content)
    return path


@pytest.fixture
def hub(tmp_path):
    """Run the first cell on a hub that has some packages, of which nobody may change any."""
    as_student = MAY_NOT if os.geteuid() == 0 else []
    if as_student and not shutil.which(as_student[0]):
        pytest.skip("needs setpriv, or somebody who is not root")
    index, work, home = (tmp_path / name for name in ("index", "work", "home"))
    for folder in (index, work, home):
        folder.mkdir()
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    clean |= {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}  # as kernels have it
    clean |= {"HOME": str(home), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)}

    def has(*wheels):
        packages.chmod(0o755)
        subprocess.run(
            [python, "-m", "pip", "install", "--no-deps", *wheels], check=True, env=clean
        )

    def first_cell(course="gradient-check", **variables):
        packages.chmod(0o555)
        source = FIRST_CELL.replace('"gradient-check"', repr(str(course)), 1) + TELL
        command = [*as_student, python, "-W", "ignore", "-c", source]
        done = subprocess.run(
            command, cwd=work, env=clean | variables, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip().split(" ")

    yield SimpleNamespace(has=has, first_cell=first_cell, index=index, work=work, home=home)
    packages.chmod(0o755)


@pytest.mark.slow
def test_on_a_locked_hub_each_newer_wheel_takes_the_place_of_the_one_before(hub, tmp_path):
    hub.has(built(tmp_path, "gradient_check", "0.1.0"))
    for version in ("0.2.0", "0.3.0", "0.10.0"):
        built(hub.work, "gradient_check", version).rename(
            hub.work / f"gradient-check {version}.whl"
        )
        assert hub.first_cell()[:2] == [version, version]
    for path in hub.work.iterdir():
        path.unlink()
    assert hub.first_cell()[:2] == ["0.10.0", "0.10.0"]  # and stays


@pytest.mark.slow
def test_a_hub_that_is_newer_than_a_student_s_own_copy_counts(hub, tmp_path):
    own = built(hub.work, "gradient_check", "0.2.0")
    assert hub.first_cell()[:2] == ["0.2.0", "0.2.0"]
    own.unlink()
    hub.has(built(tmp_path, "gradient_check", "0.3.0"))
    assert hub.first_cell()[:2] == ["0.3.0", "0.3.0"]


@pytest.mark.slow
def test_what_a_cluster_puts_into_pythonpath_comes_after_a_student_s_own(hub, tmp_path):
    shared = tmp_path / "shared"
    with zipfile.ZipFile(built(tmp_path, "gradient_check", "0.1.0")) as archive:
        archive.extractall(shared)
    built(hub.work, "gradient_check", "0.2.0")
    assert hub.first_cell(PYTHONPATH=str(shared))[:2] == ["0.2.0", "0.2.0"]


@pytest.mark.slow
@pytest.mark.parametrize("variables", [{}, {"PIP_USER": "1"}], ids=["plain", "PIP_USER"])
def test_on_a_locked_hub_what_is_missing_or_too_old_comes_too(hub, tmp_path, variables):
    hub.has(built(tmp_path, "old_need", "1.0"), built(tmp_path, "of_need", "1.0"))
    built(hub.index, "old_need", "2.0", "more")
    built(hub.index, "new_need", "1.5", "of_need>=1.1")
    for name in ("more", "of_need"):
        built(hub.index, name, "1.2")
    built(hub.work, "gradient_check", "0.2.0", "old_need>=2.0", "new_need>=1.0")
    for _ in range(2):
        assert hub.first_cell(**variables) == ["0.2.0", "0.2.0", "2.0", "1.5"]
        for path in hub.index.iterdir():  # everything is there: no network is needed
            path.unlink()
    built(hub.index, "old_need", "3.0")
    built(hub.index, "new_need", "1.5")
    built(hub.work, "gradient_check", "0.3.0", "old_need>=3.0", "new_need>=1.0")
    assert hub.first_cell(**variables) == ["0.3.0", "0.3.0", "3.0", "1.5"]


@pytest.mark.slow
def test_without_a_wheel_the_first_cell_fetches_one_past_another_package_of_the_name(hub, tmp_path):
    other = tmp_path / "venv" / "lib"
    (packages,) = other.glob("python*/site-packages")
    (packages / "autograder").mkdir()
    (packages / "autograder" / "__init__.py").write_text("__version__ = '3.7.7'")
    course = built(tmp_path, "gradient_check", "0.2.0")
    assert hub.first_cell(course)[:2] == ["0.2.0", "0.2.0"]


# Where files are kept


@pytest.fixture
def colab(scratch, monkeypatch, environment):
    """A session of Colab, in which nobody has answered yet: a list of what was mounted."""
    mounted, place = [], scratch / "drive" / "MyDrive"

    def mount(where: str) -> None:
        mounted.append(where)
        place.mkdir(parents=True)

    google, module = ModuleType("google"), ModuleType("google.colab")
    module.drive = SimpleNamespace(mount=mount)
    for one in (google, module):
        monkeypatch.setitem(sys.modules, one.__name__, one)
    monkeypatch.setattr(set_up, "DRIVE", place)
    return SimpleNamespace(mounted=mounted, place=place, drive=module.drive)


def test_in_colab_files_go_into_the_students_drive_after_one_question(colab, environment):
    folder = colab.place / "Gradient Check"
    assert set_up.workspace() == Path.cwd() == folder
    assert set_up.workspace() == Path.cwd() == folder
    assert colab.mounted == [str(colab.place.parent)]
    assert environment[set_up.DATA] == str(folder / "data")


def test_a_drive_that_is_there_already_is_not_asked_for(colab):
    colab.place.mkdir(parents=True)
    assert set_up.workspace() == colab.place / "Gradient Check"
    assert colab.mounted == []


def test_a_folder_for_data_that_somebody_chose_is_kept(colab, environment):
    environment[set_up.DATA] = "/elsewhere"
    set_up.workspace()
    assert environment[set_up.DATA] == "/elsewhere"


def test_whoever_says_no_is_told_what_follows_and_not_asked_again(colab, scratch, capsys):
    def refuse(where: str) -> None:
        colab.mounted.append(where)
        raise ValueError("mount failed")

    colab.drive.mount = refuse
    assert set_up.workspace() == set_up.workspace() == scratch
    assert len(colab.mounted) == 1
    assert capsys.readouterr().out.count("Without Google Drive") == 1
    assert not colab.place.exists()


def test_anywhere_else_files_stay_beside_the_notebook(scratch, environment):
    assert set_up.workspace() == scratch
    assert set_up.DATA not in environment
    assert list(scratch.iterdir()) == []


def test_the_folder_is_chosen_when_the_package_is_ready(machine, colab, python):
    machine.packages[set_up.NAME] = "0.2.0"
    python.modules["google.colab"] = sys.modules["google.colab"]
    assert set_up.ready()
    assert Path.cwd() == colab.place / "Gradient Check"


def test_the_names_that_others_use_too_are_the_same():
    from data_scripts import storage

    assert set_up.DATA == storage.DATA
