"""A kernel: an IPython shell that runs cells, and tells what they show on one line.

It takes the place of ipykernel: no ZeroMQ, no event loop and no threads. The shell is made
before the fork and used after it.
"""

import base64
import builtins
import codecs
import gc
import getpass
import io
import json
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import StdinNotImplementedError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from autograder import assignments
from autograder.sandbox import records

CONFIG = {
    "HistoryManager": {"enabled": False},
    "InteractiveShell": {"colors": "nocolor", "xmode": "Plain"},
}
QUIT = "quit() and exit() end this cell only; the notebook continues"
NOBODY = "nobody can answer: this notebook runs unattended"
OURS = ("autograder", "data_scripts")
WAITS = 8192  # characters that may be printed before they are sent


@dataclass
class Descriptor:
    """A file in the place of standard output or error, for programs and C libraries."""

    number: int
    stream: str
    read: int = 0  # bytes
    decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )

    def open(self) -> None:
        """Put an empty file in its place."""
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), self.number)
        self._own = os.dup(self.number)

    def new(self) -> bytes:
        """Return what was written since it was last read, or a part of it."""
        if os.fstat(self._own).st_size == self.read:
            return b""
        data = os.pread(self._own, records.CHUNK, self.read)
        self.read += len(data)
        return data


class Line:
    """The line to who runs the notebook: the one place where a kernel writes.

    What is printed waits until more of it, or anything else, is shown, or the cell ends.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._turn = threading.RLock()
        self._cell = self._number = 0
        self._stream, self._printed, self._size = "", list[str](), 0
        self._descriptors: list[Descriptor] = []
        self._sending, self._interrupted = 0, False

    @property
    def mine(self) -> bool:
        """Say whether this process is the kernel, and not one that a cell has forked from it."""
        return self._socket is not None

    def connect(self, line: socket.socket) -> None:
        """Write to a socket from now on, also what is written to the descriptors."""
        self._socket = line
        if os.name == "posix":
            self._descriptors = [Descriptor(1, "stdout"), Descriptor(2, "stderr")]
            for one in self._descriptors:
                one.open()
            os.register_at_fork(after_in_child=self._leave)

    def _leave(self) -> None:
        self._socket, self._turn, self._printed, self._size = None, threading.RLock(), [], 0

    def begin(self, cell: int) -> None:
        """Let what is sent from now on belong to a cell."""
        with self._turn:
            self.flush()
            self._cell, self._number = cell, 0

    def send(self, kind: bytes, **content: Any) -> None:
        """Send a record, after what was printed before it. Raises TypeError and ValueError."""
        with self._turn:
            self.flush()
            self._send(kind, content)

    def write(self, stream: str, text: str) -> None:
        """Print a text to a stream, "stdout" or "stderr"."""
        if not self.mine:
            os.write(1 if stream == "stdout" else 2, text.encode("utf-8", "replace"))
            return
        with self._turn:
            self._listen()
            self._print(stream, text)

    def flush(self) -> None:
        """Send what was printed."""
        with self._turn:
            self._listen()
            self._flush()

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt, but not in the middle of a record."""
        if self._sending == threading.get_ident():
            self._interrupted = True
        else:
            raise KeyboardInterrupt

    def _listen(self) -> None:
        for one in self._descriptors if self.mine else ():
            while data := one.new():
                self._print(one.stream, one.decoder.decode(data))

    def _print(self, stream: str, text: str) -> None:
        if stream != self._stream:
            self._flush()
            self._stream = stream
        self._printed.append(text)
        self._size += len(text)
        if self._size > WAITS:
            self._flush()

    def _flush(self) -> None:
        text, self._printed, self._size = "".join(self._printed), [], 0
        if text:
            self._send(records.STREAM, {"name": self._stream, "text": text})

    def _send(self, kind: bytes, content: dict[str, Any]) -> None:
        if self._socket is None:
            return
        data = records.packed(kind, self._cell, self._number + 1, content)
        self._sending = threading.get_ident()
        try:
            self._number += 1
            self._socket.sendall(data)
        finally:
            self._sending = 0
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt


LINE = Line()


class Stream(io.TextIOBase):
    """Standard output or standard error of a kernel."""

    encoding, errors = "UTF-8", "replace"

    def __init__(self, name: str, descriptor: int) -> None:
        self.name, self._descriptor = name, descriptor

    def writable(self) -> bool:
        """Say yes."""
        return True

    def fileno(self) -> int:
        """Return the descriptor that programs write to."""
        return self._descriptor

    def write(self, text: str) -> int:
        """Print a text. Raises TypeError."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        LINE.write(self.name, text)
        return len(text)

    def flush(self) -> None:
        """Send what was printed."""
        LINE.flush()


class Publisher(DisplayPublisher):
    """Sends what is displayed."""

    def publish(
        self, data: dict, metadata: Any = None, source: Any = None, *,
        transient: dict | None = None, update: bool = False, **_: Any,
    ) -> None:  # fmt: skip
        """Send a display, or the new content of an earlier one."""
        name = (transient or {}).get("display_id")
        LINE.send(records.UPDATE if update else records.DISPLAY, data=encoded(data), id=name)

    def clear_output(self, wait: bool = False) -> None:
        """Clear what the cell shows, at once or with the next thing it shows."""
        LINE.send(records.CLEAR, wait=bool(wait))


class Hook(DisplayHook):
    """Sends the value of a cell's last line."""

    def start_displayhook(self) -> None:
        """Write no prompt."""

    write_output_prompt = finish_displayhook = start_displayhook

    def write_format_data(self, format_dict: dict, md_dict: dict | None = None) -> None:
        """Send a value in all its forms."""
        LINE.send(records.RESULT, data=encoded(format_dict), count=self.prompt_count)


