"""Kernels, and the process that warm ones are forked from, as seen from outside."""

import atexit
import io
import json
import os
import signal
import site
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from autograder.errors import SandboxError
from autograder.sandbox import other_user, package

PATIENCE = 5  # seconds for a kernel to end by itself
CAN_FORK = sys.platform == "linux"

# One thread a kernel: with more, kernels side by side wait for each other (5 times slower
# for two on two cores), and sums are not the same to the last bit. Memory that was freed is
# kept: to be given it again, cleared, can take longer than the sums. (This is for glibc;
# others do not read it.) Large pages are not asked for: where a host takes free memory back
# from its virtual machines, one of 2 MiB took six times as long as the small ones it replaces.
ALLOCATION = "mmap_max=0", "trim_threshold=4000000000"
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/tmp",
    "USER": "student",
    "MPLCONFIGDIR": "/tmp",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "NBGRADER_EXECUTION": "autograde",
    "JOBLIB_MULTIPROCESSING": "0",  # which would complain that it cannot have any
    "GLIBC_TUNABLES": ":".join(f"glibc.malloc.{setting}" for setting in ALLOCATION),
    **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")},
}
IMPORTS = (
    "import torch",
    "import matplotlib.pyplot",
    "import tqdm.auto",
    "import autograder.notebook.artifacts",
    "import autograder.notebook.check",
    "import autograder.notebook.rehearsal",
)  # and what notebooks import


OF_PYTHON = (
    "bin", "lib", "lib64", "ssl", "pyvenv.cfg",
    *(f"share/{name}" for name in ("fonts", "zoneinfo", "gradient-check")),
)  # fmt: skip


class KernelLost(Exception):
    """A kernel ended, or never began, because of the process it comes from.

    Nothing is known of what it ran.
    """


@dataclass(frozen=True)
class Settings:
    """What a kernel is started with; those with the same ones come from one warm process."""

    sandbox: bool
    fork: bool  # from a warm process, or each in a process of its own
    preload: tuple[str, ...]  # import statements
    source: Path  # the folder of the course's assignments
    user: int = 0  # without a sandbox, the Unix user that kernels run as; 0: this one
    # what of the course no submission may read: it only says which settings are refused
    hidden: tuple[str, ...] = field(default=(), compare=False)


@dataclass
class Kernel:
    """A kernel that runs."""

    line: socket.socket  # what it says, see `records`
    signal: Callable[[int], None]
    wait: Callable[[float], dict[str, Any]]  # so many seconds, until it has ended
    own: ExitStack  # what it takes while it runs
    # its exit status, what it was killed for, its peak memory in bytes
    ended: dict[str, Any] = field(default_factory=dict)

    def interrupt(self) -> None:
        """Interrupt the cell that runs, where a system can."""
        if os.name == "posix":
            self._signal(signal.SIGINT)

    def kill(self) -> None:
        """Kill it, and with it all it started."""
        self._signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)

    def _signal(self, number: int) -> None:
        if not self.ended:
            with suppress(ProcessLookupError):
                self.signal(number)

    def __enter__(self) -> "Kernel":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        """Let it end, for it has nothing more to do; or kill it, soon or after an error.

        Raises KernelLost.
        """
        self.line.close()
        if kind:
            self.kill()
        try:
            self.ended = self.wait(PATIENCE)
        except TimeoutError:
            self.kill()
            self.ended = self.wait(60)
            self.ended["reason"] = self.ended["reason"] or "silent"
        finally:
            self.own.close()


