"""The warm process as seen from outside: what it is started with, and what it says if it fails.

A process that has to import nothing is ready in a tenth of a second; those here are of that kind.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from select import select

import pytest

from autograder.errors import SandboxError
from autograder.grading import files
from autograder.sandbox import client, package, records
from autograder.sandbox.limits import Limits
from tests.grading.test_execute import executed
from tests.submissions import ASSIGNMENTS, ROOT

LIMITS = Limits().as_dict() | {"memory": 2**30}
LESSON = "from autograder.assignments.a0_course.lesson import plots"
PACKED = files.pack({"a.txt": b"hello"})


def settings(source=ROOT, sandbox=True, preload=(), fork=True):
    return client.Settings(sandbox, fork, tuple(preload), source)


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


def warm(chosen):
    """Return a process that is warm."""
    process = client.begin(chosen)
    process.wait_until_warm()
    return process


def lesson_in(folder, code="COURSE = 'course'\n"):
    """Lay out an assignment with a lesson. Returns the `source` folder it is in."""
    lesson = folder / "source" / "a0_course" / "lesson"
    lesson.mkdir(parents=True)
    (lesson / "plots.py").write_text(code)
    return folder / "source"


def test_the_same_settings_are_the_same_process(begun, tmp_path):
    one, two = (client.begin(settings(tmp_path)) for _ in range(2))
    assert one is two and begun == [one]


@pytest.mark.parametrize(
    "other",
    [settings(sandbox=False), settings(preload=["import json"]), settings(ROOT / "elsewhere")],
)
def test_other_settings_are_another_process(begun, other):
    first = client.begin(settings())
    assert client.begin(other) is not first


def test_a_process_for_other_settings_takes_the_place_of_the_one_before(begun, tmp_path):
    """Each takes half a GB once it is warm, and nobody can ask for the one before any more."""
    first = warm(settings(tmp_path / "one"))
    second = warm(settings(tmp_path / "two"))
    assert (second.alive, first.alive) == (True, False)


def test_one_that_has_died_is_replaced(begun, tmp_path):
    first = warm(settings(tmp_path))
    first.process.kill()
    first.process.wait()
    second = warm(settings(tmp_path))
    assert (first.alive, second.alive) == (False, True)


def test_it_ends_with_whoever_asked_for_it():
    code = (
        "import os, sys; from pathlib import Path; from autograder.sandbox import client\n"
        "process = client.begin(client.Settings(True, True, (), Path('nowhere')))\n"
        "process.wait_until_warm()\n"
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
    process = warm(settings(tmp_path))
    process.close()
    process.close()  # again, when Python ends
    with pytest.raises(client.KernelLost, match="the kernel could not be started"):
        process.fork(b"", LIMITS)


def test_the_environment_of_the_grader_is_not_handed_on(begun, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_SECRET", "canary")
    process = warm(settings(tmp_path))
    inside = process.order["environment"]
    assert "COURSE_SECRET" not in inside
    with open(f"/proc/{process.process.pid}/environ", "rb") as file:
        assert b"canary" not in file.read()
    assert {inside[name] for name in ("HOME", "TMPDIR", "MPLCONFIGDIR")} == {"/scratch"}
    assert inside["OMP_NUM_THREADS"] == "1"


def test_without_a_sandbox_nothing_is_hidden_and_the_environment_is_the_same(begun, tmp_path):
    order = client.begin(settings(tmp_path, sandbox=False)).order
    assert order["paths"] == ()
    assert order["environment"] == client.ENVIRONMENT


def test_the_order_says_what_is_inside(begun, tmp_path):
    source = lesson_in(tmp_path)
    order = client.begin(settings(source, preload=["import json"])).order
    assert order["package"] == {n: str(file) for n, file in package.contents(source).items()}
    assert list(order["preload"]) == ["import json"]
    assert (order["source"], order["sandbox"], order["fork"]) == (str(source), True, True)
    assert f"{sys.prefix}/lib" in order["paths"] and sys.prefix not in order["paths"]


@pytest.mark.parametrize("sandbox", [True, False])
def test_lessons_of_the_course_can_be_imported(begun, sandbox, tmp_path):
    warm(settings(lesson_in(tmp_path), sandbox, [LESSON]))


@pytest.mark.parametrize("sandbox", [True, False])
def test_an_import_that_fails_is_named_and_the_process_ends(begun, sandbox, tmp_path):
    with pytest.raises(SandboxError) as error:
        warm(settings(tmp_path, sandbox, ["import autograder.no_such"]))
    assert str(error.value).startswith(
        "no submission can be run: autograder.no_such cannot be imported: ModuleNotFoundError"
    )
    assert "\n" not in str(error.value)
    assert not begun[0].alive


def test_a_process_that_ends_while_it_imports_is_one_sentence(begun, tmp_path):
    source = lesson_in(tmp_path, "import os; os._exit(3)")
    with pytest.raises(SandboxError, match="can be run: it ended before it was ready"):
        warm(settings(source, preload=[LESSON]))
    assert not begun[0].alive


def test_a_process_that_ends_before_its_first_line_is_one_sentence(begun, tmp_path):
    process = client.begin(settings(tmp_path))
    process.process.kill()
    with pytest.raises(SandboxError, match="can be run: it ended before it was ready"):
        process.wait_until_warm()


def test_a_kernel_that_a_dead_process_is_asked_for_is_lost(begun, tmp_path):
    process = warm(settings(tmp_path, sandbox=False))
    process.process.kill()
    process.process.wait()
    with pytest.raises(client.KernelLost, match="the kernel could not be started"):
        process.fork(b"", LIMITS)


def test_a_kernel_that_ends_with_its_process_is_lost(begun, tmp_path):
    process = warm(settings(tmp_path))
    with pytest.raises(client.KernelLost), process.fork(files.pack({}), LIMITS):
        process.close()


def test_a_kernel_ends_when_nobody_speaks_to_it_any_more(begun, tmp_path):
    with warm(settings(tmp_path)).fork(files.pack({}), LIMITS) as kernel:
        pass
    assert (kernel.ended["status"], kernel.ended["reason"]) == (0, "")
    kernel.kill()  # it has ended


def test_after_an_error_a_kernel_is_killed(begun, tmp_path):
    process = warm(settings(tmp_path))
    with pytest.raises(ZeroDivisionError), process.fork(files.pack({}), LIMITS) as kernel:
        raise ZeroDivisionError
    assert kernel.ended["status"] == -signal.SIGKILL


# Kernels in processes of their own


def fresh(source, **chosen):
    return client.start(settings(source, sandbox=False, fork=False, **chosen), PACKED, LIMITS)


def shown(kernel, source):
    """Run one cell. Returns what it shows, record by record."""
    reader, found = records.Reader(kernel.line), []
    reader.begin(1)
    reader.ask(source, time.monotonic() + 10)
    while (record := reader.next(time.monotonic() + 10, 2**20)).kind != records.DONE:
        found.append(json.loads(record.content))
    return found


def test_a_fresh_kernel_starts_among_its_files_and_knows_the_course_s_lessons(tmp_path):
    code = (
        "from autograder.assignments.a0_course.lesson import plots\n"
        "print(open('a.txt').read(), plots.COURSE)"
    )
    with fresh(lesson_in(tmp_path)) as kernel:
        assert shown(kernel, code) == [{"name": "stdout", "text": "hello course\n"}]
    assert (kernel.ended["status"], client._fresh) == (0, set())


def test_a_fresh_kernel_is_interrupted_and_killed_with_what_it_started(tmp_path):
    code = "import subprocess\nsubprocess.run(['sleep', '60'])"
    with pytest.raises(TimeoutError), fresh(tmp_path) as kernel:
        reader = records.Reader(kernel.line)
        reader.begin(1)
        reader.ask(code, time.monotonic() + 10)
        with pytest.raises(TimeoutError):
            reader.next(time.monotonic() + 1, 2**20)
        kernel.interrupt()
        assert b"KeyboardInterrupt" in reader.next(time.monotonic() + 10, 2**20).content
        assert reader.next(time.monotonic() + 10, 2**20).kind == records.DONE
        reader.begin(2)
        reader.ask(code, time.monotonic() + 10)
        reader.next(time.monotonic() + 1, 2**20)
    assert kernel.ended["status"] == -signal.SIGKILL


def test_all_kernels_end_at_once(begun, tmp_path):
    process = warm(settings(tmp_path / "warm"))
    one = fresh(tmp_path)
    client.close()
    assert not process.alive
    with one:
        pass
    assert one.ended["status"] == -signal.SIGKILL


def test_a_fresh_kernel_that_cannot_import_what_it_should_is_one_sentence(tmp_path):
    with pytest.raises(SandboxError, match=r"autograder\.no cannot be imported"):
        fresh(tmp_path, preload=["import autograder.no"])
    assert client._fresh == set()


def test_there_is_no_sandbox_for_a_kernel_in_a_process_of_its_own():
    with pytest.raises(SandboxError, match=r"there is no sandbox: it needs Linux\. With --no-san"):
        executed("1", Execute={"warm": False})


def test_where_no_sandbox_can_be_had_one_sentence_says_so():
    code = (
        "from pathlib import Path; Path('/proc/sys/user/max_user_namespaces').write_text('0')\n"
        "from autograder.sandbox import client\n"
        "client.begin(client.Settings(True, True, (), Path('nowhere'))).wait_until_warm()"
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


@pytest.mark.parametrize(
    "place", ["/usr/lib/course", "/nix/store/x", "{prefix}/lib/course", "{prefix}/bin"]
)
def test_a_course_in_what_submissions_can_read_is_refused(place, monkeypatch):
    monkeypatch.setattr(client.os.path, "exists", lambda path: True)  # there is /nix/store, too
    place = place.format(prefix=sys.prefix)
    with pytest.raises(SandboxError, match=f"{place} must be hidden from submissions.*move it"):
        client.readable_paths.__wrapped__((str(ROOT), place))


def test_a_link_does_not_hide_where_a_course_lies(tmp_path):
    (tmp_path / "course").symlink_to(Path(sys.prefix, "lib"))
    with pytest.raises(SandboxError, match="must be hidden"):
        client.readable_paths((str(tmp_path / "course"),))


@pytest.mark.parametrize("part", ["", "source", "share/jupyter", "etc"])
def test_a_course_beside_the_programs_of_its_environment_is_not_shown(part):
    """`python -m venv .` in a clone, or a clone in the folder of conda's base environment."""
    place = os.path.join(sys.prefix, part)
    assert not {place, sys.prefix, "/usr"} & set(client.readable_paths((place,)))


