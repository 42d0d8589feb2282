"""A notebook in a kernel: what it starts with, and what is left when it does not end well."""

import socket
from contextlib import suppress
from threading import Thread

import pytest
from nbformat.v4 import new_code_cell, new_notebook
from traitlets.config import Config

from autograder import CHALLENGE_FILE, NOT_GRADED
from autograder.grading import files
from autograder.grading.execute import Execute, Outputs, Run, run, worker_config
from autograder.sandbox import client, package, records
from autograder.sandbox.limits import Limits


def notebook(*sources):
    return new_notebook(cells=[new_code_cell(source) for source in sources])


def executed(*sources, **settings):
    return run(notebook(*sources), b"inputs", Config(settings)).cells


def text(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


def why(cell):
    return f"{cell.outputs[-1].ename}: {cell.outputs[-1].evalue}"


def test_the_challenge_and_the_files_lie_beside_the_notebook_while_it_runs():
    source = f"print(open('{CHALLENGE_FILE}').read(), open('data/notes.txt').read())"
    packed = files.pack({"data/notes.txt": b"hello", CHALLENGE_FILE: b"inputs"})
    nb, _ = Execute()(notebook(source), {"files": packed})
    assert text(nb.cells[0]) == "inputs hello\n"


def test_a_cell_for_people_is_left_out():
    long = f"{NOT_GRADED}\nraise RuntimeError('hours of training')"
    later = f"x = 1\n{NOT_GRADED}\nprint(x)"
    first, second = executed(long, later)
    assert first.outputs == [] and first.execution_count is None
    assert text(second) == "1\n"


def test_a_worker_gets_what_running_takes_and_no_class():
    config = Config()
    config.Execute.timeout, config.Limits.memory = 7, 2**30
    config.Autograde.exporter_class = Execute
    kept = worker_config(config)
    assert set(kept) == {"Execute", "Limits"}
    assert (Execute(config=kept).timeout, Limits(config=kept).memory) == (7, 2**30)
    assert Execute(config=kept).settings == client.settings(package.CLONE / "source")


def test_a_kernel_of_any_name_is_the_one_kernel():
    nb = notebook("print(1)")
    nb.metadata["kernelspec"] = {"name": "julia", "display_name": "", "language": "julia"}
    assert text(run(nb, b"").cells[0]) == "1\n"


def test_what_is_printed_comes_before_what_is_displayed_after_it():
    (cell,) = executed("for i in range(40): print(i); display(i)")
    shown = [o.get("text", "").strip() or o["data"]["text/plain"] for o in cell.outputs]
    assert shown == [str(i) for i in range(40) for _ in range(2)]


def test_a_dead_kernel_leaves_what_was_there_and_says_where_it_died():
    before, death, after = executed("print(1)", "import os; os._exit(1)", "print(2)")
    assert text(before) == "1\n"
    assert why(death).startswith("Stopped: the kernel died while this cell ran")
    assert after.outputs == []


def test_an_endless_cell_is_ended_and_the_next_ones_run():
    endless, after = executed("while True: pass", "print(2)", Execute={"timeout": 2})
    assert "CellTimeoutError: this cell ran longer than 2 s" in {
        f"{o.ename}: {o.evalue}" for o in endless.outputs if o.output_type == "error"
    }
    assert text(after) == "2\n"


def test_a_cell_that_cannot_be_interrupted_ends_the_run():
    stubborn = (
        "import time\nwhile True:\n    try:\n        time.sleep(60)\n"
        "    except KeyboardInterrupt:\n        pass"
    )
    limits = {"timeout": 1, "grace": 1}
    before, endless, after = executed("print(1)", stubborn, "print(2)", Execute=limits)
    assert text(before) == "1\n"
    assert why(endless) == "Stopped: this cell ran longer than 1 s and could not be interrupted"
    assert after.outputs == []


def test_a_submission_has_so_many_seconds_in_all():
    first, second, third = executed(
        "import time; time.sleep(0.7)", "time.sleep(60)", "print(3)", Limits={"seconds": 2}
    )
    assert first.outputs == []
    assert why(second).endswith("this cell ran longer than 1 s")
    assert third.outputs == [] or text(third) == "3\n"


def test_a_flood_of_output_is_cut_off():
    settings = {"Limits": {"output": 2**20}, "Execute": {"grace": 30}}
    source = "import time\nwhile True:\n    print('x' * 10_000)\n    time.sleep(0.001)"
    flood, after = executed(source, "print(2)", **settings)  # faster ones are among the attacks
    assert "TooMuchOutput: this cell displayed more than 1 MiB" in {
        f"{o.ename}: {o.evalue}" for o in flood.outputs if o.output_type == "error"
    }
    assert len(text(flood)) < 2**21
    assert text(after) == "2\n"


@pytest.mark.parametrize(
    ("source", "limits", "sign"),
    [
        ("import torch; torch.zeros(10**9)", {"memory": 2**30}, "RuntimeError"),
        ("b = bytearray(3 * 2**30)", {"memory": 2**30}, "MemoryError"),
        ("open('big', 'wb').write(bytes(2**21))", {"file_size": 2**20}, "OSError"),
        ("for i in range(99): open(f'{i}', 'wb').write(bytes(2**20))", {"scratch": 2**23}, "OSE"),
        ("for i in range(999): open(f'{i}', 'wb')", {"files": 100}, "OSError"),
        ("kept = [open('/dev/null') for i in range(999)]", {"open_files": 99}, "OSError"),
        ("import os\nfor i in range(99): os.fork() or os._exit(0)", {"processes": 20}, "Block"),
    ],
)
def test_a_limit_is_an_error_in_the_cell_and_the_next_ones_run(source, limits, sign):
    over, after = executed(source, "print(2)", Limits=limits)
    assert over.outputs[-1].ename.startswith(sign), over.outputs
    assert text(after) == "2\n"


def test_processes_share_one_limit_of_memory():
    many = (
        "import os, time\n"
        "for i in range(4):\n"
        "    if os.fork() == 0:\n"
        "        kept = bytearray(os.urandom(2**20)) * 300; time.sleep(60)\n"
        "time.sleep(60)"
    )
    over, after = executed(many, "print(2)", Limits={"memory": 2**29})
    assert why(over) == "Stopped: the submission used more memory than it may use"
    assert after.outputs == []


def test_processor_time_has_a_limit():
    (cell,) = executed("while True: pass", Limits={"cpu_seconds": 2})
    assert why(cell).startswith("Stopped: the kernel died")


# What a kernel might send that is not ours


class Speaks:
    """A kernel that has sent some bytes, and may send more when it is interrupted."""

    def __init__(self, sent, later=b""):
        self.line, self._theirs = socket.socketpair()
        self.later, self.killed, self.thread = later, False, None
        self._send(sent)

    def _send(self, data):
        self.thread = Thread(target=self._try_to_send, args=(data, self.thread), daemon=True)
        self.thread.start()

    def _try_to_send(self, data, before):
        if before:
            before.join()
        with suppress(OSError):  # nobody reads any more
            self._theirs.sendall(data)

    def interrupt(self):
        self._send(self.later)

    def kill(self):
        self.killed = True


def heard(*sent, later=b"", output=2**20, cells=1):
    """Run cells in a kernel that sent this. Returns why it was stopped, and the cells."""
    kernel, outputs = Speaks(b"".join(sent), later), Outputs()
    nb = notebook(*["1"] * cells)
    with kernel.line, kernel._theirs:
        why = Run(kernel, outputs, Limits(output=output), 1, 1).cells(nb.cells)
    kernel.thread.join(5)
    outputs.end()
    assert kernel.killed == (why is not None)
    return why, nb.cells


def said(kind, number=1, cell=1, **content):
    return records.packed(kind, cell, number, content)


DONE = said(records.DONE, 2, count=1)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (records.STREAM, {"name": "stdin", "text": "x"}),
        (records.STREAM, {"name": "stdout", "text": 7}),
        (records.STREAM, {"name": [], "text": "x"}),
        (records.STREAM, {}),
        (records.DISPLAY, {"data": [], "id": None}),
        (records.DISPLAY, {"data": {}, "id": [7]}),
        (records.DISPLAY, {"data": {}}),
        (records.UPDATE, {"data": None, "id": "x"}),
        (records.UPDATE, {"data": {}, "id": None}),
        (records.RESULT, {"data": {}, "count": "x"}),
        (records.RESULT, {"data": {}, "count": None}),
        (records.ERROR, {"ename": 7, "evalue": "", "traceback": []}),
        (records.ERROR, {"ename": "", "evalue": "", "traceback": [7]}),
        (records.ERROR, {"ename": "", "evalue": "", "traceback": 7}),
        (records.CLEAR, {}),
    ],
)
def test_a_record_that_says_nothing_known_stops_the_run(kind, content):
    why, _ = heard(said(records.DISPLAY, data={}, id="x"), said(kind, 2, **content))
    assert why.startswith("what the kernel sent cannot be read: ")


