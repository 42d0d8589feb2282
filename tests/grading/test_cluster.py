"""The workers: found or refused in a sentence, given a few submissions at a time, ended at once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
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
from autograder.grading.execute import Execute, Ran
from autograder.grading.notebooks import NOTES, from_bytes, is_autograded, to_bytes
from autograder.grading.prepare import Prepared, load_assignment, prepare
from autograder.grading.verdicts import judge_notebook
from autograder.sandbox import client as kernels
from autograder.sandbox import package
from tests.worked_example import NAME, RIGHT, hand_in

HERE = {"processes": False, "dashboard_address": "127.0.0.1:0", "memory_limit": 0}


@pytest.fixture(scope="module")
def workers():
    """A cluster of two workers in this process."""
    with LocalCluster(n_workers=2, threads_per_worker=1, protocol="tcp://", **HERE) as found:
        yield found


@pytest.fixture(params=["threads", "Dask"])
def some(request, workers):
    """Two workers, of either kind."""
    if request.param == "threads":
        with ThreadPoolExecutor(2) as executor:
            yield cluster.Workers(executor, 2)
    else:
        with Client(workers, set_as_default=False) as client:
            yield cluster.Workers(client.get_executor(pure=False), 2)


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
    assert said.endswith("start one with `dask scheduler`, which prints its address.")
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
    with cluster.connect(workers.scheduler_address, None) as found:
        assert found.executor.submit(pow, 2, 5).result() == 32
        assert found.count == 2
    with cluster.connect(workers.scheduler_address, 1) as found:
        assert found.executor.submit(pow, 2, 6).result() == 64


# Workers here


def test_a_submission_runs_and_nothing_of_it_is_kept(example, some):
    hand_in(example, "kim", RIGHT)
    assignment, config = load_assignment(example), example.course.config
    large = new_notebook(metadata={NOTES: {"unreadable": "by test"}, "ballast": "x" * 2**19})
    returned_at_once = Prepared("large", {NAME: to_bytes(large)}, b"", {}, "")
    first = prepare(assignment, "kim")
    [(prepared, ran)] = cluster.run_class(some, iter([first]), config)
    assert prepared is first and isinstance(ran, Ran)
    used = []
    for _ in cluster.run_class(some, repeat(returned_at_once, 200), config):
        used.append(psutil.Process().memory_full_info().uss)
    if isinstance(some.executor, ThreadPoolExecutor):
        assert used[-1] - used[20] < 40 * 2**20  # 90 MiB were sent meanwhile
    else:  # whose scheduler is in this process, and keeps a log
        assert len(some.executor._client.futures) <= 8  # of 201
    judged = from_bytes(ran.notebooks[NAME])
    judge_notebook(judged, assignment.references)
    (check,) = [cell for cell in judged.cells if is_autograded(cell)]
    assert check.outputs[0].data["text/plain"] == "5"


@pytest.fixture
def begun(monkeypatch):
    """What was told to warm up, and `None` when all was ended."""
    begun = []
    monkeypatch.setattr(kernels, "begin", begun.append)
    monkeypatch.setattr(kernels, "close", lambda: begun.append(None))
    return begun


def test_this_machine_warms_up_with_what_it_will_run(begun):
    config = Config({"Execute": {"preload": ["json"]}})
    with cluster.connect(None, 3, config) as found:
        assert begun == [Execute(config=config).settings]
        assert (found.count, begun[0].preload[-1]) == (3, "import json")
    assert len(begun) == 1


@pytest.mark.parametrize("config", [None, Config({"Execute": {"warm": False}})])
def test_without_warm_kernels_there_is_nothing_to_warm_up(config, begun):
    with cluster.connect(None, None, config) as found:
        assert found.count >= 1
    assert begun == []


# Submissions, a few at a time


def submissions(*names):
    return iter([Prepared(name, {name: b"text"}, b"files", {}, "") for name in names])


attempts = []


def runs(notebooks, files, config):
    """Run submissions by what they are called."""
    (name,) = notebooks
    if name == "no sandbox":
        raise SandboxError("this system cannot shut a submission in")
    if (
        name.startswith("lost")
        and not attempts.append(name)
        and attempts.count(name) <= int(name[5:])
    ):
        raise kernels.KernelLost("the process that kernels come from has ended")
    if name.startswith("bad"):
        raise RuntimeError(f"{name}: no kernel today")
    time.sleep(0.2 if name == "slow" else 0)
    return Ran({name: files}, 0.0, len(config))


@pytest.fixture
def run(some, monkeypatch):
    """Return a function that runs submissions. It returns results by student, in order."""
    monkeypatch.setattr(cluster, "run_all", runs)

    def run_class(*names, config=None):
        found = cluster.run_class(some, submissions(*names), config or Config())
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


def test_what_was_lost_runs_once_more(run):
    attempts.clear()
    found = run("lost 1", "one", "lost 2")
    assert isinstance(found["lost 1"], Ran) and isinstance(found["one"], Ran)
    assert isinstance(found["lost 2"], kernels.KernelLost)
    assert sorted(attempts) == ["lost 1", "lost 1", "lost 2", "lost 2"]


together, seen = [], []


def counted(notebooks, files, config):
    """Run a submission, and remember how many ran at that time."""
    together.append(1)
    time.sleep(0.01)
    seen.append((*notebooks, len(together)))
    try:
        return runs(notebooks, files, config)
    finally:
        together.pop()


def test_what_was_lost_runs_alone_when_all_else_has_run(run, monkeypatch):
    """Innocent ones that ran beside one which kills what it comes from keep their points."""
    attempts.clear()
    seen.clear()
    monkeypatch.setattr(cluster, "run_all", counted)
    found = run("lost 1", "lost 3", *(f"s{number}" for number in range(20)))
    assert sorted(list(found)[-2:]) == ["lost 1", "lost 3"]
    assert sorted(seen[-2:]) == [("lost 1", 1), ("lost 3", 1)]
    assert [name for name, one in found.items() if not isinstance(one, Ran)] == ["lost 3"]


# The end


@pytest.mark.parametrize("error", [KeyboardInterrupt, CourseError, SystemExit, GeneratorExit])
def test_if_a_run_is_cut_off_its_kernels_end_and_nothing_new_begins(error, monkeypatch):
    ended, ran = threading.Event(), []
    monkeypatch.setattr(kernels, "close", ended.set)
    with pytest.raises(error), cluster.connect(None, 1) as found:
        found.executor.submit(lambda: ran.append(ended.wait(10)))  # as a kernel that runs
        waits = found.executor.submit(ran.append, "next")
        raise error
    assert waits.cancelled() and ran == [True]


@pytest.mark.parametrize("sandbox, count", [(False, 1), (True, 3)])
def test_kernels_that_share_a_user_run_one_at_a_time(sandbox, count):
    execute = {"user": 61009, "sandbox": sandbox, "warm": False}
    with cluster.connect(None, 3, Config({"Execute": execute})) as found:
        assert found.count == found.executor._max_workers == count
