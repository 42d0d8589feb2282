"""Run a submission on the challenge, in a kernel.

This is the part between prepare and judge: a notebook and inputs go in, the executed
notebook with its evidence comes out. It knows no answers and no gradebook.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any, ClassVar

import psutil
import zmq
from jupyter_client import KernelManager
from jupyter_client.session import Session
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.preprocessors import ExecutePreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_output
from traitlets import Bool, Integer, List, Unicode, default
from traitlets.config import Config

from autograder import CHALLENGE_FILE
from autograder.grading import files, notebooks
from autograder.sandbox import client, package
from autograder.sandbox.limits import Limits
from autograder.sandbox.provisioner import WarmKernelManager

ENDED = "the kernel died while this cell ran"
REASONS = {
    "memory": "the submission used more memory than it may",
    "": f"{ENDED}: out of memory, out of processor time, or a crash in compiled code",
}
ROOM = 256 * files.MiB  # what this process may grow by, and 16 times a cell's output
MESSAGE, VALUE = 1024, 32  # bytes that a message and a value in it take here, beside its text
DEPTH = 50  # levels of what is displayed; beyond them, others would fail to copy it
SILENT = "the kernel did not say that this cell had ended"


class Stopped(Exception):
    """A submission was stopped; the message says why."""


class Execute(ExecutePreprocessor):
    """Takes the place of nbgrader's Execute: a warm kernel, in a sandbox, on a challenge.

    A cell that raises does not end the run. A kernel that dies or has to be stopped
    does, and not the grading: the cells before it keep their evidence, and the cell in
    which it ended says so. (It is nbconvert's class and not nbgrader's because a worker
    has no other use for nbgrader, which takes seconds to import.)
    """

    enabled = True
    allow_errors = True
    interrupt_on_timeout = True
    raise_on_iopub_timeout = True
    error_on_timeout: ClassVar = {"ename": "CellTimeoutError"}

    timeout = Integer(120, help="seconds a cell may run").tag(config=True)
    grace = Integer(5, help="seconds in which an interrupted cell has to end").tag(config=True)
    sandbox = Bool(True, help="shut kernels in; without, they have your rights").tag(config=True)
    warm = Bool(help="fork kernels from a warm process, where a system can").tag(config=True)
    preload = List(
        Unicode(), list(client.COURSE_IMPORTS), help="modules a kernel has imported"
    ).tag(config=True)
    source = Unicode(
        str(package.CLONE / "source"), help="the folder of the course's assignments"
    ).tag(config=True)
    shutdown_kernel = "immediate"
    record_timing = False
    store_widget_state = False  # no notebook here has widgets, and they would be kept unmeasured

    @default("warm")
    def _warm_default(self) -> bool:
        return client.CAN_FORK

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any], km: Any = None
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Execute a notebook. Raises SandboxError.

        `resources["files"]` are the files it starts with, packed. Without them, they are those
        of the folder `resources["metadata"]["path"]`, and the challenge of the assignment in
        `resources["source"]`.
        """
        self.peak_memory = 0  # bytes, of the kernel and what it started, beyond what it shares
        if nb.metadata.get(notebooks.NOTES, {}).get("unreadable"):
            return nb, resources  # nothing of it is the student's
        self.limits = Limits(parent=self)
        if "source" in resources:
            self.source = str(resources["source"].parent)
        self._process = psutil.Process()
        self._cell = next((cell for cell in nb.cells if cell.cell_type == "code"), None)
        self._deadline = float("inf")
        self.km = self._manager = None
        try:
            self._files = resources.get("files") or self._pack(resources)
            with tempfile.TemporaryDirectory(prefix="kernel-") as self._scratch:
                resources = {**resources, "metadata": {"path": self._scratch}}
                super().preprocess(nb, resources, km)
        except (Stopped, files.FolderTooLarge) as stopped:
            self._report(str(stopped))
        if self._manager is not None:
            self.peak_memory = self._manager.provisioner.ended.get("peak_memory", 0)
        return nb, resources

    def _pack(self, resources: dict[str, Any]) -> bytes:
        from autograder.notebook import cases  # and torch with it, which no worker needs

        submitted = files.in_folder(Path(resources["metadata"]["path"]), ["*.ipynb"])
        challenge = cases.challenge(cases.load_references(resources["source"]))
        together = files.merge(submitted, {CHALLENGE_FILE: challenge})
        return files.pack(together, self.limits.scratch // 2)

    def create_kernel_manager(self) -> KernelManager:
        """Create the kernel's manager; the two talk over sockets that are files, not ports."""
        if self.warm:
            process = client.get(*warm_settings(self))
            self.km = manager = WarmKernelManager(process, self._files, config=self.config)
            manager.context.setsockopt(zmq.MAXMSGSIZE, 2 * self.limits.output)
            self._manager = manager  # nbclient forgets it when the kernel has ended
            return manager
        client.require(not self.sandbox)
        files.unpack(self._files, Path(self._scratch))
        self.kernel_name = "python3"
        manager = super().create_kernel_manager()
        if os.name == "posix":
            manager.transport, manager.ip = "ipc", f"{self._scratch}/.kernel"
        return manager

    def start_new_kernel(self, **kwargs: Any) -> None:
        """Start the kernel with the environment that a warm one has, and nothing else."""
        environment = {**os.environ, **client.ENVIRONMENT}
        super().start_new_kernel(env=environment, **kwargs)
        self._deadline = time.monotonic() + self.limits.seconds

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Execute one cell, unless it is for people only. Raises Stopped if it was the last one."""
        if not notebooks.runs_when_graded(cell):
            return cell, resources
        self._cell, self._output = cell, 0
        if time.monotonic() > self._deadline:
            raise Stopped(f"the submission took longer than {self.limits.seconds} s")
        try:
            return super().preprocess_cell(cell, resources, index)
        except DeadKernelError:
            raise Stopped(self._why_it_ended()) from None
        except Stopped:
            raise
        except CellTimeoutError:
            raise Stopped(SILENT) from None
        except Exception as error:  # a kernel can send anything; what it sends ends its run only
            self.log.exception("%s sent what cannot be read", resources.get("unique_key"))
            raise Stopped(f"what the kernel sent cannot be read ({type(error).__name__})") from None

    async def async_execute_cell(
        self, cell: NotebookNode, cell_index: int, *arguments: Any, **keywords: Any
    ) -> NotebookNode:
        """Execute a cell, and see that what it sends does not fill the memory of this process."""
        watch = asyncio.ensure_future(self._watch_memory())
        try:
            return await super().async_execute_cell(cell, cell_index, *arguments, **keywords)
        finally:
            watch.cancel()

    execute_cell = run_sync(async_execute_cell)

    async def _watch_memory(self) -> None:
        """Kill a kernel that sends more than can be read: a message is received as a whole."""
        most = self._process.memory_info().rss + ROOM + 16 * self.limits.output
        while self._process.memory_info().rss < most:
            await asyncio.sleep(0.05)
        self._output = self.limits.output + 1
        await self.km.provisioner.kill()

    async def _async_check_alive(self) -> None:
        if self.kc is None:  # the run has ended, and who asks has not heard of it
            raise asyncio.CancelledError
        await super()._async_check_alive()

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> Any:
        """Process what a kernel displays, up to the limit; beyond it, the cell is stopped."""
        if msg["msg_type"] not in ("status", "execute_input"):
            before, self._output = self._output, self._output + MESSAGE + _size(msg["content"])
            if self._output > self.limits.output:
                if before <= self.limits.output:
                    self._stopping = asyncio.ensure_future(self._stop_flood(cell))
                return None
            msg["content"] |= {"metadata": {}} if "metadata" in msg["content"] else {}
        return super().process_message(msg, cell, cell_index)

    def on_cell_executed(self, cell: NotebookNode, execute_reply: dict, **_: Any) -> None:
        """Let a cell show the error it ended with, also one that the kernel did not display."""
        reply = execute_reply["content"]
        shown = [o.ename for o in cell.outputs if o.output_type == "error"]
        if self._output > self.limits.output:
            error = {"ename": "TooMuchOutput", "evalue": self._too_much()}
            cell.outputs = [new_output("error", **error, traceback=[self._too_much()])]
        elif reply["status"] == "error" and reply["ename"] not in shown:
            names = ("ename", "evalue", "traceback")
            cell.outputs.append(new_output("error", **{name: reply[name] for name in names}))

    def _too_much(self) -> str:
        return f"this cell displayed more than {self.limits.output // files.MiB} MiB"

    async def _stop_flood(self, cell: NotebookNode) -> None:
        cell.outputs = []
        await self.km.interrupt_kernel()
        await asyncio.sleep(self.grace)
        if cell is self._cell:
            await self.km.provisioner.kill()

    async def _async_handle_timeout(
        self, timeout: int, cell: NotebookNode | None = None
    ) -> dict[str, Any]:
        """Interrupt a cell that ran too long; if it goes on, stop the kernel. Raises Stopped."""
        await self.km.interrupt_kernel()
        try:
            await self.kc.shell_channel.get_msg(timeout=self.grace)
        except Empty:
            await self._async_check_alive()  # or that it could not be interrupted is half the truth
            raise Stopped(
                f"this cell ran longer than {timeout} s and could not be interrupted"
            ) from None
        message = f"this cell ran longer than {timeout} s"
        error = {"ename": "CellTimeoutError", "evalue": message, "traceback": [message]}
        return {"content": {**error, "status": "error"}}

    def _get_timeout(self, cell: NotebookNode | None) -> int | None:
        left = max(1, self._deadline - time.monotonic())
        timeout = super()._get_timeout(cell)
        return timeout if timeout is not None and timeout < left else int(left)

    def _why_it_ended(self) -> str:
        ended = getattr(self.km.provisioner, "ended", {})
        if self._output > self.limits.output:
            return self._too_much()
        return REASONS.get(ended.get("reason", ""), REASONS[""])

    def _report(self, message: str) -> None:
        if self._cell is not None:
            output = new_output("error", ename="Stopped", evalue=message, traceback=[message])
            self._cell.outputs = [*self._cell.get("outputs", []), output]


@dataclass(frozen=True)
class Ran:
    """A submission that was run: its notebooks as JSON, the seconds and bytes it took."""

    notebooks: Mapping[str, bytes]
    seconds: float
    peak_memory: int


def warm_settings(execute: Execute) -> tuple[bool, list[str], dict[str, int], Path]:
    """Return what a warm process is started with: its sandbox, imports, limits and course."""
    limits = Limits(parent=execute).as_dict()
    return execute.sandbox, list(execute.preload), limits, Path(execute.source)


def worker_config(config: Config) -> Config:
    """Return what a run needs of a course's configuration.

    The rest names classes, and a worker would import torch and nbgrader to have them.
    """
    configured = (*Execute.mro(), *Limits.mro(), *WarmKernelManager.mro(), *Session.mro())
    names = {kind.__name__ for kind in configured}
    return Config({name: section for name, section in config.items() if name in names})


def run_all(submitted: Mapping[str, bytes], packed: bytes, config: Config) -> Ran:
    """Run every notebook of a submission. Raises SandboxError. This is what a worker does."""
    start, peak, executed = time.monotonic(), 0, {}
    for name, text in submitted.items():
        execute = Execute(config=config)
        nb, _ = execute.preprocess(notebooks.from_bytes(text), {"files": packed})
        executed[name] = notebooks.to_bytes(nb)
        peak = max(peak, execute.peak_memory)
    return Ran(executed, time.monotonic() - start, peak)


def run(
    nb: NotebookNode,
    challenge: bytes,
    config: Config | None = None,
    artifacts: Mapping[str, Path] | None = None,
) -> NotebookNode:
    """Execute a notebook on a challenge, with what it trained beside it. Raises SandboxError."""
    packed = files.pack({**(artifacts or {}), CHALLENGE_FILE: challenge})
    return Execute(config=config or Config()).preprocess(nb, {"files": packed})[0]


def _size(content: Any, depth: int = 0) -> int:
    """Return about how many bytes what a kernel displays takes here. Raises Stopped."""
    if depth > DEPTH:
        raise Stopped(f"this cell displayed what is nested more than {DEPTH} levels deep")
    if isinstance(content, dict):
        content = [*content, *content.values()]
    if isinstance(content, list):
        return VALUE + sum(_size(value, depth + 1) for value in content)
    return VALUE + (len(content) if isinstance(content, str) else 0)
