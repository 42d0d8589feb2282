"""Warm kernels: forked, with everything imported, from a process that runs nothing else.

This runs in the sandbox. It takes requests over a socket, each with the file
descriptors of a kernel: the line it speaks on, the folder it starts in (a tar file),
and a line on which to tell how it ended. It forks a kernel for each, into namespaces of
its own, and watches over it.
"""

import gc
import json
import os
import platform
import select
import signal
import socket
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from autograder.sandbox import calls, kernel, namespaces, other_user

NO_REQUEST = ValueError, KeyError, TypeError, RecursionError
INTERVAL = 0.1  # seconds between two looks at the memory of a kernel


@dataclass
class Kernel:
    """A kernel that runs: its process, a handle on it, and the line to who asked for it."""

    process: int
    handle: int
    line: socket.socket
    before: int  # bytes it shares with the process it was forked from
    most: int  # bytes it may use
    user: int = 0  # whose it is, if another user is its wall
    peak: int = 0
    reason: str = ""  # why it was killed, if it was

    def kill(self, reason: str) -> None:
        """Kill it; in a sandbox, everything it started dies with it."""
        self.reason = self.reason or reason
        os.kill(self.process, signal.SIGKILL)

    def bury(self) -> None:
        """Tell how it ended."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        if self.user:
            other_user.end_all(self.user)
        ended = {"status": status, "reason": self.reason, "peak_memory": self.peak}
        with suppress(OSError):  # nobody listens any more
            self.line.sendall(json.dumps(ended).encode() + b"\n")
        self.line.close()
        os.close(self.handle)


def serve(control: socket.socket) -> None:
    """Fork kernels until the socket closes."""
    if platform.machine() in calls.AUDIT_ARCH:
        calls.filter_for(platform.machine())  # once, before a kernel is forked
    gc.collect()
    gc.freeze()  # what is imported stays where it is: no child copies it to count references
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kernels: list[Kernel] = []
    while True:
        ready = _wait(control, kernels)
        for running in list(kernels):
            if running.handle in ready:
                kernels.remove(running)
                running.bury()
            elif running.line.fileno() in ready:
                running.kill("nobody listens")
            elif watch(running) > running.most:
                running.kill("memory")
        if control.fileno() in ready:
            request, fds = b"", []
            with suppress(ConnectionError):  # nobody asks any more: not a word about it
                request, fds, _, _ = socket.recv_fds(control, 1 << 16, 3)
            if not request:
                os._exit(0)  # and with the first process of a sandbox, all others end
            with suppress(*NO_REQUEST, OSError):  # who asked hears no answer
                kernels.append(fork(request, fds))


def _wait(control: socket.socket, kernels: list[Kernel]) -> set[int]:
    poll = select.poll()
    for fd in (control, *(fd for k in kernels for fd in (k.handle, k.line))):
        poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll(1000 * INTERVAL if kernels else None)}


def threads() -> str:
    """Say what must not be when a process forks: other threads."""
    tasks = len(os.listdir("/proc/self/task"))
    if tasks > 1:
        names = ", ".join(thread.name for thread in threading.enumerate())
        return f"an imported module started {tasks - 1} threads ({names}), so nothing can be forked"
    return ""


def fork(message: bytes, fds: list[int]) -> Kernel:
    """Fork a kernel, into namespaces of its own if there is a sandbox.

    Raises one of NO_REQUEST for an invalid request, and OSError; the file descriptors are closed
    then.
    """
    with ExitStack() as given:
        for fd in fds:
            given.callback(os.close, fd)
        request, (speaks, folder, line) = json.loads(message), fds
        most, sandbox = request["limits"]["memory"] + 0, request["sandbox"]
        user = request.get("user", 0) + 0
        process = _fork(sandbox)
        if process == 0:
            become_kernel(request, speaks, folder)
        try:
            handle, own = os.pidfd_open(process), socket.socket(fileno=os.dup(line))
            socket.send_fds(own, [b'{"started": true}\n'], [handle])
        except OSError:  # nobody would watch over it
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            raise
    return Kernel(process, handle, own, _anonymous("self"), most, user)


def _fork(sandbox: bool) -> int:
    if not sandbox:
        return os.fork()
    namespaces.call("unshare", namespaces.NEW_PID)  # for the next child, not for this process
    process = -1
    try:
        process = os.fork()
        return process
    finally:
        if process:
            namespaces.rejoin()


def become_kernel(request: Mapping, speaks: int, folder: int) -> None:
    """Become a kernel. Never returns."""
    try:
        os.setsid()
        mine = sorted((speaks, folder))  # all else leads to the grader and to other kernels
        for first, beyond in zip((2, *mine), (*mine, 1 << 20), strict=True):
            os.closerange(first + 1, beyond)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):  # what is written past Python would reach the grader's terminal
            os.dup2(nowhere, fd)
        start = namespaces.SUBMISSION if request["sandbox"] else request["folder"]
        if request["sandbox"]:
            namespaces.enter_kernel(request["limits"])
            calls.allow_only_these()
        elif request.get("user"):
            other_user.enter(request["user"])
        with open(folder, "rb") as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            os.makedirs(start, exist_ok=True)
            tar.extractall(start, filter="data")
        os.chdir(start)
        if request["sandbox"] or request.get("user"):
            namespaces.limit(request["limits"])
        kernel.run(socket.socket(fileno=speaks))
        os._exit(0)
    finally:
        os._exit(1)


def watch(running: Kernel) -> int:
    """Return the memory that a kernel and all it started use, in bytes, without shared files."""
    family = list(descendants(running.process))
    used = sum(_anonymous(process) - running.before for process in family)
    if used > running.peak and len(family) > 1:  # what they share was counted more than once
        shared = sum(map(_proportional, family))  # 0 where a container forbids to look
        used = shared - running.before // 2 if shared else used
    running.peak = max(running.peak, used)
    return used


def descendants(process: int) -> Iterator[int]:
    """Yield a process and all that descend from it; in a sandbox, orphans are its children."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{name}/stat").read_text(errors="replace")
        except OSError:  # it has ended
            continue
        parent = stat.rpartition(")")[2].split()[1]
        children.setdefault(int(parent), []).append(int(name))
    found = [process]
    while found:
        yield (process := found.pop())
        found += children.get(process, [])


def _anonymous(process: int | str) -> int:
    return _sum(f"/proc/{process}/status", "RssAnon", "RssShmem")


def _proportional(process: int) -> int:
    return _sum(f"/proc/{process}/smaps_rollup", "Pss_Anon", "Pss_Shmem")


def _sum(file: str, *names: str) -> int:
    """Add up lines of kB in a file of /proc. Returns bytes, 0 if the process is gone."""
    try:
        lines = Path(file).read_text(errors="replace").splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(names))