@pytest.mark.parametrize(
    "text", [b"{", b"null", b"[]", b"7", b'"x"', b"\xff", b"[" * 5000, b'{"count": NaN}', b""]
)
@pytest.mark.parametrize("kind", [records.STREAM, records.DISPLAY, records.DONE])
def test_what_is_no_document_stops_the_run(kind, text):
    why, _ = heard(records.HEADER.pack(len(text), 1, 1, kind) + text)
    assert why.startswith("what the kernel sent cannot be read: ")


def test_of_a_display_what_a_notebook_may_hold_is_kept():
    nested = 7
    for _ in range(60):
        nested = [nested]
    data = {"text/plain": "x", "image/png": 7, "text/html": None, "a+json": {"x": [1]}}
    why, (cell,) = heard(
        said(records.DISPLAY, data=data | {"b+json": nested, "application/json": "s"}, id=None),
        DONE,
    )
    kept = {"text/plain": "x", "a+json": {"x": [1]}, "application/json": "s"}
    assert (why, cell.outputs[0].data, cell.outputs[0].metadata) == (None, kept, {})


def test_what_was_printed_in_a_thousand_pieces_is_one_text():
    pieces = [said(records.STREAM, n, name="stdout", text=f"{n},") for n in range(1, 101)]
    _, (cell,) = heard(*pieces, said(records.DONE, 101, count=7))
    assert text(cell) == "".join(f"{n}," for n in range(1, 101))
    assert (len(cell.outputs), cell.execution_count) == (1, 7)


