"""An IPython kernel on sockets that were opened for it."""

import importlib
import os
import random
import sys
import threading
from collections.abc import Mapping
from typing import Any

import numpy
import torch.overrides
import zmq
from ipykernel.iostream import OutStream
from ipykernel.kernelapp import IPKernelApp

# What a kernel imports when it starts, or at the first error: here, before it is forked.
for _name in (
    "IPython.core.completerlib", "IPython.core.debugger", "IPython.core.logger",
    "IPython.core.oinspect", "IPython.extensions.storemagic", "faulthandler", "numpy.random",
    "pdb", "pygments.formatters.terminal256", "pygments.lexers.python", "pygments.styles.default",
    "stack_data", "tornado.platform.asyncio",
):  # fmt: skip
    importlib.import_module(_name)
torch.overrides.resolve_name(torch.add)  # makes a table that the by-hand checks look things up in

SETTINGS = [
    "--HistoryManager.enabled=False",
    "--IPythonKernel._execute_sleep=0",
    "--InteractiveShell.colors=nocolor",
    "--InteractiveShell.xmode=Plain",
    "--IPKernelApp.outstream_class=autograder.sandbox.kernel.PromptStream",
    "--InteractiveShellApp.ignore_cwd=True",
    "--log-level=CRITICAL",
]


class PromptStream(OutStream):
    """Standard output that is sent by the thread that flushes it, without waiting for another."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._turn = threading.RLock()
        super().__init__(*args, **kwargs)

    def flush(self) -> None:
        """Send what was written before anything that is sent later."""
        self._flush()

    def _flush(self) -> None:
        mine = self._turn.acquire(timeout=1)  # a forked process may never get it
        try:
            super()._flush()
        finally:
            if mine:
                self._turn.release()


class WarmKernelApp(IPKernelApp):
    """ipykernel's application, without a connection file and without a heartbeat."""

    listening: Mapping[int, int]  # file descriptors, by port

    def init_connection_file(self) -> None:
        """Do nothing: the connection is known."""

    write_connection_file = cleanup_connection_file = init_connection_file
    init_heartbeat = init_crash_handler = log_connection_info = init_connection_file
    _ports: Mapping[str, int] = {}

    def init_control(self, context: zmq.Context) -> None:
        """Create the control channel, and no thread for subshells."""
        super().init_control(context)
        self.shell_channel_thread = None

    def _try_bind_socket(self, s: zmq.Socket, port: int) -> int:
        s.setsockopt(zmq.USE_FD, self.listening[port])
        return super()._try_bind_socket(s, port)


def start_kernel(request: Mapping[str, Any], sockets: Mapping[str, int]) -> None:
    """Run a kernel in this process until it is killed."""
    random.seed()
    numpy.random.seed()  # or every student would draw the same numbers
    sys.argv = ["kernel"]
    app = WarmKernelApp.instance(transport="ipc", ip=request["ip"])
    app.listening = {}
    for port, (channel, fd) in enumerate(sockets.items(), start=1):
        setattr(app, f"{channel}_port", port)
        app.listening[port] = fd
    app.session.key = b""
    app.initialize(SETTINGS)
    sys.path.insert(0, "")  # only now: no file beside a notebook is taken for one of the kernel's
    app.start()
    os._exit(0)
