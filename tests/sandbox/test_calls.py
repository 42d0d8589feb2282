"""The filter of system calls: what goes through it, what does not, and what people do with it."""

import errno
import json
import platform
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.sandbox import calls
from tests.grading.test_execute import executed, text
from tests.submissions import ROOT

MACHINES = list(calls.AUDIT_ARCH)
HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", r"#define __NR_(\w+)\s+(\d+)"),
    "aarch64": ("/usr/include/asm-generic/unistd.h", r"#define __NR(?:3264)?_(\w+)\s+(\d+)"),
}
REFUSED = {  # numbers on x86-64 and on ARM64
    "memory that no limit sees": {
        "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194),
        "msgget": (68, 186), "vmsplice": (278, 75), "io_setup": (206, 0),
    },
    "what outlives a process": {
        "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
        "semget": (64, 190), "mq_open": (240, 180), "inotify_init": (253, None),
        "inotify_init1": (294, 26), "fanotify_init": (300, 262), "sync": (162, 81),
    },
    "what leads out": {
        "mount": (165, 40), "umount2": (166, 39), "unshare": (272, 97), "setns": (308, 268),
        "pivot_root": (155, 41), "chroot": (161, 51), "move_mount": (429, 429),
        "fsopen": (430, 430), "open_tree": (428, 428), "mount_setattr": (442, 442),
        "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
    },
    "other processes": {
        "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
        "kcmp": (312, 272), "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    },
    "parts of Linux that no notebook needs": {
        "io_uring_setup": (425, 425), "userfaultfd": (323, 282), "bpf": (321, 280),
        "perf_event_open": (298, 241), "seccomp": (317, 277), "landlock_create_ruleset": (444, 444),
        "init_module": (175, 105), "kexec_load": (246, 104), "reboot": (169, 142),
        "capset": (126, 91), "personality": (135, 92), "syslog": (103, 116), "acct": (163, 89),
        "settimeofday": (164, 170), "clock_settime": (227, 112), "swapon": (167, 224),
        "quotactl": (179, 60), "lookup_dcookie": (212, 18), "modify_ldt": (154, None),
    },
}  # fmt: skip


def filtered(machine, number, *arguments):
    """Say what the filter answers to a call: run its program as Linux does."""
    six = (*arguments, *[0] * 6)[:6]
    fields = struct.pack("<IIQ6Q", number, calls.AUDIT_ARCH[machine], 0, *six)
    instructions = list(struct.iter_unpack("HBBI", calls.filter_for(machine)))
    at, register = 0, 0
    while True:
        what, then, otherwise, value = instructions[at]
        at += 1
        if what == calls.LOAD:
            (register,) = struct.unpack_from("<I", fields, value)
        elif what == calls.AND:
            register &= value
        elif what == calls.RETURN:
            return value
        else:
            holds = register == value if what == calls.IF_EQUAL else register >= value
            at += then if holds else otherwise


@pytest.mark.parametrize("machine", MACHINES)
def test_a_call_goes_through_if_it_is_in_the_list_and_not_otherwise(machine):
    numbers = set(calls.allowed(machine).values())
    forgiven = {pair[MACHINES.index(machine)] for pair in calls.FORGIVEN.values()}
    for number in (*range(600), 2**30, 2**30 + 1, 2**31, 2**32 - 1):
        expected = calls.ALLOW if number in numbers else calls.UNKNOWN
        if number in forgiven:
            expected = calls.REFUSE
        assert filtered(machine, number, 1, 0, 0, 2) == expected, number


def test_a_call_by_the_numbers_of_another_machine_is_none(monkeypatch):
    for machine, other in zip(MACHINES, reversed(MACHINES), strict=True):
        calls.filter_for(machine)
        with monkeypatch.context() as patch:
            patch.setitem(calls.AUDIT_ARCH, machine, calls.AUDIT_ARCH[other])
            assert filtered(machine, calls.allowed(machine)["read"]) == calls.UNKNOWN


@pytest.mark.parametrize("machine", MACHINES)
def test_sockets_lead_nowhere_else_and_memory_has_an_owner(machine):
    numbers = calls.allowed(machine)
    for family in range(50):
        expected = calls.ALLOW if family in calls.FAMILIES else calls.REFUSE
        assert filtered(machine, numbers["socket"], family, 1, 0) == expected
    for flags in (0x21, 0x100021, 0x23):
        assert filtered(machine, numbers["mmap"], 0, 4096, 3, flags) == calls.REFUSE
    for flags in (0x22, 1, 2, 0x20022):
        assert filtered(machine, numbers["mmap"], 0, 4096, 3, flags) == calls.ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_those_of_linux(machine):
    place, pattern = HEADERS[machine]
    if not Path(place).exists():
        pytest.skip("the headers of Linux are not installed")
    known = {}
    for name, number in re.findall(pattern, Path(place).read_text()):
        known.setdefault(name, int(number))
    newer = {"fchmodat2": 452, "newfstatat": known.get("newfstatat", 79)}
    assert calls.allowed(machine).items() <= (newer | known).items()


@pytest.mark.parametrize("machine", MACHINES)
def test_what_must_not_be_is_not_in_the_list(machine):
    column, numbers = MACHINES.index(machine), set(calls.allowed(machine).values())
    for kind in REFUSED.values():
        assert not {pair[column] for pair in kind.values()} & numbers


CODE = """
import ctypes, errno, json, mmap, os, socket
from autograder.sandbox import calls
def answer(function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        return error.errno
numbers = json.loads(NUMBERS)
calls.allow_only_these()
print(json.dumps({
    "refused": {n: answer(calls.call, "syscall", ctypes.c_long(number), 0, 0, 0)
                for n, number in numbers.items()},
    "sockets": [answer(socket.socket, *of) for of in ((1, 1), (2, 1), (16, 3), (17, 3), (38, 5))],
    "shared": answer(lambda: mmap.mmap(-1, 4096, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)),
    "private": answer(lambda: mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)),
    "child": answer(lambda: os.waitpid(os.fork() or os._exit(0), 0)),
    "attribute": answer(os.setxattr, calls.__file__, "user.mine", b"x"),
    "again": answer(calls.allow_only_these),
}))
"""


@pytest.mark.skipif(platform.machine() not in MACHINES, reason="there is no sandbox here")
def test_linux_does_as_the_filter_says():
    column = MACHINES.index(platform.machine())
    numbers = {n: pair[column] for kind in REFUSED.values() for n, pair in kind.items()}
    numbers = {name: number for name, number in numbers.items() if number is not None}
    code = CODE.replace("NUMBERS", repr(json.dumps(numbers)))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert set(found.pop("refused").values()) == {errno.ENOSYS}
    assert found == {
        "sockets": [None] * 3 + [errno.EPERM] * 2, "shared": errno.EPERM, "private": None,
        "child": None, "again": None, "attribute": errno.EPERM,
    }  # fmt: skip


HABITS = """
import asyncio, concurrent.futures, mmap, multiprocessing, os, queue, select, shutil, signal
import socket, sqlite3, subprocess, tempfile, threading, time
from pathlib import Path
done = []
assert subprocess.run("ls -l | sort | head -3; df . ; date; env | wc -l; ps || true", shell=True,
                      capture_output=True).returncode == 0
done.append("shell")
await asyncio.sleep(0.01)
process = await asyncio.create_subprocess_exec("echo", "hi", stdout=asyncio.subprocess.PIPE)
assert (await process.communicate())[0] == b"hi\\n"
server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
server.close()
done.append("asyncio")
with concurrent.futures.ThreadPoolExecutor(3) as pool:
    assert list(pool.map(abs, [-1, 2])) == [1, 2]
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(abs, [-1, 2]) == [1, 2]
done.append("pools")
with sqlite3.connect("a.db") as db:
    db.execute("create table t (x)")
    db.execute("insert into t values (1)")
done.append("sqlite")
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "a")
    path.write_bytes(bytes(9000))
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[0] = 1
    path.chmod(0o600); path.touch(); path.rename(path.with_name("b")); os.symlink("b", path)
    shutil.copytree(folder, "copy"); shutil.make_archive("c", "zip", folder); os.truncate(path, 3)
    os.mkfifo(Path(folder, "fifo")); os.statvfs(folder); os.utime(path)
done.append("files")
signal.signal(signal.SIGALRM, lambda *_: done.append("alarm"))
signal.setitimer(signal.ITIMER_REAL, 0.01); time.sleep(0.05)
a, b = socket.socketpair(); a.send(b"x"); assert select.select([b], [], [], 1)[0]
with select.epoll() as poll: poll.register(b); assert poll.poll(1)
os.sched_getaffinity(0); os.nice(1); os.times(); os.uname(); os.getpgid(0)
import torch
from torch.utils.data import DataLoader
loader = DataLoader(range(8), batch_size=4, num_workers=2, multiprocessing_context="fork")
assert sorted(int(x) for batch in loader for x in batch) == list(range(8))
done.append("loader")
print(done)
"""


def test_what_people_do_in_notebooks_goes_on_working():
    (cell,) = executed(HABITS)
    assert text(cell) == "['shell', 'asyncio', 'pools', 'sqlite', 'files', 'alarm', 'loader']\n"
