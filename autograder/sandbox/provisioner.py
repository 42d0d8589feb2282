"""Warm kernels for jupyter_client: a provisioner, and a manager and client that do not wait."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import tempfile
import time
from queue import Empty
from typing import Any

import orjson
from jupyter_client import AsyncKernelClient, AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import KernelProvisionerBase

from autograder.sandbox.client import WarmProcess
from autograder.sandbox.forkserver import CHANNELS


class WarmProvisioner(KernelProvisionerBase):
    """Provides a kernel that is forked from a warm process."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._folder = self._handle = self._line = self._status = None
        self.ended: dict[str, Any] = {}

    @property
    def has_process(self) -> bool:
        """Say whether a kernel was launched."""
        return self._line is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Prepare the folder of the sockets."""
        self._folder = tempfile.mkdtemp(prefix="kernel-")
        manager = self.parent
        manager.transport, manager.ip = "ipc", f"{self._folder}/socket"
        for port, channel in enumerate(CHANNELS, start=1):
            setattr(manager, f"{channel}_port", port)
        manager.hb_port = len(CHANNELS) + 1
        return await super().pre_launch(cmd=[], **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> dict[str, Any]:
        """Fork a kernel; it is connected to sockets that listen already."""
        manager, sockets = self.parent, []
        for port in range(1, len(CHANNELS) + 1):
            listening = socket.socket(socket.AF_UNIX)
            listening.bind(f"{manager.ip}-{port}")
            listening.listen(16)
            sockets.append(listening)
        self._line, theirs = socket.socketpair()
        request = {"ip": manager.ip, "folder": self._folder}
        with tempfile.TemporaryFile() as files, contextlib.ExitStack() as given:
            files.write(manager.files)
            files.seek(0)
            fds = [given.enter_context(one).fileno() for one in (*sockets, theirs)]
            manager.warm.fork(request, [*fds[:-1], files.fileno(), fds[-1]])
        self._handle = self._receive_handle()
        self.connection_info = manager.get_connection_info()
        return self.connection_info

    def _receive_handle(self) -> int:
        data, fds, _, _ = socket.recv_fds(self._line, 4096, 1)
        if not fds:
            raise RuntimeError("the kernel could not be started")
        self._rest = data.partition(b"\n")[2]
        return fds[0]

    async def poll(self) -> int | None:
        """Return the exit status of the kernel, or None while it runs."""
        if self._status is None and self.has_process:
            self._line.setblocking(False)
            try:
                while data := self._line.recv(4096):
                    self._rest += data
            except BlockingIOError:
                return None
            self.ended = json.loads(self._rest or b'{"status": -9}')
            self._status = self.ended["status"]
        return self._status

    async def wait(self) -> int | None:
        """Wait until the kernel has ended."""
        while await self.poll() is None:
            await asyncio.sleep(0.002)
        return self._status

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel."""
        if self._handle is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signum)

    async def kill(self, restart: bool = False) -> None:
        """Kill the kernel, and with it all it started."""
        await self.send_signal(signal.SIGKILL)

    terminate = kill

    async def cleanup(self, restart: bool = False) -> None:
        """Remove what the connection left."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._handle is not None:
            os.close(self._handle)
            self._line.close()
            self._handle = None


class WarmKernelClient(AsyncKernelClient):
    """A client that is ready when the kernel is, not at the next second."""

    def start_channels(self, *args: Any, **kwargs: Any) -> None:
        """Start the channels, but for the heartbeat: the provisioner knows who lives."""
        super().start_channels(shell=True, iopub=True, stdin=False, hb=False, control=False)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers a request on both channels. Raises RuntimeError."""
        deadline = time.monotonic() + (timeout or 60)
        while time.monotonic() < deadline:
            request = self.kernel_info()
            try:
                reply = await self.get_shell_msg(timeout=1)
                self._handle_kernel_info_reply(reply)
                while True:
                    message = await self.get_iopub_msg(timeout=0.1)
                    idle = message["content"].get("execution_state") == "idle"
                    if idle and message["parent_header"].get("msg_id") == request:
                        return
            except Empty:
                if not await self.parent.is_alive():
                    break
        raise RuntimeError("the kernel did not start")


def unpack(text: bytes) -> Any:
    """Read a part of a message, without its date: parsing it would take longer than the rest."""
    part = orjson.loads(text)
    if isinstance(part, dict):
        part.pop("date", None)
    return part


class WarmKernelManager(AsyncKernelManager):
    """A manager of one warm kernel that starts in a folder of `files`, a tar file."""

    client_factory = WarmKernelClient

    def __init__(self, warm: WarmProcess, files: bytes, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.warm, self.files = warm, files
        self.session.key = b""  # the sockets lie in a folder that nobody else can enter
        self.session.unpack = unpack

    async def _async_wait(self, pollinterval: float = 0.1) -> None:
        await self.provisioner.wait()

    @property
    def kernel_spec(self) -> KernelSpec:
        """The one kernel there is."""
        provisioner = {"kernel_provisioner": {"provisioner_name": "gradient-check-warm"}}
        return KernelSpec(display_name="Python 3", language="python", metadata=provisioner)
