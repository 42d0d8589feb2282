"""The workers: found or refused in a sentence, given a few submissions at a time, ended at once."""

import signal
import subprocess
import sys
import threading
import time
from itertools import repeat
from types import SimpleNamespace

import psutil
import pytest
from distributed import Client, LocalCluster
from nbformat.v4 import new_notebook
from traitlets.config import Config

import autograder
from autograder.errors import SandboxError
from autograder.grading import cluster
from autograder.grading.course import CourseError
from autograder.grading.execute import Execute, Ran, warm_settings
from autograder.grading.notebooks import NOTES, from_bytes, to_bytes
from autograder.grading.prepare import Prepared, load_assignment, prepare
from autograder.grading.verdicts import judge_notebook
from autograder.sandbox import client as sandbox
from autograder.sandbox import package
from tests.worked_example import NAME, RIGHT, hand_in

HERE = {"processes": False, "dashboard_address": "127.0.0.1:0", "memory_limit": 0}


@pytest.fixture(scope="module")
def workers():
    """A cluster of two workers in this process."""
    with LocalCluster(n_workers=2, threads_per_worker=1, protocol="tcp://", **HERE) as found:
        yield found


@pytest.fixture
def client(workers):
    with Client(workers, set_as_default=False) as client:
        yield client


def sentence(function, *arguments):
    with pytest.raises(CourseError) as caught:
        function(*arguments)
    return str(caught.value)


