"""The two walls of the sandbox, from inside: what is there, what can be called, what is left.

Each wall is made in a process of its own that imports nothing but `namespaces`.
"""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.sandbox import calls, namespaces
from autograder.sandbox.limits import Limits
from autograder.sandbox.namespaces import NoSandbox

ALONE = f"import sys; sys.path.insert(0, {str(Path(namespaces.__file__).parent)!r})\n"
LIMITS = Limits().as_dict() | {"scratch": 2**20, "files": 50}


def say(code):
    """Run Python that has `namespaces`, and read the JSON that it writes."""
    command = [sys.executable, "-I", "-c", ALONE + code]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


REFUSED = """
def refused(function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        return error.errno
"""

OUTER = """
import json, os, socket
from pathlib import Path
import namespaces
namespaces.enter({paths!r}, {package!r})
os.chdir("/")
print(json.dumps({{
    "pid": os.getpid(), "user": os.getuid(), "group": os.getgid(), "groups": os.getgroups(),
    "name": Path("/etc/passwd").read_text().split(":")[0],
    "processes": [name for name in os.listdir("/proc") if name.isdigit()],
    "networks": [name for _, name in socket.if_nameindex()],
    "course": {{str(p): p.read_text() for p in Path("/course").rglob("*") if p.is_file()}},
    "root": sorted(os.listdir("/")), "devices": sorted(os.listdir("/dev")),
    "etc": os.listdir("/etc"), "tmp": os.path.realpath("/tmp"),
    "shown": os.path.isdir({shown!r}), "hidden": os.path.exists({hidden!r}),
    "read_only": [refused(open, f"{{p}}/new", "w") for p in ("/", "/etc", "/course", "/usr")],
    "over": refused(open, "/course/given.py", "a"),
    "writes": Path("/scratch/new").write_text("mine"),
    "user_namespace": refused(namespaces.call, "unshare", namespaces.NEW_USER),
}}))
"""


@pytest.fixture(scope="module")
def outer(tmp_path_factory):
    """Say what a process sees that went through the outer wall."""
    folder = tmp_path_factory.mktemp("outer")
    given, hidden = folder / "given.py", folder / "hidden"
    given.write_text("given = 1")
    hidden.write_text("secret")
    code = OUTER.format(
        paths=[sys.prefix, sys.base_prefix], package={"given.py": str(given)}, shown=sys.prefix,
        hidden=str(hidden),
    )  # fmt: skip
    return say(REFUSED + code)


def test_it_is_the_first_process_and_alone(outer):
    assert (outer["pid"], outer["processes"]) == (1, ["1"])
    assert outer["networks"] in (["lo"], [])


def test_it_is_nobody_in_particular(outer):
    assert (outer["user"], outer["group"], outer["name"]) == (1000, 1000, "student")
    assert set(outer["groups"]) <= {1000, 65534}


def test_of_the_files_only_what_was_given_is_there(outer):
    assert outer["course"] == {"/course/given.py": "given = 1"}
    assert (outer["shown"], outer["hidden"]) == (True, False)
    own = {"course", "dev", "etc", "proc", "scratch", "tmp"}
    shown = {Path(p).parts[1] for p in (*namespaces.SYSTEM, sys.prefix, sys.base_prefix)}
    assert set(outer["root"]) <= own | shown
    assert not {"shadow", "hosts", "hostname"} & set(outer["etc"])
    assert outer["devices"] == ["full", "null", "random", "shm", "urandom"]


def test_only_scratch_can_be_written_to(outer):
    assert outer["read_only"] == [errno.EROFS] * 4
    python_is_there = any(p.startswith("/tmp/") for p in (sys.prefix, sys.base_prefix))
    tmp = "/tmp" if python_is_there else "/scratch"  # where Python lies, nothing else can lie
    assert (outer["over"], outer["writes"], outer["tmp"]) == (errno.EROFS, 4, tmp)


def test_no_sandbox_can_be_made_inside(outer):
    assert outer["user_namespace"] in (errno.EPERM, errno.ENOSPC, errno.EUSERS)


INNER = """
import json, os, socket
from pathlib import Path
import namespaces
namespaces.enter({paths!r}, {{}})
namespaces.call("unshare", namespaces.NEW_PID)
reads, writes = os.pipe()
if os.fork() == 0:
    namespaces.enter_kernel({limits!r})
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    filled = refused(Path("/scratch/big").write_bytes, bytes(2 * 2**20))
    os.unlink("/scratch/big")
    many = [refused(Path("/dev/shm", str(number)).touch) for number in range(60)]
    os.write(writes, json.dumps({{
        "pid": os.getpid(), "capabilities": [int(status[n], 16) for n in ("CapEff", "CapBnd")],
        "filled": filled, "many": many[-1], "no_new": status["NoNewPrivs"].strip(),
        "mount": refused(namespaces.mount, "none", "/scratch", "tmpfs", 0),
    }}).encode())
    os._exit(0)
os.wait()
before = os.listdir("/scratch")
namespaces.rejoin()
inside = os.fork()
if inside == 0:
    os._exit(0)
print(json.dumps(json.loads(os.read(reads, 4096)) | {{"left": before, "next": inside}}))
"""


