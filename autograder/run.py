"""Run a submission on the challenge, in a kernel.

This is the part between prepare and judge: a notebook and inputs go in, the executed
notebook with its evidence comes out. It knows no answers and no gradebook.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

from jupyter_client import KernelManager
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute as NbgraderExecute
from traitlets import Integer
from traitlets.config import Config

from autograder import cases
from autograder.check import CHALLENGE_FILE


class Execute(NbgraderExecute):
    """nbgrader's Execute, with the challenge beside the notebook while it runs.

    A kernel that dies ends the run, not the grading: the cells before it keep their
    evidence, and the cell in which it died says so.
    """

    timeout = Integer(120, help="seconds a cell may run").tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any], km: Any = None
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Execute a notebook in the folder `resources["metadata"]["path"]`."""
        challenge = resources.get("challenge")
        if challenge is None:
            challenge = challenge_for(resources["nbgrader"]["assignment"])
        file = Path(resources["metadata"]["path"]) / CHALLENGE_FILE
        self._running: NotebookNode | None = None
        # One thread a kernel: with more, kernels side by side wait for each other (5 times slower
        # for two on two cores), and sums are not the same to the last bit.
        threads = patch.dict(os.environ, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
        with threads, tempfile.TemporaryDirectory(prefix="kernel-") as self._sockets:
            try:
                file.unlink(missing_ok=True)
                file.write_bytes(challenge)
                return super().preprocess(nb, resources, km)
            except DeadKernelError:
                self._report_death(nb)
                return nb, resources
            finally:
                file.unlink(missing_ok=True)

    def create_kernel_manager(self) -> KernelManager:
        """Create the kernel's manager; the two talk over sockets that are files, not ports."""
        manager = super().create_kernel_manager()
        if os.name == "posix":
            manager.transport, manager.ip = "ipc", f"{self._sockets}/kernel"
        return manager

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Execute one cell, remembering which."""
        self._running = cell
        return super().preprocess_cell(cell, resources, index)

    def _report_death(self, nb: NotebookNode) -> None:
        message = "the kernel died while this cell ran (out of memory, or a crash in compiled code)"
        cell = self._running or nb.cells[0]
        cell.outputs = [
            new_output("error", ename="DeadKernel", evalue=message, traceback=[message])
        ]


def challenge_for(assignment: str) -> bytes:
    """Pack the hidden inputs of an assignment. Raises CasesNotFound."""
    return cases.challenge(cases.load_reference(assignment))


def run(
    notebook: NotebookNode,
    challenge: bytes,
    files: Mapping[str, Path] | None = None,
    config: Config | None = None,
) -> NotebookNode:
    """Execute a notebook in a scratch folder, with copies of `files` at their relative paths."""
    with tempfile.TemporaryDirectory(prefix="submission-") as scratch:
        for name, file in (files or {}).items():
            copy = Path(scratch) / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
        resources = {"metadata": {"path": scratch}, "challenge": challenge}
        with patch.dict(os.environ, NBGRADER_EXECUTION="autograde"):
            return Execute(config=config or Config()).preprocess(notebook, resources)[0]