class WarmProcess:
    """A process that kernels are forked from; it ends when this one does."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        """Start it; it is warm seconds later."""
        self._own = ExitStack()
        if order.get("user"):
            course = self._own.enter_context(other_user.readable(order["package"]))
            order = {**order, "course": course}
        self.order: Mapping[str, Any] = order
        self.process, self.control = _started_on(order, "/")
        self._warm, self._turn = False, threading.Lock()
        atexit.register(self.close)

    def wait_until_warm(self) -> None:
        """Wait until kernels can be forked. Raises SandboxError."""
        with self._turn:
            try:
                if not self._warm:
                    _require_ready(self.control)
            except SandboxError:
                self.close()
                raise
            self._warm = True

    @property
    def alive(self) -> bool:
        """Say whether kernels can be forked."""
        return self.process.poll() is None

    def fork(self, files: bytes, limits: Mapping[str, int]) -> Kernel:
        """Fork a kernel that starts among files (a tar file). Raises KernelLost, OSError."""
        with ExitStack() as given, ExitStack() as own:
            tar = given.enter_context(tempfile.TemporaryFile())
            tar.write(files)
            tar.seek(0)
            (line, speaks), (told, tells) = socket.socketpair(), socket.socketpair()
            for theirs in (speaks, tells):
                given.enter_context(theirs)
            for ours in (line, told):
                own.enter_context(ours)
            user = self.order.get("user", 0)
            request = {"sandbox": self.order["sandbox"], "user": user, "limits": dict(limits)}
            if not self.order["sandbox"]:
                folder = own.enter_context(tempfile.TemporaryDirectory("-kernel"))
                request["folder"] = other_user.folder_in(folder, user) if user else folder
            fds = [speaks.fileno(), tar.fileno(), tells.fileno()]
            data, handles = b"", []
            with suppress(OSError):
                socket.send_fds(self.control, [json.dumps(request).encode()], fds)
                given.close()
                data, handles, _, _ = socket.recv_fds(told, 4096, 1)
            if not handles:
                raise KernelLost("the kernel could not be started")
            (handle,), rest = handles, data.partition(b"\n")[2]
            own.callback(os.close, handle)

            def wait(patience: float) -> dict[str, Any]:
                nonlocal rest
                told.settimeout(patience)
                while more := told.recv(4096):
                    rest += more
                if not rest:
                    raise KernelLost("the process that kernels come from has ended")
                return json.loads(rest)

            return Kernel(
                line, lambda number: signal.pidfd_send_signal(handle, number), wait, own.pop_all()
            )

    def close(self) -> None:
        """End the process and all kernels that came from it."""
        atexit.unregister(self.close)
        self.control.close()
        self.process.kill()
        self.process.wait()
        self._own.close()


def settings(
    source: Path,
    assignments: Iterable[str] = (),
    *,
    sandbox: bool = True,
    user: int = 0,
    fork: bool = CAN_FORK,
    modules: Iterable[str] = (),
    hidden: Iterable[str] = (),
) -> Settings:
    """Return the settings for notebooks of some assignments, or of all in a course's folder."""
    notebooks = package.imports(source, tuple(assignments))
    also = (f"import {module}" for module in modules)
    imports, user = (*IMPORTS, *notebooks, *also), 0 if sandbox else user
    return Settings(sandbox, fork, imports, source, user, tuple(hidden))


def start(settings: Settings, files: bytes, limits: Mapping[str, int]) -> Kernel:
    """Start a kernel among files (a tar file). Raises SandboxError, OSError."""
    if not settings.fork:
        return _start_fresh(settings, files)
    process = begin(settings)
    process.wait_until_warm()
    return process.fork(files, limits)


def begin(settings: Settings) -> WarmProcess:
    """Start the warm process for these settings, if there is none, and do not wait for it.

    Raises SandboxError.
    """
    clone = [str(package.CLONE)] if package.is_clone() else []  # else Python's folder of packages
    hidden = *clone, str(settings.source), *settings.hidden
    paths = readable_paths(hidden) if settings.sandbox else ()
    if settings.user:
        other_user.require(settings.user, hidden, package.LIBRARIES)
    with _turn:
        for others, process in list(_started.items()):  # nobody can ask for them any more
            if others != settings or not process.alive:
                _started.pop(others).close()
        if settings not in _started:
            _started[settings] = WarmProcess(_order(settings, paths))
        return _started[settings]


def close() -> None:
    """End every kernel, and the warm process; what can be shown is looked for again."""
    readable_paths.cache_clear()
    with _turn:
        for process in _started.values():
            process.close()
        _started.clear()
        for process in _fresh:
            process.kill()


_started: dict[Settings, WarmProcess] = {}  # at most one
_fresh: set[subprocess.Popen] = set()
_turn = threading.RLock()