@pytest.fixture(scope="module")
def inner():
    """Say what a process sees that went through the inner wall too, as a kernel does."""
    return say(REFUSED + INNER.format(paths=[sys.prefix, sys.base_prefix], limits=LIMITS))


def test_a_kernel_is_the_first_process_of_its_own_and_has_no_rights(inner):
    assert (inner["pid"], inner["capabilities"], inner["no_new"]) == (1, [0, 0], "1")
    assert inner["mount"] == errno.EPERM


def test_the_scratch_folder_of_a_kernel_has_limits_and_is_its_own(inner):
    assert (inner["filled"], inner["many"], inner["left"]) == (errno.ENOSPC, errno.ENOSPC, [])


def test_after_a_kernel_was_forked_the_next_child_is_an_ordinary_one(inner):
    assert inner["next"] > 1


def test_every_number_is_known_for_every_machine():
    assert set(namespaces.PIVOT_ROOT) == set(calls.AUDIT_ARCH)


def test_privileges_are_given_up_for_good():
    code = """
import json, namespaces
namespaces.drop_privileges()
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
names = ("CapInh", "CapPrm", "CapEff")
print(json.dumps([int(status[name], 16) for name in names] + [int(status["NoNewPrivs"])]))
"""
    assert say(code) == [0, 0, 0, 1]


def test_limits_are_those_of_the_process_and_of_all_it_starts():
    code = f"""
import json, os, resource, namespaces
namespaces.limit({LIMITS!r})
names = ("NPROC", "NOFILE", "FSIZE", "CPU", "CORE", "MEMLOCK", "DATA", "AS")
child = os.fork()
if child == 0:
    print(json.dumps([resource.getrlimit(getattr(resource, f"RLIMIT_{{n}}")) for n in names]))
else:
    os.wait()
"""
    processes, files, size, seconds, core, locked, data, mapped = say(code)
    for found, name in zip(
        (processes, files, size, seconds),
        ("processes", "open_files", "file_size", "cpu_seconds"),
        strict=True,
    ):
        assert found == [LIMITS[name]] * 2  # soft and hard
    assert core == locked == [0, 0]
    assert LIMITS["memory"] < data[1] < LIMITS["memory"] + 2**30
    assert mapped[1] > 2 * LIMITS["memory"]


def test_a_limit_is_never_raised():
    code = f"""
import json, resource, namespaces
resource.setrlimit(resource.RLIMIT_NOFILE, (20, 40))
namespaces.limit({LIMITS!r})
print(json.dumps(resource.getrlimit(resource.RLIMIT_NOFILE)))
"""
    assert say(code) == [40, 40]


# In this process, which stays outside


def test_a_call_that_fails_is_named():
    with pytest.raises(OSError, match="chdir: No such file or directory") as error:
        namespaces.call("chdir", b"/no/such/folder")
    assert error.value.errno == errno.ENOENT


def test_a_mount_that_fails_says_of_what_and_where(tmp_path):
    with pytest.raises(OSError, match=rf"mount: .* of none at {tmp_path}"):
        namespaces.mount("none", str(tmp_path), "no-such-kind", 0)


@pytest.mark.parametrize(
    "where, name, value",
    [("platform", "machine", lambda: "riscv64"), ("sys", "platform", "darwin")],
)
def test_another_system_has_no_sandbox(where, name, value, monkeypatch):
    monkeypatch.setattr(getattr(namespaces, where), name, value)
    monkeypatch.setattr(os, "fork", pytest.fail)
    with pytest.raises(NoSandbox, match="it needs Linux on x86-64 or ARM64"):
        namespaces.enter([], {})


def test_a_system_without_user_namespaces_is_told_where_they_are_allowed(monkeypatch):
    def refuse():
        raise OSError(errno.EPERM, "unshare: Operation not permitted")

    monkeypatch.setattr(namespaces, "_new_user", refuse)
    with pytest.raises(
        NoSandbox, match=r"user namespaces \(unshare: Operation not permitted\); see"
    ):
        namespaces.enter([], {})


def test_what_else_a_system_refuses_is_quoted(monkeypatch):
    monkeypatch.setattr(namespaces, "_new_user", lambda: None)

    def refuse(name, *_):
        raise OSError(errno.EPERM, f"{name}: Operation not permitted")

    monkeypatch.setattr(namespaces, "call", refuse)
    with pytest.raises(NoSandbox, match=r"does not allow it .*unshare: Operation not permitted"):
        namespaces.enter([], {})


def test_an_outer_folder_is_mounted_before_those_in_it_and_none_twice(tmp_path):
    inner, outer, beside = tmp_path / "a" / "b", tmp_path / "a", tmp_path / "ab"
    for folder in (inner, beside):
        folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(beside)
    wanted = [inner, outer, tmp_path / "link", tmp_path / "gone"]
    chosen = [p for p in namespaces._allowed([*map(str, wanted)]) if p.startswith(str(tmp_path))]
    assert chosen == [str(outer), str(beside), str(tmp_path / "link")]
