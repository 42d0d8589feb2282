"""Run a submission on the challenge, in a kernel.

This is the part between prepare and judge: a notebook and inputs go in, the executed
notebook with its evidence comes out. It knows no answers and no gradebook.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from nbformat import NotebookNode
from traitlets import Bool, Integer, List, Unicode
from traitlets.config import Config, LoggingConfigurable

from autograder import CHALLENGE_FILE
from autograder.grading import files, notebooks
from autograder.sandbox import client, package, records
from autograder.sandbox.limits import Limits

ENDED = "the kernel died while this cell ran"
REASONS = {
    "memory": "the submission used more memory than it may use",
    "silent": "the kernel did not say that this cell had ended",
    "": f"{ENDED}: out of memory, out of processor time, or a crash in compiled code",
}
RECORD, VALUE = 1024, 32  # bytes that a record and a value in it take here, beside its text
DEPTH = 50  # levels of what is displayed; beyond them, others would fail to copy it


class Stopped(Exception):
    """A submission was stopped; the message says why."""


class Outputs:
    """What the cells of a notebook show."""

    def __init__(self) -> None:
        self._displays: dict[str, list[NotebookNode]] = {}
        self._cell = NotebookNode(outputs=[])

    def begin(self, cell: NotebookNode) -> None:
        """Collect what a cell shows from now on."""
        self.end()
        self._cell, self._clear = cell, False
        cell.outputs = []

    def end(self) -> None:
        """Put what was printed together."""
        for output in self._cell.outputs:
            if output.output_type == "stream":
                output.text = "".join(output.text)

    def add(self, record: records.Record) -> None:
        """Add what a record says. Raises Malformed."""
        try:
            self._add(record.kind, orjson.loads(record.content))
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise records.Malformed(str(error)) from None

    def _add(self, kind: bytes, content: Any) -> None:
        if kind == records.STREAM:
            self._print(content["name"], _text(content["text"]))
        elif kind == records.DISPLAY:
            output = self._show("display_data", data=_bundle(content["data"]), metadata={})
            if (name := content["id"]) is not None:
                self._displays.setdefault(_text(name), []).append(output)
        elif kind == records.UPDATE:
            for output in self._displays.get(_text(content["id"]), ()):
                output.data = _bundle(content["data"])
        elif kind == records.RESULT:
            count = int(content["count"])
            data = _bundle(content["data"])
            self._show("execute_result", data=data, metadata={}, execution_count=count)
        elif kind == records.ERROR:
            lines = [_text(line) for line in content["traceback"]]
            self.error(_text(content["ename"]), _text(content["evalue"]), lines)
        elif kind == records.CLEAR:
            self._clear = bool(content["wait"])
            if not self._clear:
                self._cell.outputs = []
        elif kind == records.DONE:
            self._cell.execution_count = int(content["count"])

    def error(self, name: str, message: str, traceback: list[str] | None = None) -> None:
        """Add an error."""
        self._show("error", ename=name, evalue=message, traceback=traceback or [message])

    def _show(self, kind: str, **content: Any) -> NotebookNode:
        if self._clear:
            self._cell.outputs, self._clear = [], False
        self._cell.outputs.append(NotebookNode(output_type=kind, **content))
        return self._cell.outputs[-1]

    def _print(self, name: str, text: str) -> None:
        last = self._cell.outputs[-1] if self._cell.outputs and not self._clear else {}
        if name not in ("stdout", "stderr"):
            raise ValueError("there is no such stream")
        if last.get("name") == name:
            last["text"].append(text)
        else:
            self._show("stream", name=name, text=[text])


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("this should be a text")
    return value


def _bundle(data: Any) -> NotebookNode:
    """Return those parts of a display that a notebook may hold: texts, and JSON as JSON."""
    if not isinstance(data, dict):
        raise TypeError("this should be in several forms")
    return NotebookNode({
        kind: value for kind, value in data.items()
        if isinstance(value, str) or (kind.endswith("json") and not _deep(value, DEPTH))
    })  # fmt: skip


def _deep(value: Any, levels: int) -> bool:
    inside = value.values() if isinstance(value, dict) else value
    inside = inside if isinstance(value, (dict, list)) else ()
    return levels == 0 or any(_deep(one, levels - 1) for one in inside)


class Execute(LoggingConfigurable):
    """Takes the place of nbgrader's Execute: a warm kernel, in a sandbox, on a challenge.

    A cell that raises does not end the run. A kernel that dies or has to be stopped does, and not
    the grading: the cells before it keep their evidence, and the cell in which it ended says so.
    (It behaves like one of nbgrader's preprocessors but is not one: a worker has no other use for
    nbgrader, which takes seconds to import.)
    """

    enabled = True

    timeout = Integer(120, help="seconds a cell may run").tag(config=True)
    grace = Integer(5, help="seconds in which an interrupted cell has to end").tag(config=True)
    sandbox = Bool(True, help="run kernels in a sandbox; without it, they have your rights").tag(
        config=True
    )
    user = Integer(
        0, min=0, help="without a sandbox, the number of the Unix user that kernels run as, one at "
        "a time, if root grades; 0: whoever grades",
    ).tag(config=True)  # fmt: skip
    warm = Bool(client.CAN_FORK, help="fork kernels from a warm process, if the system can").tag(
        config=True
    )
    preload = List(
        Unicode(),
        help="modules to import before a fork, in addition to those that notebooks import",
    ).tag(config=True)
    assignments = List(Unicode(), help="whose imports these are; if none, of all").tag(config=True)
    hidden = List(
        Unicode(),
        help="more folders and files that no submission may read, besides the course's own",
    ).tag(config=True)
    source = Unicode(
        str(package.CLONE / "source"), help="the folder of the course's assignments"
    ).tag(config=True)

    @property
    def settings(self) -> client.Settings:
        """What kernels are started with."""
        return client.settings(
            Path(self.source), self.assignments,
            sandbox=self.sandbox, user=self.user, fork=self.warm, modules=self.preload,
            hidden=self.hidden,
        )  # fmt: skip

    def __call__(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Execute a notebook. Raises SandboxError.

        `resources["files"]` are the files it starts with, packed. Without them, they are those
        of the folder `resources["metadata"]["path"]`, and the challenge of the assignment in
        `resources["source"]`.
        """
        self.peak_memory = 0  # bytes, of the kernel and what it started, beyond what it shares
        if nb.metadata.get(notebooks.NOTES, {}).get("unreadable"):
            return nb, resources  # nothing of it is the student's
        if source := resources.get("source"):
            self.source, self.assignments = str(source.parent), [source.name]
            self.hidden = [*self.hidden, *resources["hidden"]]
        limits, outputs = Limits(parent=self), Outputs()
        cells = [cell for cell in nb.cells if notebooks.runs_when_graded(cell)]
        try:
            packed = resources.get("files") or self._pack(resources, limits)
        except files.FolderTooLarge as error:
            for cell in cells[:1]:
                outputs.begin(cell)
                outputs.error("Stopped", str(error))
            return nb, resources
        with client.start(self.settings, packed, limits.as_dict()) as kernel:
            why = Run(kernel, outputs, limits, self.timeout, self.grace).cells(cells)
        if why is not None:
            outputs.error("Stopped", why or REASONS[kernel.ended["reason"]])
        outputs.end()
        self.peak_memory = kernel.ended["peak_memory"]
        return nb, resources

    def _pack(self, resources: dict[str, Any], limits: Limits) -> bytes:
        from autograder.grading.repair import beside
        from autograder.notebook import cases  # and torch with it, which no worker needs

        submitted = files.in_folder(Path(resources["metadata"]["path"]), ["*.ipynb"])
        needs = beside.wanted(resources["source"])
        submitted = {**beside.moved(submitted, "", needs)[0], **submitted}
        challenge = cases.challenge(cases.load_references(resources["source"]))
        together = files.merge(submitted, {CHALLENGE_FILE: challenge})
        return files.pack(together, *limits.beside)