def _start_fresh(settings: Settings, files: bytes) -> Kernel:
    if settings.sandbox or settings.user:
        raise _no_sandbox("it needs Linux")
    with ExitStack() as own:
        folder = own.enter_context(tempfile.TemporaryDirectory("-kernel"))
        with tarfile.open(fileobj=io.BytesIO(files)) as tar:
            tar.extractall(folder, filter="data")
        process, line = _started_on(_order(settings, ()), folder)
        _fresh.add(process)
        own.callback(_fresh.discard, process)
        own.enter_context(line)

        def wait(patience: float) -> dict[str, Any]:
            try:
                return {"status": process.wait(patience), "reason": "", "peak_memory": 0}
            except subprocess.TimeoutExpired:
                raise TimeoutError from None

        def send_signal(number: int) -> None:
            if os.name == "posix":  # to what it started, too
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)

        own.callback(process.wait)
        own.callback(process.kill)
        _require_ready(line)
        return Kernel(line, send_signal, wait, own.pop_all())


def _started_on(order: Mapping[str, Any], folder: str) -> tuple[subprocess.Popen, socket.socket]:
    """Start a process in a folder, and send it an order. Returns it, and a socket to it."""
    posix = os.name == "posix"
    command = [sys.executable, "-I", str(Path(__file__).with_name("start.py"))]
    ours, theirs = socket.socketpair()
    with theirs:
        given = [theirs.fileno()] if posix else []
        process = subprocess.Popen(
            [*command, *map(str, given)], pass_fds=given, env=order["environment"], cwd=folder,
            stdin=subprocess.DEVNULL if posix else subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        if process.stdin:
            process.stdin.write(theirs.share(process.pid))  # ty: ignore[missing-attribute]: Windows
            process.stdin.close()
    with suppress(ConnectionError):  # it has ended already: `_answer` says so
        ours.sendall(json.dumps(order).encode() + b"\n")
    return process, ours


def _require_ready(control: socket.socket) -> None:
    """Wait for the answer to an order. Raises SandboxError."""
    line = b""
    with suppress(ConnectionError):
        line = control.makefile("rb").readline()
    answer = json.loads(line or b'{"error": "it ended before it was ready"}')
    if "no_sandbox" in answer:
        raise _no_sandbox(answer["no_sandbox"])
    if answer["error"]:
        raise SandboxError(f"no submission can be run: {answer['error']}.")


def _no_sandbox(why: str) -> SandboxError:
    return SandboxError(
        f"there is no sandbox: {why}. With --no-sandbox (c.Execute.sandbox = False) "
        "submissions run with all your rights."
    )


def _order(settings: Settings, paths: Sequence[str]) -> dict[str, Any]:
    environment = ENVIRONMENT
    files = package.contents(settings.source)
    if settings.sandbox:
        from autograder.sandbox.namespaces import SCRATCH

        environment = environment | dict.fromkeys(("HOME", "MPLCONFIGDIR", "TMPDIR"), SCRATCH)
    return {
        "sandbox": settings.sandbox,
        "user": settings.user,
        "fork": settings.fork,
        "paths": paths,
        "package": {name: str(file) for name, file in files.items()},
        "course": str(package.CLONE),
        "source": str(settings.source),
        "environment": environment,
        "preload": settings.preload,
    }


@cache
def readable_paths(hidden: tuple[str, ...]) -> tuple[str, ...]:
    """Return what of this Python is shown in the sandbox, beside the system's programs.

    Raises SandboxError if something that has to be hidden is in what is shown.
    """
    if sys.platform != "linux":
        return ()  # there is no sandbox; whoever wants one is told there
    from autograder.sandbox.namespaces import SYSTEM

    prefixes = {sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix)}
    paths = {os.path.join(prefix, part) for prefix in prefixes for part in OF_PYTHON}
    paths |= set(site.getsitepackages())
    shown = sorted(path for path in (*paths, *SYSTEM) if os.path.exists(path))
    for place in hidden:
        for path in shown:
            if Path(os.path.realpath(place)).is_relative_to(os.path.realpath(path)):
                raise SandboxError(
                    f"{place} must be hidden from submissions, but it is in {path}, which they can "
                    "read because programs or Python's own files are there; move it to a folder "
                    "of its own."
                )
    return tuple(sorted(filter(os.path.exists, paths)))
