"""The first cell of a notebook brings the package, on a Python that is played here."""

import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from autograder import set_up
from tests.submissions import ROOT

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
        for what in command[4:]:
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
    seen = SimpleNamespace(path=["", "/site"], modules={}, executable="/opt/bin/python")
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
        get_path=lambda _, vars={"base": ""}: f"{vars['base']}/site"
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
        ("/opt/bin/python: No module named pip", "has no pip. Run `python -m ensurepip` with it"),
        ("/opt/bin/python: No module named pip", "uv pip install --python /opt/bin/python grad"),
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

OWN = Path(set_up.HOME).expanduser()


def test_packages_go_to_the_students_own_folder_and_are_found_first(machine, python, scratch):
    machine.locked = True
    machine.packages |= {set_up.NAME: "0.1.0"}
    del machine.packages["tqdm"]
    assert set_up.ready(wheels=[wheel(scratch, "0.2.0")])
    first, second = machine.asked
    assert first[:4] == ["--prefix", str(OWN), "--no-deps", "--ignore-installed"]
    assert second[:3] == ["--prefix", str(OWN), "--constraint"] and second[-1] == "tqdm>=4.66"
    assert python.path == ["", f"{OWN}/site", "/site"]
    assert machine.installed == "0.2.0"


def test_what_went_there_before_is_found_again(machine, python):
    machine.locked = True
    machine.packages[set_up.NAME] = "0.2.0"
    assert set_up.ready() and set_up.ready()
    assert machine.asked == [] and python.path == ["", f"{OWN}/site", "/site"]


def test_where_a_student_may_write_nothing_goes_there(machine, python, scratch):
    assert set_up.ready(wheels=[wheel(scratch, "0.2.0")])
    assert python.path == ["", "/site"] and "--prefix" not in machine.asked[0]


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
    assert python.path == ["", "/site"]


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