@pytest.mark.parametrize(
    "sent",
    [
        said(records.STREAM, name="stdout", text="x" * 2**20),
        records.HEADER.pack(2**32 - 1, 1, 1, records.DISPLAY),
        b"".join(said(records.STREAM, n, name="stdout", text="") for n in range(1, 1100)),
        said(records.DISPLAY, data={"a+json": [[]] * 2**14}, id=None),
    ],
)
def test_more_than_a_cell_may_show_is_not_read(sent):
    why, (cell,) = heard(sent, later=b"")
    assert why == "this cell displayed more than 1 MiB"
    assert cell.outputs == []


def test_a_flood_that_an_interrupt_stops_costs_its_own_cell():
    large = said(records.STREAM, 2, name="stdout", text="x" * 2**20)
    later = said(records.DONE, 3, count=1) + said(records.DONE, 1, cell=2, count=2)
    first = said(records.STREAM, name="stdout", text="before")
    why, (flood, after) = heard(first, large, later=later, cells=2)
    assert (why, [o.ename for o in flood.outputs]) == (None, ["TooMuchOutput"])
    assert (after.outputs, after.execution_count) == ([], 2)


def test_silence_stops_the_run_when_it_was_interrupted():
    why, _ = heard(said(records.STREAM, name="stdout", text="x")[:20])
    assert why == "this cell ran longer than 1 s and could not be interrupted"


def test_a_cell_that_says_it_is_done_for_others_stops_the_run():
    why, (first, second) = heard(said(records.DONE, count=1), DONE, cells=2)
    assert first.execution_count == 1
    assert why == "this cell ran longer than 1 s and could not be interrupted"
    assert second.execution_count is None


def test_what_all_cells_show_together_has_a_limit_and_evidence_one_of_its_own():
    show = "print('x' * 900_000)"
    nb = notebook(show, show, show, "print('small')", "print('evidence')")
    nb.cells[4].metadata.nbgrader = {"grade": True, "solution": False, "grade_id": "loss"}
    cells = run(nb, b"inputs", Config({"Limits": {"outputs": 2 * 2**20}})).cells
    assert [len(text(cell)) > 900_000 for cell in cells] == [True, True, False, False, False]
    assert why(cells[2]) == "TooMuchOutput: all cells displayed more than 2 MiB"
    assert (text(cells[3]), text(cells[4])) == ("small\n", "evidence\n")


def test_evidence_of_all_cells_has_a_limit():
    nb = notebook(*["print('x' * 900_000)"] * 3)
    for cell in nb.cells:
        cell.metadata.nbgrader = {"grade": True, "solution": False, "grade_id": "loss"}
    cells = run(nb, b"inputs", Config({"Limits": {"outputs": 2 * 2**20}})).cells
    assert why(cells[2]) == "TooMuchOutput: all cells displayed more than 2 MiB"
