"""A kernel on sockets that were opened for it; what it does end to end is in test_forkserver."""

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp, kernel_aliases
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.shellapp import InteractiveShellApp

from autograder.sandbox import kernel

CLASSES = (IPKernelApp, IPythonKernel, InteractiveShell, HistoryManager)


def test_every_setting_is_one_that_a_kernel_has():
    """traitlets takes any other without a word."""
    known = {f"{one.__name__}.{n}" for one in CLASSES for n in one.class_trait_names(config=True)}
    shell = InteractiveShellApp.class_trait_names(config=True)
    known |= {f"InteractiveShellApp.{name}" for name in shell} | set(kernel_aliases)
    named = [setting.removeprefix("--").split("=")[0] for setting in kernel.SETTINGS]
    assert [name for name in named if name not in known] == []


class Told:
    def __init__(self):
        self.options = []

    def setsockopt(self, option, value):
        self.options.append((option, value))

    def bind(self, address):
        self.options.append(address)


def test_a_channel_is_bound_to_the_socket_that_listens_already(tmp_path):
    app = kernel.WarmKernelApp(transport="ipc", ip=f"{tmp_path}/socket")
    app.listening = {3: 77}
    told = Told()
    assert app._try_bind_socket(told, 3) == 3
    assert told.options == [(kernel.zmq.USE_FD, 77), f"ipc://{tmp_path}/socket-3"]


def test_no_file_is_written_and_no_heartbeat_started(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = kernel.WarmKernelApp()
    for step in ("init_connection_file", "write_connection_file", "init_heartbeat",
                 "init_crash_handler", "cleanup_connection_file"):  # fmt: skip
        assert getattr(app, step)() is None
    assert list(tmp_path.iterdir()) == []
