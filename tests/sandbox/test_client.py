"""The warm process as seen from outside: what it is started with, and what it says if it fails.

A process that has to import nothing is ready in a tenth of a second; those here are of that kind.
"""

import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from select import select

import pytest

from autograder.errors import SandboxError
from autograder.sandbox import client, package
from tests.grading.test_execute import executed
from tests.submissions import ROOT

LIMITS = {"memory": 2**30}


@pytest.fixture
def begun(monkeypatch):
    """Give a test warm processes of its own, in the order in which they were started."""
    started = []

    class Counted(client.WarmProcess):
        def __init__(self, order):
            super().__init__(order)
            self.order = order
            started.append(self)

    monkeypatch.setattr(client, "WarmProcess", Counted)
    monkeypatch.setattr(client, "_started", {})
    yield started
    for process in started:
        process.close()


def lesson_in(folder, code="COURSE = 'course'\n"):
    """Lay out an assignment with a lesson. Returns the `source` folder it is in."""
    lesson = folder / "source" / "a0_course" / "lesson"
    lesson.mkdir(parents=True)
    (lesson / "plots.py").write_text(code)
    return folder / "source"


def test_the_same_settings_are_the_same_process(begun, tmp_path):
    one, two = (client.begin(True, [], LIMITS, tmp_path) for _ in range(2))
    assert one is two and begun == [one]


@pytest.mark.parametrize(
    "other",
    [
        (False, [], LIMITS, ROOT),
        (True, ["json"], LIMITS, ROOT),
        (True, [], {"memory": 2**31}, ROOT),
        (True, [], LIMITS, ROOT / "elsewhere"),
    ],
)
def test_other_settings_are_another_process(begun, other):
    first = client.begin(True, [], LIMITS, ROOT)
    assert client.begin(*other) is not first


def test_a_process_for_other_settings_takes_the_place_of_the_one_before(begun, tmp_path):
    """Each takes half a GB once it is warm, and nobody can ask for the one before any more."""
    first = client.get(True, [], LIMITS, tmp_path / "one")
    second = client.get(True, [], LIMITS, tmp_path / "two")
    assert (second.alive, first.alive) == (True, False)


def test_one_that_has_died_is_replaced(begun, tmp_path):
    first = client.get(True, [], LIMITS, tmp_path)
    first.process.kill()
    first.process.wait()
    second = client.get(True, [], LIMITS, tmp_path)
    assert (first.alive, second.alive) == (False, True)


