"""A notebook runs from its top in a fresh process, and what came of it is told."""

import subprocess
import sys

import pytest

from autograder.notebook import cases, progress, restart
from autograder.notebook.cases import Case, RecordedCheck
from autograder.notebook.evidence import Outcome, observe
from autograder.notebook.restart import Failed, NotRun, run
from tests.notebook.test_check import X

CHECKER = 'from autograder import Checker\ncheck = Checker("a9_test")'


def code(source, name="") -> dict:
    about = {"nbgrader": {"grade_id": name}} if name else {}
    return {"cell_type": "code", "metadata": about, "source": source.splitlines(True)}


def of(*cells) -> dict:
    return {"cells": [one if isinstance(one, dict) else code(one) for one in cells]}


@pytest.fixture
def folder(scratch):
    """A course with an assignment of four checks, each of which doubles."""
    (scratch / "nbgrader_config.py").touch()
    (scratch / "source" / "a9_test").mkdir(parents=True)
    two = tuple(
        Case(name, "2 rows", {"X": x}, expected=Outcome({"value": observe(2 * x)}))
        for name, x in {"zero": 0 * X, "small": X}.items()
    )
    names = ("passing", "failing", "unwritten", "never")
    checks = {name: RecordedCheck(name, name, {"value": "return"}, two) for name in names}
    (scratch / "source" / "a9_test" / cases.PUBLIC).write_bytes(cases.to_bytes(checks))
    return scratch


def test_checks_and_cells_are_told_as_they_are_after_a_restart(folder):
    """All in one run, because it imports torch."""
    said = []
    ran = run(
        of(
            {"cell_type": "markdown", "metadata": {}, "source": "1 / 0"},
            CHECKER,
            "def double(X):\n    return 2 * X\ndef triple(X):\n    return 3 * X\n"
            "def unwritten(X):\n    raise NotImplementedError",
            code('check.public("passing", double)', "passing"),
            code('check.public("failing", triple)', "failing"),
            code('check.public("unwritten", unwritten)', "unwritten"),
            code('check.public("never", gone)', "never"),
            "# not run when graded\nraise SystemError",
            "check.hand_in()",
            "check.progress()",
            'print("lots")\n1 / 0\nnever_reached = 1',
            "import os, sys\nopen('made.txt', 'w').write(f'{os.getcwd()} {sys.argv[0]}')",
            "def broken(:",
            "%matplotlib inline\nimport matplotlib.pyplot as plt; plt.plot([1]); plt.show()",
            "double(1)",
        ),
        folder, "a9_test", lambda done, total: said.append((done, total)),
    )  # fmt: skip
    kept = {name: (one.passed, one.cases, one.written) for name, one in ran.checks.items()}
    assert kept == {"passing": (2, 2, True), "failing": (1, 2, True), "unwritten": (0, 2, False)}
    assert ran.failed == (
        Failed(6, "never", "NameError", "name 'gone' is not defined"),
        Failed(10, "", "ZeroDivisionError", "division by zero"),
        Failed(12, "", "SyntaxError", ran.failed[2].why),
    )
    assert "invalid syntax" in ran.failed[2].why
    assert said == [(n, 11) for n in range(1, 12)]
    assert (folder / "made.txt").read_text().startswith(str(folder.resolve()))
    assert not (folder / progress.NAME).exists()


def test_it_is_a_process_of_its_own_in_the_folder_of_the_notebook(folder, monkeypatch):
    """Names of the notebook that is open are not known, and a grader's variable is not set."""
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    monkeypatch.setenv("MARK", "kept")
    (folder / "beside.py").write_text("value = 3")
    ran = run(
        of("import os\nassert not os.environ['NBGRADER_EXECUTION']",
           "assert os.environ['MARK'] == 'kept'",
           "import beside\nassert beside.value == 3",
           "folder", "import sys\nsys.exit(2)", "raise KeyboardInterrupt", "raise ValueError"),
        folder, "a9_test",
    )  # fmt: skip
    assert [(one.number, one.error, one.why) for one in ran.failed] == [
        (4, "NameError", "name 'folder' is not defined"), (5, "SystemExit", "2"),
        (6, "KeyboardInterrupt", ""), (7, "ValueError", ""),
    ]  # fmt: skip


@pytest.fixture
def impatient(monkeypatch):
    """A cell may run for one second only, in the other process too."""
    short = f"import {restart.__name__} as restart; restart.SECONDS = 1; {restart.START}"
    monkeypatch.setattr(restart, "START", short)


@pytest.mark.skipif(sys.platform == "win32", reason="no alarm rings there")
def test_an_endless_cell_is_stopped_and_the_next_one_runs(folder, impatient):
    stubborn = "while True:\n    try:\n        x = 1\n    except Exception:\n        pass"
    endless = (
        code("while True:\n    pass", "loop"), code(stubborn, "stubborn"),
        code("import time\ntime.sleep(500)", "waits"),
    )  # fmt: skip
    ran = run(of(*endless, "assert 1 == 2"), folder, "a9_test")
    assert [(one.name, one.error) for one in ran.failed] == [
        ("loop", "TooLong"), ("stubborn", "TooLong"), ("waits", "TooLong"), ("", "AssertionError"),
    ]  # fmt: skip
    assert {one.why for one in ran.failed[:2]} == {"it runs longer than 1 s"}


def test_a_cell_that_ends_python_is_told_in_a_sentence(folder):
    with pytest.raises(NotRun) as told:
        run(of("x = 1", "import os\nos._exit(0)", "y = 2"), folder, "a9_test")
    (sentence,) = told.value.sentences
    assert sentence.startswith("The notebook could not be run to its end: Python itself ended.")


def test_an_empty_notebook_has_nothing_that_fails_and_nothing_is_left(folder, monkeypatch):
    started, popen = [], subprocess.Popen
    monkeypatch.setattr(
        restart.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1]
    )
    (folder / "tmp").mkdir()
    monkeypatch.setattr(restart.tempfile, "tempdir", str(folder / "tmp"))
    ran = run(of(), folder, "a9_test")
    assert (dict(ran.checks), ran.failed) == ({}, ())
    assert [one.poll() for one in started] == [0]
    assert list((folder / "tmp").iterdir()) == []


def test_a_notebook_that_takes_too_long_as_a_whole_is_ended(folder, monkeypatch):
    monkeypatch.setattr(restart, "WHOLE", 0.2)
    with pytest.raises(NotRun, match="it takes longer than 0"):
        run(of("import time\ntime.sleep(60)"), folder, "a9_test")


def test_the_students_own_packages_come_first_and_nothing_else_of_the_kernels_path(
    folder, monkeypatch
):
    home, helpers = str(folder / "home"), str(folder / "helpers")
    monkeypatch.setattr(restart.set_up, "at_home", lambda: [home, str(folder / "not yet")])
    monkeypatch.setattr(sys, "path", [*sys.path, home, helpers])
    run(of("import sys\nopen('path.txt', 'w').write('\\n'.join(sys.path))"), folder, "a9_test")
    found = (folder / "path.txt").read_text().split("\n")
    assert found[:2] == ["", home]
    assert helpers not in found and str(folder / "not yet") not in found