def encoded(data: Mapping[str, Any]) -> dict[str, Any]:
    """Write the bytes of pictures as base64."""
    return {
        kind: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for kind, value in data.items()
    }


class Compiler(CachingCompiler):
    """Compiles cells; a message about a line names the cell as a notebook does."""

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        """Return the name of a cell's code."""
        return f"In[{number}]"


class ZMQInteractiveShell(InteractiveShell):
    """IPython's shell; it has the name by which libraries know that they are in a notebook."""

    compiler_class = Compiler
    displayhook_class = Hook
    display_pub_class = Publisher
    system = InteractiveShell.system_raw  # what it prints is read from the descriptors

    def enable_gui(self, gui: str | None = None) -> None:
        """Do nothing: there is no window."""

    def ask_exit(self) -> NoReturn:
        """End a cell, and not the notebook."""
        raise SystemExit(QUIT)

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        LINE.send(records.ERROR, ename=etype.__name__, evalue=str(evalue), traceback=list(stb))


def refuse(*_: Any, **__: Any) -> NoReturn:
    """Say that nobody is there to answer. Raises StdinNotImplementedError."""
    raise StdinNotImplementedError(NOBODY)


def warm_up(order: Mapping[str, Any]) -> str:
    """Import what an order names, and make the shell. Returns what went wrong, or nothing."""
    gc.disable()  # what is imported stays: to look for garbage in it takes a tenth of the time
    os.environ.update(order["environment"])
    if not (order["sandbox"] or order.get("user")):  # behind a wall, they are a part of the package
        assignments.use(Path(order["source"]))
    if error := preload(order["preload"]):
        return error
    warnings.filterwarnings("ignore", "To exit: use 'exit'")  # nobody can, and nobody should
    rehearse(ZMQInteractiveShell.instance(config=Config(CONFIG)))
    return ""


def rehearse(shell: InteractiveShell) -> None:
    """Run cells that leave no trace, so that what IPython makes at the first one is there."""
    for source in ("def f(x):\n    return x\n\nx = [f(i) for i in range(3)]", "raise ValueError"):
        shell.run_cell(source, silent=True)
    shell.displayhook.compute_format_data({"W": (2, 3)})
    shell.user_ns.pop("f"), shell.user_ns.pop("x")
    del sys.last_type, sys.last_value, sys.last_traceback


def preload(statements: Iterable[str]) -> str:
    """Execute import statements. Returns what went wrong with one of ours, or nothing.

    Of others, some may not be installed, and only a notebook knows whether it can do without.
    """
    for statement in statements:
        module = statement.split()[1]
        try:
            exec(statement, {})
        except Exception as error:
            if module.split(".")[0] in OURS or not isinstance(error, ImportError):
                return f"{module} cannot be imported: {type(error).__name__}: {error}"
    return ""


def run(line: socket.socket) -> None:
    """Run the cells that come on a line, one after the other, until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # but for cells
    gc.enable()
    shell = ZMQInteractiveShell.instance()
    random.seed()  # or every student would draw the same numbers
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    shell.starting_dir = os.getcwd()
    shell.user_ns["_dh"][:] = [Path.cwd()]
    LINE.connect(line)
    sys.argv = ["kernel"]
    sys.path.insert(0, "")  # only now: no file beside a notebook is taken for one of the kernel's
    sys.stdout, sys.stderr = Stream("stdout", 1), Stream("stderr", 2)
    for module, asks in ((builtins, "input"), (getpass, "getpass")):
        setattr(module, asks, refuse)
    line.setblocking(True)
    line.set_inheritable(False)  # a program that a cell leaves behind must not keep it open
    with line.makefile("rb") as requests:
        while header := requests.read(records.HEADER.size):
            length, cell, _, _ = records.HEADER.unpack(header)
            source = json.loads(requests.read(length))["source"]
            LINE.begin(cell)
            signal.signal(signal.SIGINT, LINE.interrupt)
            try:
                shell.run_cell(source, store_history=True)
            except KeyboardInterrupt:
                pass  # it came when the cell had ended already
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            if not LINE.mine:
                os._exit(0)
            LINE.send(records.DONE, count=shell.execution_count - 1)