@pytest.mark.parametrize(
    "folder", ["/usr/src", "/usr/local/share", "/usr/share", "/opt", "/srv", "/var/tmp"]
)
def test_what_lies_elsewhere_in_the_system_is_absent(folder):
    """A clone in Docker's /usr/src/app; nbgrader's exchange; for root and for other users."""
    if not os.access(folder, os.W_OK):
        pytest.skip(f"needs to write in {folder}")
    with tempfile.TemporaryDirectory(dir=folder) as clone:
        os.chmod(clone, 0o755)
        Path(clone, "references.safetensors").write_text("secret")
        (cell,) = executed(f"import os; print(os.path.exists({clone!r}))")
    assert cell.outputs[0].text == "False\n"


def test_what_every_kernel_imports_is_there():
    """A name with a typing error would be taken for something that is not installed."""
    assert [line for line in client.IMPORTS if find_spec(line.split()[1]) is None] == []


def test_settings_are_what_notebooks_import_and_what_a_course_adds():
    one, all_ = (client.settings(ROOT / "source", names) for names in (ASSIGNMENTS[:1], ()))
    assert set(client.IMPORTS) < set(one.preload) < set(all_.preload)
    more = client.settings(ROOT / "source", modules=["json", "decimal"], sandbox=False)
    assert more.preload[-2:] == ("import json", "import decimal") and not more.sandbox
