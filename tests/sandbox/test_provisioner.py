"""A warm kernel as jupyter_client drives it: what is known of it, and when it has ended."""

import asyncio
import json
import os
import signal
import socket
import subprocess

import orjson
import pytest

from autograder.sandbox.provisioner import WarmKernelManager, WarmProvisioner, unpack


@pytest.fixture
def launched():
    """Return a provisioner, and the line on which the other side tells how the kernel ended."""
    provisioner = WarmProvisioner()
    provisioner._line, theirs = socket.socketpair()
    provisioner._rest = b""
    yield provisioner, theirs
    provisioner._line.close()
    theirs.close()


def test_nothing_was_launched_yet():
    provisioner = WarmProvisioner()
    assert not provisioner.has_process and asyncio.run(provisioner.poll()) is None
    asyncio.run(provisioner.send_signal(signal.SIGINT))  # to nobody


def test_a_kernel_runs_until_it_is_said_to_have_ended(launched):
    provisioner, theirs = launched
    assert provisioner.has_process and asyncio.run(provisioner.poll()) is None
    ended = {"status": 3, "reason": "memory", "peak_memory": 7}
    theirs.sendall(json.dumps(ended).encode() + b"\n")
    assert asyncio.run(provisioner.poll()) is None  # more could follow
    theirs.close()
    assert (asyncio.run(provisioner.wait()), provisioner.ended) == (3, ended)
    assert asyncio.run(provisioner.poll()) == 3


def test_a_kernel_that_nobody_speaks_of_any_more_was_killed(launched):
    provisioner, theirs = launched
    theirs.close()
    assert asyncio.run(provisioner.wait()) == -signal.SIGKILL


def test_a_kernel_without_a_handle_was_not_started(launched):
    provisioner, theirs = launched
    theirs.close()
    with pytest.raises(RuntimeError, match="the kernel could not be started"):
        provisioner._receive_handle()


def test_a_kernel_is_killed_by_its_handle(launched):
    provisioner, theirs = launched
    with subprocess.Popen(["sleep", "60"]) as process:
        handle = os.pidfd_open(process.pid)
        socket.send_fds(theirs, [b'{"started": true}\n'], [handle])
        os.close(handle)
        provisioner._handle = provisioner._receive_handle()
        asyncio.run(provisioner.kill())
        assert process.wait(10) == -signal.SIGKILL
        asyncio.run(provisioner.kill())  # it has ended
    asyncio.run(provisioner.cleanup())
    asyncio.run(provisioner.cleanup())


def test_a_message_is_read_without_its_date():
    assert unpack(b'{"msg_id": "1", "date": "no date"}') == {"msg_id": "1"}
    assert unpack(b'["date"]') == ["date"]
    with pytest.raises(orjson.JSONDecodeError):
        unpack(b"{")


def test_there_is_one_kind_of_kernel_and_its_messages_are_not_signed():
    manager = WarmKernelManager(None, b"")
    assert manager.kernel_spec.language == "python"
    assert manager.session.key == b""
