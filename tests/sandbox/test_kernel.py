"""A kernel on a socket, in a process of its own; what it shows is compared in test_fidelity."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell

from autograder.sandbox import kernel, records
from tests.submissions import ROOT

CODE = "import socket, sys; from autograder.sandbox import kernel; kernel.warm_up(dict("
CODE += (
    "environment={}, sandbox=True, preload=[])); kernel.run(socket.socket(fileno=int(sys.argv[1])))"
)


class Speaker:
    """The other end of a kernel's line."""

    def __init__(self, line, process):
        self.reader, self.process, self.cell = records.Reader(line), process, 0

    def begin(self, source):
        self.cell += 1
        self.reader.begin(self.cell)
        self.reader.ask(source, time.monotonic() + 10)

    def rest(self):
        """Return all that the cell shows from now on, as (kind, content)."""
        found = []
        while not found or found[-1][0] != records.DONE:
            kind, content = self.reader.next(time.monotonic() + 20, 2**24)
            found.append((kind, json.loads(content)))
        return found

    def run(self, source):
        self.begin(source)
        return self.rest()[:-1]

    def text(self, source):
        return "".join(c["text"] for kind, c in self.run(source) if kind == records.STREAM)


@pytest.fixture(scope="module")
def speaker(tmp_path_factory):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, str(theirs.fileno())], pass_fds=[theirs.fileno()],
            cwd=tmp_path_factory.mktemp("kernel"), env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        theirs.close()
        yield Speaker(ours, process)
    assert process.wait(10) == 0  # for nobody speaks to it any more


def test_every_setting_is_one_that_a_shell_has():
    """traitlets takes any other without a word."""
    known = {one.__name__: one.class_trait_names(config=True) for one in
             (InteractiveShell, HistoryManager)}  # fmt: skip
    assert all(name in known[kind] for kind, names in kernel.CONFIG.items() for name in names)


def test_cells_are_counted_and_share_their_names(speaker):
    assert speaker.run("x = 7") == []
    (kind, content), *_ = speaker.run("x + 1")
    assert (kind, content["data"], content["count"]) == (records.RESULT, {"text/plain": "8"}, 2)
    speaker.begin("pass")
    assert speaker.rest() == [(records.DONE, {"count": 3})]


def test_what_is_printed_is_sent_when_there_is_more_of_it_or_something_else(speaker):
    shown = speaker.run(
        "import sys\nprint(1)\nprint(2)\nsys.stderr.write('e')\nprint(3)\ndisplay(4)"
    )
    assert [(kind, c.get("text")) for kind, c in shown] == [
        (records.STREAM, "1\n2\n"), (records.STREAM, "e"), (records.STREAM, "3\n"),
        (records.DISPLAY, None),
    ]  # fmt: skip
    assert len(speaker.run("for i in range(3000): print(i)")) == 2


def test_what_programs_print_comes_in_its_turn(speaker):
    source = (
        "import os, subprocess, sys\nprint('a')\nsubprocess.run(['echo', 'b'])\nprint('c')\n"
        "os.system('echo d >&2')\nos.write(1, b'e\\n');"
    )
    assert [c["text"] for _, c in speaker.run(source)] == ["a\nb\nc\ne\n", "d\n"]


def test_programs_do_not_have_the_line(speaker):
    assert "fd" in (listed := speaker.text("!ls -l /proc/self/fd"))
    assert "socket" not in listed


def test_half_a_character_waits_for_the_other_half(speaker):
    assert speaker.text("os.write(1, 'é'.encode()[:1]); print(end='')") == ""
    assert speaker.text("os.write(1, 'é'.encode()[1:])") == "é"


def test_a_process_that_a_cell_forks_prints_and_says_nothing_else(speaker):
    source = (
        "if os.fork() == 0:\n    print('child')\n    display(7)\nelse:\n    os.wait()\n"
        "    print('parent')"
    )
    assert speaker.text(source) == "child\nparent\n"
    assert speaker.text("print('alone')") == "alone\n"


def test_a_thread_that_goes_on_prints_in_the_next_cell(speaker):
    source = (
        "import threading, time\n"
        "def late():\n    time.sleep(0.2)\n    print('late')\n"
        "thread = threading.Thread(target=late)\nthread.start()"
    )
    assert speaker.text(source) == ""
    assert speaker.text("thread.join()") == "late\n"


@pytest.mark.parametrize(
    "source", ["while True: pass", "import time; time.sleep(60)", "while True: print('x')",
               "import asyncio; await asyncio.sleep(60)", "while True: display(1)"],
)  # fmt: skip
def test_an_interrupt_ends_a_cell_between_two_records(speaker, source):
    speaker.run("import asyncio, time")  # an interrupt in the middle of an import breaks it
    for _ in range(3):
        speaker.begin(source)
        time.sleep(0.1)
        speaker.process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in str(speaker.rest()[-2])


def test_an_interrupt_between_two_cells_is_nobody_s(speaker):
    speaker.process.send_signal(signal.SIGINT)
    assert speaker.text("print('here')") == "here\n"


@pytest.mark.parametrize("source", ["quit()", "exit()", "quit", "exit"])
def test_who_quits_ends_a_cell(speaker, source):
    [(kind, content)] = speaker.run(source)
    assert (kind, content["ename"], content["evalue"]) == (records.ERROR, "SystemExit", kernel.QUIT)


@pytest.mark.parametrize(
    "source", ["input()", "import getpass; getpass.getpass()", "breakpoint()", "1 / 0\n", "%debug"]
)
def test_nobody_answers(speaker, source):
    shown = speaker.run(source)
    if "/" not in source:
        assert shown[-1][1]["evalue"] == kernel.NOBODY
    assert speaker.text("import sys; print(repr(sys.stdin.read()))") == "''\n"


def test_an_error_that_cannot_be_printed_is_an_error(speaker):
    source = "class Bad(Exception):\n    def __str__(self): return 1 / 0\nraise Bad"
    [*_, (kind, _)] = speaker.run(source)
    assert kind == records.ERROR


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("display({'application/json': float('nan')}, raw=True)", "ValueError"),
        ("display({'application/json': {1, 2}}, raw=True)", "TypeError"),
        ("sys.stdout.write(7)", "TypeError"),
    ],
)
def test_what_cannot_be_shown_is_an_error_in_its_cell(speaker, source, error):
    [(kind, content)] = speaker.run(source)
    assert (kind, content["ename"]) == (records.ERROR, error)
    assert speaker.text("print('here')") == "here\n"


def test_half_a_surrogate_pair_is_a_question_mark(speaker):
    assert speaker.text("print('\\ud800')") == "?\n"


def test_where_a_kernel_starts_is_known_to_the_shell(speaker):
    assert (
        speaker.text("print(get_ipython().starting_dir == os.getcwd() == str(_dh[0]))") == "True\n"
    )


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("import json", ""),
        ("from json import no_such", ""),  # not everybody has everything in every version
        ("import no_such_module", ""),
        ("import autograder.no_such", "autograder.no_such cannot be imported: ModuleNotFound"),
        ("from data_scripts import x", "data_scripts cannot be imported: ImportError: "),
    ],
)
def test_of_what_cannot_be_imported_ours_is_named(statement, problem):
    said = kernel.preload(["import sys", statement, "import os"])
    assert said.startswith(problem) and bool(said) is bool(problem)
