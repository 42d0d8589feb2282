"""Warm kernels: fresh for each submission, shut in, and no different from ordinary ones."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest
from traitlets.config import Config

from autograder.grading.execute import Execute, run
from autograder.notebook import cases, evidence
from autograder.sandbox import client, forkserver
from autograder.sandbox.package import contents
from tests.fixtures import A1
from tests.grading.test_execute import executed, text
from tests.sandbox.test_start import ORDER, started
from tests.submissions import ROOT

TRACES = {  # what one submission does, and what another one says if it did not
    "a patched module": ("import torch; torch.mine = 1", "hasattr(torch, 'mine')", "False"),
    "a variable": ("x = 1", "'x' in globals()", "False"),
    "a module": ("import sys; sys.modules['mine'] = sys", "'mine' in sys.modules", "False"),
    "the environment": ("import os; os.environ['A'] = '1'", "'A' in os.environ", "False"),
    "a file": ("open('/scratch/a', 'w').write('1')", "os.path.exists('/scratch/a')", "False"),
    "a folder": ("os.mkdir('b')", "os.listdir('.')", "['.challenge.safetensors']"),
    "shared memory": ("open('/dev/shm/a', 'w')", "os.listdir('/dev/shm')", "[]"),
    "a random state": ("torch.manual_seed(7)", "torch.initial_seed() == 7", "False"),
    "a default": ("torch.set_default_dtype(torch.float64)", "torch.get_default_dtype()", "32"),
    "threads": ("torch.set_num_threads(7)", "torch.get_num_threads()", "1"),
    "a thread": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()",
        "[t.name for t in __import__('threading').enumerate() if '(sleep)' in t.name]", "[]",
    ),
    "a process": (
        "import subprocess; subprocess.Popen(['sleep', '99'], start_new_session=True)",
        "[n for n in os.listdir('/proc') if n.isdigit()]", "['1']",
    ),
    "a hook": (
        "get_ipython().input_transformers_post.append(lambda lines: [])",
        "len(get_ipython().input_transformers_post)", "0",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def second():
    """What a second submission sees, after a first one in the same warm process."""
    first = executed("import os, sys, torch", *(does for does, _, _ in TRACES.values()))
    hook = list(TRACES).index("a hook") + 2
    assert not [o for cell in first[:hook] for o in cell.outputs if o.output_type == "error"]
    seen = executed("import os, sys, torch", *(f"print({says})" for _, says, _ in TRACES.values()))
    return dict(zip(TRACES, map(text, seen[1:]), strict=True))


@pytest.mark.parametrize("trace", TRACES)
def test_nothing_of_one_submission_is_seen_by_the_next(second, trace):
    assert TRACES[trace][2] in second[trace]


def test_two_submissions_draw_different_numbers():
    source = "import random, numpy; print(random.random(), numpy.random.rand())"
    draws = [text(executed(source)[0]).split() for _ in range(2)]
    assert draws[0][0] != draws[1][0] and draws[0][1] != draws[1][1]


@pytest.fixture(scope="module")
def shut_in():
    """Say what a submission sees of the machine it runs on."""
    os.environ["COURSE_SECRET"] = "canary"
    try:
        (cell,) = executed(
            "import os, socket, sys\n"
            "from pathlib import Path\n"
            "names = [n for _, n in socket.if_nameindex()]\n"
            "found = [str(p) for top in ('/course', '/work', '/home', '/root', '/tmp', '/srv')\n"
            "         for p in Path(top).rglob('*') if '.venv' not in str(p) and p.is_file()]\n"
            "print(repr(dict(\n"
            "    environment=str([Path(f'/proc/{p}/environ').read_bytes()\n"
            "                     for p in os.listdir('/proc') if p.isdigit()]),\n"
            "    processes=[p for p in os.listdir('/proc') if p.isdigit()],\n"
            "    networks=names, files=found, user=os.getuid(), open_files=[\n"
            "        os.readlink(f'/proc/self/fd/{f}') for f in os.listdir('/proc/self/fd')\n"
            "        if os.path.lexists(f'/proc/self/fd/{f}')],\n"
            "    modules=sorted(m for m in sys.modules if m.startswith('autograder')),\n"
            "    writable=[t for t in ('/', '/usr', '/etc', '/course', sys.prefix)\n"
            "              if os.access(t, os.W_OK)])))"
        )
    finally:
        del os.environ["COURSE_SECRET"]
    return eval(text(cell))


def test_the_environment_of_the_grader_is_not_there(shut_in):
    assert "canary" not in shut_in["environment"]


def test_no_other_process_and_no_network_is_there(shut_in):
    assert shut_in["processes"] == ["1"]
    assert shut_in["networks"] in (["lo"], [])
    assert shut_in["user"] == 1000


def test_of_the_course_only_the_student_s_package_is_there(shut_in):
    package = {f"/course/{name}" for name in contents(ROOT / "source")}
    inside = {file for file in shut_in["files"] if not file.startswith(("/tmp/", "/scratch/"))}
    assert {file for file in inside if not file.startswith(sys.base_prefix)} == package
    secret = ("authoring", "grading", "checks")
    assert not {m for m in shut_in["modules"] if set(m.split(".")) & set(secret)}


def test_nothing_is_writable_but_the_scratch_folder(shut_in):
    assert shut_in["writable"] == []


def test_no_file_of_the_grader_is_open(shut_in):
    allowed = ("socket:", "pipe:", "anon_inode:", "/dev/null", "/proc/", "/scratch/")
    assert not [name for name in shut_in["open_files"] if not name.startswith(allowed)]


@pytest.mark.parametrize("settings", [{"warm": True}, {"warm": False}])
def test_without_a_sandbox_the_evidence_is_the_same(solved, settings):
    challenge = cases.challenge(cases.load_references(ROOT / "source" / A1))
    shut_in, free = (
        [
            evidence.from_output(data)
            for cell in run(solved.copy(), challenge, Config(Execute=chosen)).cells
            for data in evidence.in_cell(cell)
        ]
        for chosen in ({}, {"sandbox": False, **settings})
    )
    assert len(free) == 18
    for (name, outcomes), (other, others) in zip(shut_in, free, strict=True):
        assert name == other
        assert repr(outcomes) == repr(others)


def test_a_new_warm_process_is_started_when_the_old_one_has_died():
    assert text(executed("print(1)")[0]) == "1\n"
    process = client.begin(Execute().settings)
    process.process.kill()
    process.process.wait()
    assert text(executed("print(2)")[0]) == "2\n"


REQUEST = {"sandbox": True, "limits": dict.fromkeys(("memory", "scratch", "files"), 2**30)}


@pytest.mark.parametrize(
    "message, descriptors",
    [
        (b"no JSON", 3), (b"\xff\x00", 3), (b"[]", 3), (b"{}", 3), (b'{"sandbox": true}', 3),
        (b'{"sandbox": true, "limits": {"memory": "much"}}', 3),
        (b'{"sandbox": true, "limits": []}', 3), (b"[" * 60_000, 3),
        *[(json.dumps(REQUEST).encode(), number) for number in (0, 1, 2, 7)],
    ],
)  # fmt: skip
def test_the_warm_process_survives_any_message(message, descriptors):
    assert text(executed("print(1)")[0]) == "1\n"
    process = client.begin(Execute().settings)
    open_before = len(os.listdir(f"/proc/{process.process.pid}/fd"))
    with ExitStack() as stack:
        given = [stack.enter_context(open(os.devnull)).fileno() for _ in range(descriptors)]
        socket.send_fds(process.control, [message], given)
    time.sleep(0.1)  # without descriptors it would be one message with the next
    assert text(executed("print(2)")[0]) == "2\n"
    assert client.begin(Execute().settings) is process and process.alive
    assert len(os.listdir(f"/proc/{process.process.pid}/fd")) == open_before


# The process itself, without a notebook


@pytest.mark.parametrize(
    "code, said",
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        (
            "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True, "
            "name='mine').start()",
            "an imported module started 1 threads (MainThread, mine), so nothing can be forked",
        ),
    ],
)
def test_a_lesson_that_cannot_be_imported_before_the_fork_is_named(code, said, tmp_path):
    lesson = tmp_path / "source" / "a0_course" / "lesson"
    lesson.mkdir(parents=True)
    (lesson / "plots.py").write_text(code)
    module = {"preload": ["from autograder.assignments.a0_course.lesson import plots"]}
    line, status, _ = started(
        ORDER | module | {"sandbox": False, "source": str(tmp_path / "source")}
    )
    assert said in json.loads(line)["error"]
    assert status == 0


@pytest.fixture
def family():
    """A process with a child, both asleep."""
    with subprocess.Popen(["sh", "-c", "sleep 60 & wait"]) as parent:
        while len(list(forkserver.descendants(parent.pid))) < 2:
            time.sleep(0.01)
        family = list(forkserver.descendants(parent.pid))
        yield family
        for process in family:
            os.kill(process, signal.SIGKILL)


def test_what_a_kernel_started_is_found_and_nothing_else(family):
    parent, child = family
    assert list(forkserver.descendants(child)) == [child]
    assert set(family) <= set(forkserver.descendants(os.getpid()))
    assert os.getpid() not in forkserver.descendants(parent)


def test_the_memory_of_a_family_is_counted_once_and_its_peak_kept(family):
    kernel = forkserver.Kernel(family[0], handle=-1, line=None, before=0, most=0)
    used = forkserver.watch(kernel)
    assert 0 < used < 2**24
    assert 0 < kernel.peak <= used
    kernel.peak = 2**30
    forkserver.watch(kernel)
    assert kernel.peak == 2**30


def test_a_process_that_is_gone_uses_no_memory():
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    assert (
        forkserver.watch(forkserver.Kernel(gone.pid, handle=-1, line=None, before=0, most=0)) == 0
    )
