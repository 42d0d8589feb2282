"""Another user as the wall: what a kernel of that user can do, and what it cannot."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from autograder.errors import SandboxError
from autograder.grading import files
from autograder.sandbox import client, forkserver, other_user, package, records
from autograder.sandbox.limits import Limits
from tests.submissions import ROOT

USER = 61008  # nobody's number here
LIMITS = Limits().as_dict() | {"memory": 2**28}

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can become another user"
)


@pytest.fixture
def installed():
    """Skip the test if this clone and its packages lie where the other user cannot read them."""
    try:
        other_user.require(USER, [], package.LIBRARIES)
    except SandboxError as closed:
        pytest.skip(str(closed))


@pytest.fixture
def behind(monkeypatch, tmp_path, installed):
    """Return a function that runs cells as the other user, and returns what they printed."""
    monkeypatch.setattr(package, "is_clone", lambda: False)  # everybody may read this one
    monkeypatch.setattr(client, "_started", {})
    tmp_path.chmod(0o700)
    (tmp_path / "answers.txt").write_text("BEGIN SOLUTION")
    chosen = client.Settings(False, True, (), tmp_path, USER, (str(tmp_path),))

    def run(*cells: str, limits=LIMITS) -> list[str]:
        found = []
        with client.start(chosen, files.pack({"a.txt": b"hello"}), limits) as kernel:
            reader = records.Reader(kernel.line)
            with suppress(EOFError):  # it was ended
                for number, source in enumerate(cells, start=1):
                    until, shown = time.monotonic() + 20, ""
                    reader.begin(number)
                    reader.ask(source, until)
                    while (record := reader.next(until, 2**20)).kind != records.DONE:
                        content = json.loads(record.content) if record.kind else {}
                        shown += content.get("text", content.get("ename", ""))
                    found.append(shown.strip())
        run.ended = kernel.ended
        return found

    yield run
    client.close()


def processes_of(user: int) -> list[str]:
    """Find what runs as a user; what has ended may take a moment to be gone."""
    deadline = time.monotonic() + 5
    while True:
        found = subprocess.run(["ps", "-o", "pid=,stat=", "-u", str(user)], capture_output=True)
        lines = [line for line in found.stdout.decode().splitlines() if "Z" not in line]
        if not lines or time.monotonic() > deadline:
            return lines
        time.sleep(0.05)


def test_it_is_that_user_in_a_folder_of_its_own_and_has_no_capability(behind):
    look = """
import os
status = dict(line.split(":\\t") for line in open("/proc/self/status") if ":\\t" in line)
print(os.getresuid(), os.getresgid(), os.getgroups(), int(status["CapEff"], 16),
      status["NoNewPrivs"].strip(), status["Seccomp"].strip(), open("a.txt").read())
open("b.txt", "w").write("mine")
"""
    (shown,) = behind(look)
    nobody = (65534,) * 3
    assert shown == f"{(USER,) * 3} {nobody} [] 0 1 2 hello"
    assert behind.ended["status"] == 0 and processes_of(USER) == []


def test_it_cannot_read_what_is_root_s(behind, tmp_path):
    inside = tmp_path / "answers.txt"
    assert inside.read_text()
    seen = behind(
        f"print(open({str(inside)!r}).read())",
        f"import os; print(os.listdir({str(tmp_path)!r}))",
        f"print(open('/proc/{os.getpid()}/environ').read())",
        "import os; print(open(f'/proc/{os.getppid()}/mem', 'rb').read(1))",
        "import os; os.setuid(0)",
        "print(open('/proc/self/environ').read() != '')",
    )
    assert seen == [*["PermissionError"] * 5, "True"]


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_PACKET"])
def test_it_has_no_network(behind, family):
    assert behind(f"import socket; socket.socket(socket.{family})") == ["PermissionError"]
    assert behind("import socket; print(len(socket.socketpair()))") == ["2"]


def test_its_folder_cannot_be_swapped_for_a_link(behind):
    swap = """
