"""The process that warm kernels are forked from, as seen from outside."""

import atexit
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from autograder.errors import SandboxError
from autograder.sandbox import package
from autograder.sandbox.namespaces import SCRATCH

CAN_FORK = sys.platform == "linux"

# One thread a kernel: with more, kernels side by side wait for each other (5 times slower
# for two on two cores), and sums are not the same to the last bit.
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/tmp",
    "USER": "student",
    "MPLCONFIGDIR": "/tmp",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "NBGRADER_EXECUTION": "autograde",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")},
}
COURSE_IMPORTS = (
    "torch",
    "torch._dynamo",  # the first step of any optimiser imports it, in 2 s
    "numpy",
    "matplotlib.pyplot",
    "tqdm.auto",
    "scipy.ndimage",
    "scipy.stats",
    "ipykernel.debugger",
    "ipykernel.ipkernel",
    "autograder.notebook.check",
    "autograder.notebook.artifacts",
    "autograder.notebook.plots",
    "data_scripts.cifar10",
    "data_scripts.fer2013",
    "data_scripts.mvtec_ad",
    "data_scripts.pretrained",
    "data_scripts.toy",
    "autograder.sandbox.kernel",
)


class WarmProcess:
    """A process that kernels are forked from; it ends when this one does."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        """Start it; it is warm seconds later."""
        self.control, theirs = socket.socketpair()
        script = Path(__file__).with_name("start.py")
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-I", str(script), str(theirs.fileno())],
                pass_fds=[theirs.fileno()], env=order["environment"], cwd="/",
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        with suppress(ConnectionError):  # it has ended already: `wait_until_warm` says so
            self.control.sendall(json.dumps(order).encode() + b"\n")
        self._warm = False
        atexit.register(self.close)

    def wait_until_warm(self) -> None:
        """Wait until kernels can be forked. Raises SandboxError."""
        if self._warm:
            return
        line = b""
        with suppress(ConnectionError):
            line = self.control.makefile("rb").readline()
        error = json.loads(line)["error"] if line else "it ended before it was ready"
        if error:
            self.close()
            raise SandboxError(
                f"there is no sandbox: {error}. With --no-sandbox (c.Execute.sandbox = False) "
                "submissions run with all your rights."
            )
        self._warm = True

    @property
    def alive(self) -> bool:
        """Say whether kernels can be forked."""
        return self.process.poll() is None

    def fork(self, request: Mapping[str, Any], fds: list[int]) -> None:
        """Fork a kernel. Raises OSError if the process is gone."""
        socket.send_fds(self.control, [json.dumps(request).encode()], fds)

    def close(self) -> None:
        """End the process and all kernels that came from it."""
        atexit.unregister(self.close)
        self.control.close()
        self.process.kill()
        self.process.wait()


def get(*settings: Any) -> WarmProcess:
    """Return the warm process for the settings of `begin`. Raises SandboxError."""
    process = begin(*settings)
    process.wait_until_warm()
    return process


def begin(
    sandbox: bool, preload: Sequence[str], limits: Mapping[str, int], source: Path
) -> WarmProcess:
    """Start the warm process for these settings, if there is none, and do not wait for it.

    `source` is the folder of the course's assignments. Raises SandboxError.
    """
    settings = json.dumps([sandbox, *preload, dict(limits), str(source)])
    for others, process in list(_started.items()):  # nobody can ask for them any more
        if others != settings or not process.alive:
            _started.pop(others).close()
    if settings not in _started:
        _started[settings] = WarmProcess(_order(sandbox, preload, limits, source))
    return _started[settings]


_started: dict[str, WarmProcess] = {}  # by their settings, at most one


def _order(
    sandbox: bool, preload: Sequence[str], limits: Mapping[str, int], source: Path
) -> dict[str, Any]:
    files = package.contents(source)
    home = dict.fromkeys(("HOME", "MPLCONFIGDIR", "TMPDIR"), SCRATCH) if sandbox else {}
    return {
        "sandbox": sandbox,
        "paths": readable_paths(source) if sandbox else [],
        "package": {name: str(file) for name, file in files.items()},
        "course": str(package.CLONE),
        "source": str(source),
        "environment": ENVIRONMENT | home,
        "preload": [*preload, *package.lessons(files)],
        "limits": dict(limits),
    }


def require(no_sandbox: bool) -> None:
    """Raise SandboxError unless this system's kernels may run without a sandbox."""
    if not no_sandbox:
        raise SandboxError(
            "there is no sandbox on this system, which needs Linux. With --no-sandbox "
            "(c.Execute.sandbox = False) submissions run with all your rights."
        )


def readable_paths(source: Path) -> list[str]:
    """Return the folders of this Python. Raises SandboxError if a course lies in one."""
    paths = sorted({sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix)})
    for path in paths:
        if package.CLONE.is_relative_to(path) or source.is_relative_to(path):
            raise SandboxError(
                f"the course lies in the environment of Python, {path}, which submissions can "
                "read; make the environment in a folder of its own."
            )
    return paths