# Workers elsewhere


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense", "tcp://no.such.host:8786"])
def test_a_scheduler_that_is_not_there_is_said_soon(address, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", (0.5, 0.5))
    start = time.monotonic()
    said = sentence(cluster.find, address)
    assert said.startswith(f"{address}: no Dask scheduler answers at this address (")
    assert said.endswith("start one with `dask scheduler`, which says its address.")
    assert time.monotonic() - start < 15


def test_a_scheduler_without_workers(monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", (10, 0.2))
    with LocalCluster(n_workers=0, **HERE) as none, Client(none, set_as_default=False) as client:
        assert sentence(cluster.require_same_code, client, "tcp://a:1", package.CLONE) == (
            "tcp://a:1: the scheduler has no workers; start them with "
            "`dask worker tcp://a:1 --nthreads 1`."
        )


@pytest.mark.parametrize("there", ["another digest", ModuleNotFoundError("autograder")])
def test_a_worker_with_another_version_is_refused(there):
    source = package.CLONE / "source"
    found = {"tcp://a:2": package.digest(source), "tcp://a:3": there}
    client = SimpleNamespace(wait_for_workers=lambda *_, **__: None, run=lambda *_, **__: found)
    assert sentence(cluster.require_same_code, client, "tcp://a:1", source) == (
        "the worker at tcp://a:3 has another version of the course than this machine "
        f"({autograder.__version__}); bring both to the same commit."
    )


def test_workers_at_an_address_are_connected_to_and_stay(workers):
    with cluster.connect(workers.scheduler_address, None) as client:
        assert client.submit(pow, 2, 5).result() == 32
        assert len(client.nthreads()) == 2
    with cluster.connect(workers.scheduler_address, 1) as client:
        assert client.submit(pow, 2, 6).result() == 64


# Workers here


def test_a_submission_runs_in_a_worker_that_needs_no_torch_and_nothing_of_it_is_kept(example):
    hand_in(example, "kim", RIGHT)
    assignment, config = load_assignment(example), example.course.config
    large = new_notebook(metadata={NOTES: {"unreadable": "by test"}, "ballast": "x" * 2**19})
    returned_at_once = Prepared("large", {NAME: to_bytes(large)}, b"", {}, "")
    with cluster.connect(None, 1, config) as client:
        first = prepare(assignment, "kim")
        [(prepared, ran)] = cluster.run_class(client, iter([first]), config)
        assert prepared is first and isinstance(ran, Ran)
        assert not any(client.run(lambda: "torch" in sys.modules).values())
        used = []
        for _ in cluster.run_class(client, repeat(returned_at_once, 200), config):
            used.append(psutil.Process().memory_full_info().uss)
        assert used[-1] - used[20] < 40 * 2**20  # 90 MiB were sent meanwhile
    judged = from_bytes(ran.notebooks[NAME])
    judge_notebook(judged, assignment.references)
    assert judged.cells[-1].outputs[0].data["text/plain"] == "5"


def test_new_workers_warm_up_with_what_they_will_run():
    config = Config()
    config.Limits.memory, started = 2**30, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox, "begin", lambda *settings: started.append(settings))
        exec(cluster.warm_up(config), {})
    assert started == [warm_settings(Execute(config=config))]
    assert started[0][2]["memory"] == 2**30


@pytest.mark.parametrize("config", [None, Config({"Execute": {"warm": False}})])
def test_without_warm_kernels_there_is_nothing_to_warm_up(config):
    assert cluster.warm_up(config) == ""


def test_a_worker_that_cannot_warm_up_goes_on(monkeypatch):
    def fails(*_):
        raise SandboxError("no sandbox here")

    monkeypatch.setattr(sandbox, "begin", fails)
    exec(cluster.warm_up(Config()), {})


def test_ctrl_c_is_nothing_to_a_worker():
    code = (
        "import os, signal\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\n"
        f"exec({cluster.FIRST!r})\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "print(signal.pthread_sigmask(signal.SIG_BLOCK, set()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr


# Submissions, a few at a time


def submissions(*names):
    return iter([Prepared(name, {name: b"text"}, b"files", {}, "") for name in names])


def runs(notebooks, files, config):
    """Run submissions by what they are called."""
    (name,) = notebooks
    if name == "no sandbox":
        raise SandboxError("this system cannot shut a submission in")
    if name.startswith("bad"):
        raise RuntimeError(f"{name}: no kernel today")
    time.sleep(0.2 if name == "slow" else 0)
    return Ran({name: files}, 0.0, len(config))


@pytest.fixture
def run(client, monkeypatch):
    """Return a function that runs submissions. It returns results by student, in order."""
    monkeypatch.setattr(cluster, "run_all", runs)

    def run_class(*names, config=None):
        found = cluster.run_class(client, submissions(*names), config or Config())
        return {prepared.student: result for prepared, result in found}

    return run_class


def test_each_submission_comes_back_once_with_its_own_result_as_it_is_done(run):
    names = ["slow", *(f"s{number}" for number in range(20))]
    found = run(*names)
    assert sorted(found) == sorted(names)
    assert all(result == Ran({name: b"files"}, 0.0, 0) for name, result in found.items())
    assert next(iter(found)) != "slow"


def test_what_a_submission_raises_is_its_result_and_the_others_run(run):
    found = run("one", "bad one", "two", "bad two", "three")
    assert {name: str(r) for name, r in found.items() if not isinstance(r, Ran)} == {
        "bad one": "bad one: no kernel today", "bad two": "bad two: no kernel today",
    }  # fmt: skip
    assert len(found) == 5


def test_what_is_wrong_with_this_system_ends_the_run(run):
    with pytest.raises(SandboxError, match="cannot shut a submission in"):
        run("one", "no sandbox", "two")


def test_nothing_to_run_is_nothing_run(run):
    assert run() == {}


def test_a_worker_gets_what_running_takes_and_no_more(run):
    config = Config({"Execute": {"timeout": 7}, "Autograde": {"exporter_class": Execute}})
    assert run("one", config=config)["one"].peak_memory == 1  # section


# The end


@pytest.fixture
def process():
    """A process that would go on for long, and what Dask knows of it."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process, SimpleNamespace(pid=process.pid, auto_restart=True)
    process.kill()
    process.wait()


@pytest.mark.parametrize("error", [KeyboardInterrupt, CourseError, SystemExit, GeneratorExit])
def test_if_a_run_is_cut_off_its_workers_end_at_once(error, process):
    running, nanny = process
    workers = SimpleNamespace(workers={0: SimpleNamespace(pid=2**22 + 1), 1: nanny})  # one is gone
    with pytest.raises(error), cluster.ended_at_once(workers):
        raise error
    assert running.wait(timeout=10) == -signal.SIGKILL
    assert not nanny.auto_restart


def test_if_a_run_ends_well_its_workers_end_in_their_own_time(process):
    running, nanny = process
    with cluster.ended_at_once(SimpleNamespace(workers={0: nanny})):
        pass
    assert running.poll() is None and nanny.auto_restart


def blocked():
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set())


def test_ctrl_c_waits_until_the_workers_have_started():
    with pytest.raises(KeyboardInterrupt):
        with cluster.interrupts_later():
            assert blocked()
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
            started = True
        pytest.fail("nobody was interrupted")
    assert started and not blocked()


def test_ctrl_c_is_heard_again_if_the_workers_could_not_start():
    with pytest.raises(ValueError, match="no workers"), cluster.interrupts_later():
        raise ValueError("no workers")
    assert not blocked()


def test_where_signals_cannot_wait_nothing_is_done(monkeypatch):
    monkeypatch.delattr(signal, "pthread_sigmask")
    with cluster.interrupts_later():
        entered = True
    assert entered