import os
here = os.getcwd()
os.rename(here, here + "_moved")
"""
    assert behind(swap, "import os; os.symlink('/etc', '../link')") == ["PermissionError"] * 2


def test_it_can_signal_nobody_else(behind):
    code = "import os, signal\nfor process in ({}, os.getppid(), 1): os.kill(process, 9)"
    assert behind(code.format(os.getpid())) == ["PermissionError"]


def test_what_it_leaves_behind_ends_with_it(behind):
    leave = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(60)
        os._exit(0)
print("left")
"""
    assert behind(leave) == ["left"]
    assert processes_of(USER) == []


def test_its_memory_has_a_limit_and_that_of_all_its_processes_together_too(behind):
    small = LIMITS | {"memory": 2**27}
    assert behind("x = b'x' * 2**28", limits=small) == ["MemoryError"]
    many = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        x = b"x" * (3 * 2**25)
        time.sleep(15)
        os._exit(0)
time.sleep(15)
"""
    assert behind(many, limits=small) == []
    assert behind.ended["reason"] == "memory" and processes_of(USER) == []


def test_where_a_container_forbids_to_look_shared_memory_counts_for_each_process(monkeypatch):
    monkeypatch.setattr(forkserver, "_proportional", lambda process: 0)
    with subprocess.Popen(["sleep", "60"]) as child, socket.socket() as line:
        running = forkserver.Kernel(os.getpid(), 0, line, before=0, most=2**40)
        assert forkserver.watch(running) >= forkserver._anonymous(os.getpid()) > 2**20
        child.kill()


def test_answers_that_the_user_could_read_stop_the_grading(tmp_path, monkeypatch, installed):
    monkeypatch.setattr(client, "_started", {})
    chosen = client.Settings(False, True, (), tmp_path, USER)
    with pytest.raises(SandboxError, match=rf"^{ROOT} must be hidden .*\(number {USER}\)"):
        client.begin(chosen)  # everybody can read this clone


@pytest.mark.parametrize("mode, hidden", [(0o700, True), (0o770, True), (0o701, False),
                                          (0o704, False), (0o755, False)])  # fmt: skip
def test_only_what_is_closed_to_others_is_hidden(mode, hidden):
    with tempfile.TemporaryDirectory() as place:  # where everybody can get to
        Path(place).chmod(mode)
        places = [f"{place}/nowhere", place]
        if hidden:
            other_user.require(USER, places)
        else:
            with pytest.raises(SandboxError, match=f"chmod go-rwx {place}`"):
                other_user.require(USER, places)


@pytest.mark.parametrize("mode, needed", [(0o755, True), (0o711, False), (0o700, False)])
def test_packages_that_the_user_cannot_read_stop_the_grading(mode, needed):
    with tempfile.TemporaryDirectory() as place:
        packages = Path(place, "packages")
        packages.mkdir()
        Path(place).chmod(0o755)
        packages.chmod(mode)
        if needed:
            other_user.require(USER, [], [place, str(packages)])
        else:
            said = rf"{USER}, who cannot read {packages}; install Python and its packages"
            with pytest.raises(SandboxError, match=said):
                other_user.require(USER, [], [place, str(packages)])


def test_only_root_can_have_this_wall(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SandboxError, match="only if root grades"):
        other_user.require(USER, [])


def test_nobody_s_processes_end_for_a_number_that_is_nobody_s():
    with subprocess.Popen(["sleep", "60"]) as bystander:
        other_user.end_all(0)  # root's: it must not
        other_user.end_all(USER)
        assert bystander.poll() is None
        bystander.send_signal(signal.SIGTERM)


def test_everybody_can_read_the_student_s_package_and_root_alone_writes_it(tmp_path):
    secret = tmp_path / "secret.py"
    secret.write_text("x = 1")
    secret.chmod(0o600)
    with other_user.readable({"autograder/room/a.py": str(secret)}) as folder:
        modes = {p.name: p.stat().st_mode & 0o777 for p in (Path(folder), *Path(folder).rglob("*"))}
        assert set(modes.values()) == {0o755, 0o644} and modes["a.py"] == 0o644
        assert Path(folder, "autograder/room/a.py").read_text() == "x = 1"
    assert not Path(folder).exists()