class Run:
    """A notebook that runs in a kernel, cell by cell."""

    def __init__(
        self, kernel: client.Kernel, outputs: Outputs, limits: Limits, timeout: int, grace: int
    ) -> None:
        self._kernel, self._outputs, self._limits = kernel, outputs, limits
        self._timeout, self._grace = timeout, grace
        self._reader = records.Reader(kernel.line)
        self._deadline = time.monotonic() + limits.seconds
        self._left = {True: limits.outputs, False: limits.outputs}  # of evidence, of all else

    def cells(self, cells: Sequence[NotebookNode]) -> str | None:
        """Run cells. Returns why it was stopped, if it was; nothing if nobody here knows."""
        try:
            for number, cell in enumerate(cells, start=1):
                self._cell(cell, number)
        except EOFError:
            return ""
        except records.Malformed as error:
            self._kernel.kill()
            return f"what the kernel sent cannot be read: {error}"
        except Stopped as stopped:
            self._kernel.kill()
            return str(stopped)
        return None

    def _cell(self, cell: NotebookNode, number: int) -> None:
        self._outputs.begin(cell)
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise Stopped(f"the submission took longer than {self._limits.seconds} s")
        seconds = min(self._timeout, max(1, int(left)))
        too_long = f"this cell ran longer than {seconds} s"
        self._room = self._limits.output
        self._reader.begin(number)
        until = time.monotonic() + seconds
        try:
            try:
                self._reader.ask(cell.source, until)
                self._read(until)
            except TimeoutError:
                self._kernel.interrupt()
                self._read(time.monotonic() + self._grace)
                self._outputs.error("CellTimeoutError", too_long)
        except TimeoutError:
            raise Stopped(f"{too_long} and could not be interrupted") from None
        except records.TooLarge:
            self._stop_flood(cell)
        self._keep(cell)

    def _keep(self, cell: NotebookNode) -> None:
        """Keep what a cell shows, if all cells together do not show too much."""
        evidence = notebooks.is_autograded(cell)
        self._left[evidence] -= self._limits.output - max(self._room, 0)
        if self._left[evidence] < 0:
            self._left[evidence] += self._limits.output - max(self._room, 0)
            most = self._limits.outputs // files.MiB
            self._outputs.begin(cell)
            self._outputs.error("TooMuchOutput", f"all cells displayed more than {most} MiB")

    def _read(self, until: float) -> None:
        """Read what a cell shows, until it is done. Raises TimeoutError, EOFError, TooLarge."""
        kind = b""
        while kind != records.DONE:
            kind, content = record = self._reader.next(until, self._room - RECORD)
            self._room -= RECORD + len(content) + VALUE * sum(map(content.count, b",:[{"))
            if self._room < 0:
                raise records.TooLarge
            if kind:
                self._outputs.add(record)

    def _stop_flood(self, cell: NotebookNode) -> None:
        """Interrupt a cell, and read nothing more of what it shows. Raises Stopped."""
        too_much = f"this cell displayed more than {self._limits.output // files.MiB} MiB"
        self._kernel.interrupt()
        self._outputs.begin(cell)
        until = time.monotonic() + self._grace
        try:
            while self._reader.skip(until) != records.DONE:
                pass
        except (TimeoutError, EOFError):
            raise Stopped(too_much) from None
        self._outputs.error("TooMuchOutput", too_much)


@dataclass(frozen=True)
class Ran:
    """A submission that was run: its notebooks as JSON, the seconds and bytes it took."""

    notebooks: Mapping[str, bytes]
    seconds: float
    peak_memory: int


def worker_config(config: Config) -> Config:
    """Return what a run needs of a course's configuration.

    The rest names classes, and a worker would import torch and nbgrader to have them.
    """
    configured = (*Execute.mro(), *Limits.mro())
    names = {kind.__name__ for kind in configured}
    return Config({name: section for name, section in config.items() if name in names})


def run_all(submitted: Mapping[str, bytes], packed: bytes, config: Config) -> Ran:
    """Run every notebook of a submission. Raises SandboxError. This is what a worker does."""
    start, peak, executed = time.monotonic(), 0, {}
    for name, text in submitted.items():
        execute = Execute(config=config)
        nb, _ = execute(notebooks.from_bytes(text), {"files": packed})
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
    return Execute(config=config or Config())(nb, {"files": packed})[0]