def test_it_ends_with_whoever_asked_for_it():
    code = (
        "import os, sys; from pathlib import Path; from autograder.sandbox import client\n"
        f"process = client.get(True, [], {LIMITS}, Path('nowhere'))\n"
        "assert not {'torch', 'nbgrader', 'autograder.grading'} & set(sys.modules)\n"
        "print(process.process.pid, flush=True)\n"
        "os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    try:
        handle = os.pidfd_open(int(done.stdout))
    except ProcessLookupError:
        return  # it has ended already
    ended, _, _ = select([handle], [], [], 10)
    os.close(handle)
    assert ended, "it runs on, although nobody can ask it for a kernel"


def test_nothing_can_be_forked_from_a_process_that_was_closed(begun, tmp_path):
    process = client.get(True, [], LIMITS, tmp_path)
    process.close()
    process.close()  # again, when Python ends
    with pytest.raises(OSError):
        process.fork({}, [])


def test_the_environment_of_the_grader_is_not_handed_on(begun, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_SECRET", "canary")
    process = client.get(True, [], LIMITS, tmp_path)
    inside = process.order["environment"]
    assert "COURSE_SECRET" not in inside
    with open(f"/proc/{process.process.pid}/environ", "rb") as file:
        assert b"canary" not in file.read()
    assert {inside[name] for name in ("HOME", "TMPDIR", "MPLCONFIGDIR")} == {"/scratch"}
    assert inside["OMP_NUM_THREADS"] == "1"


def test_without_a_sandbox_nothing_is_hidden_and_the_environment_is_the_same(begun, tmp_path):
    order = client.begin(False, [], LIMITS, tmp_path).order
    assert order["paths"] == []
    assert order["environment"] == client.ENVIRONMENT


def test_the_order_says_what_is_inside(begun, tmp_path):
    source = lesson_in(tmp_path)
    order = client.begin(True, ["json"], LIMITS, source).order
    assert order["package"] == {n: str(file) for n, file in package.contents(source).items()}
    assert order["preload"] == ["json", "autograder.assignments.a0_course.lesson.plots"]
    assert (order["limits"], order["source"], order["sandbox"]) == (LIMITS, str(source), True)
    assert sys.prefix in order["paths"]


@pytest.mark.parametrize("sandbox", [True, False])
def test_lessons_of_the_course_can_be_imported(begun, sandbox, tmp_path):
    module = "autograder.assignments.a0_course.lesson.plots"
    client.get(sandbox, [module], LIMITS, lesson_in(tmp_path))
    assert begun[0].order["preload"] == [module, module]


@pytest.mark.parametrize("sandbox", [True, False])
def test_an_import_that_fails_is_named_and_the_process_ends(begun, sandbox, tmp_path):
    with pytest.raises(SandboxError) as error:
        client.get(sandbox, ["autograder.no_such"], LIMITS, tmp_path)
    assert "autograder.no_such cannot be imported: ModuleNotFoundError" in str(error.value)
    assert "\n" not in str(error.value)
    assert not begun[0].alive


def test_a_process_that_ends_while_it_imports_is_one_sentence(begun, tmp_path):
    source = lesson_in(tmp_path, "import os; os._exit(3)")
    with pytest.raises(SandboxError, match="there is no sandbox: it ended before it was ready"):
        client.get(True, [], LIMITS, source)
    assert not begun[0].alive


def test_a_process_that_ends_before_its_first_line_is_one_sentence(begun, tmp_path):
    process = client.begin(True, [], LIMITS, tmp_path)
    process.process.kill()
    with pytest.raises(SandboxError, match="there is no sandbox: it ended before it was ready"):
        process.wait_until_warm()


def test_asking_a_dead_process_for_a_kernel_is_an_os_error(begun, tmp_path):
    process = client.get(False, [], LIMITS, tmp_path)
    process.process.kill()
    process.process.wait()
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(OSError):
        process.fork({}, [theirs.fileno()])


def test_ordinary_kernels_need_no_sandbox_to_be_asked_for():
    client.require(no_sandbox=True)
    with pytest.raises(SandboxError, match="there is no sandbox on this system"):
        client.require(no_sandbox=False)
    with pytest.raises(SandboxError, match="there is no sandbox on this system"):
        executed("1", Execute={"warm": False})


def test_where_no_sandbox_can_be_had_one_sentence_says_so():
    code = (
        "from pathlib import Path; Path('/proc/sys/user/max_user_namespaces').write_text('0')\n"
        "from autograder.sandbox import client\n"
        f"client.get(True, [], {LIMITS}, Path('nowhere'))"
    )
    probe = subprocess.run(["unshare", "-Urm", "true"], capture_output=True)
    if probe.returncode:
        pytest.skip("needs `unshare` to make a system without user namespaces")
    done = subprocess.run(
        ["unshare", "-Urm", sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    last = done.stderr.splitlines()[-1]
    assert "SandboxError: there is no sandbox: this system allows no user namespaces" in last
    assert "--no-sandbox" in last


def test_a_course_inside_the_environment_of_python_is_refused(monkeypatch):
    monkeypatch.setattr(client.sys, "prefix", str(ROOT.parent))
    with pytest.raises(SandboxError, match="in a folder of its own"):
        client.readable_paths(ROOT / "source")


def test_a_source_folder_inside_the_environment_of_python_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(client.sys, "prefix", str(tmp_path))
    with pytest.raises(SandboxError, match=f"environment of Python, {tmp_path}, which subm"):
        client.readable_paths(tmp_path / "source")


def test_what_every_course_imports_is_there():
    """A name with a typing error would be taken for something that is not installed."""
    assert [name for name in client.COURSE_IMPORTS if find_spec(name) is None] == []
