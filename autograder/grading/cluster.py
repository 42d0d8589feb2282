"""Where submissions run: Dask workers on this machine, or on others."""

import logging
import os
import signal
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from multiprocessing import resource_tracker
from pathlib import Path

import dask
import psutil
from distributed import Client, Future, LocalCluster, as_completed
from distributed.comm import resolve_address
from traitlets.config import Config

import autograder
from autograder.errors import UserError
from autograder.grading.course import CourseError
from autograder.grading.execute import Execute, Ran, run_all, warm_settings, worker_config
from autograder.grading.prepare import Prepared
from autograder.sandbox import package

CONFIG = {
    # Dask samples what its workers do, a hundred times a second: half of what they would do here
    "distributed.worker.profile.enabled": False,
    # and keeps the last thousand messages, each with a submission in it
    "distributed.admin.low-level-log-length": 4,
}
AHEAD = 2  # submissions that wait at a worker for their turn
PATIENCE = 10, 60  # seconds for a Dask scheduler to answer, for its first worker to be there
# What a worker does first: Ctrl-C is for the process that started it and will stop it. And it
# does without a grammar of addresses that jsonschema would build, in 2 s, for nobody.
FIRST = """
import signal
import sys
sys.modules.setdefault("rfc3987_syntax", None)
signal.signal(signal.SIGINT, signal.SIG_IGN)
if hasattr(signal, "pthread_sigmask"):
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
"""
WARM_UP = """
from contextlib import suppress
from pathlib import Path
from autograder.sandbox import client
with suppress(Exception):  # the first submission will say what is wrong
    client.begin(*{settings!r}, Path({source!r}))
"""


@contextmanager
def connect(
    scheduler: str | None, workers: int | None, config: Config | None = None
) -> Generator[Client]:
    """Connect to the workers at an address or, without one, to new ones on this machine.

    With the `config` of what they will run, new ones begin to warm up at once.
    Raises CourseError if there are none, or if their code is not that of this machine.
    """
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(CONFIG))
        if scheduler:
            client = stack.enter_context(find(scheduler))
            require_same_code(client, scheduler, Path(Execute(config=config or Config()).source))
        else:
            with interrupts_later():
                cluster = stack.enter_context(LocalCluster(
                    n_workers=workers or os.cpu_count(), threads_per_worker=1,
                    dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False},
                    security=True, memory_limit=0, silence_logs=logging.CRITICAL,
                    preload=[FIRST + warm_up(config)],
                ))  # fmt: skip
                stack.enter_context(ended_at_once(cluster))
            client = stack.enter_context(Client(cluster, set_as_default=False))
        yield client


def warm_up(config: Config | None) -> str:
    """Write what lets a worker start its warm process while it starts itself."""
    execute = Execute(config=config or Config())
    if config is None or not execute.warm:
        return ""
    *settings, source = warm_settings(execute)
    return WARM_UP.format(settings=settings, source=str(source))


@contextmanager
def ended_at_once(cluster: LocalCluster) -> Generator[None]:
    """If a run is cut off, kill its workers instead of waiting for what they do."""
    try:
        yield
    except BaseException:
        for nanny in cluster.workers.values():
            nanny.auto_restart = False
            with suppress(psutil.NoSuchProcess):
                psutil.Process(nanny.pid).kill()
        raise


@contextmanager
def interrupts_later() -> Generator[None]:
    """Let Ctrl-C wait. Threads and processes that start meanwhile never hear of it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # starting it would let interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def find(scheduler: str) -> Client:
    """Connect to a scheduler. Raises CourseError if it does not answer."""
    try:
        return Client(resolve_address(scheduler), timeout=PATIENCE[0], set_as_default=False)
    except (OSError, ValueError) as error:
        raise CourseError(
            f"{scheduler}: no Dask scheduler answers at this address ({error}); "
            "start one with `dask scheduler`, which says its address."
        ) from error


def require_same_code(client: Client, scheduler: str, source: Path) -> None:
    """Raise CourseError unless every worker has the course's code, of this version."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE[1])
    except TimeoutError:
        raise CourseError(
            f"{scheduler}: the scheduler has no workers; start them with "
            f"`dask worker {scheduler} --nthreads 1`."
        ) from None
    here = package.digest(source)
    for address, there in client.run(package.digest, source, on_error="return").items():
        if there != here:
            raise CourseError(
                f"the worker at {address} has another version of the course than this machine "
                f"({autograder.__version__}); bring both to the same commit."
            )


def run_class(
    client: Client, todo: Iterator[Prepared], config: Config
) -> Iterator[tuple[Prepared, Ran | Exception]]:
    """Run submissions on a cluster, a few a worker at a time, and yield them as they come."""
    running: dict[Future, Prepared] = {}
    config = worker_config(config)
    done = as_completed(loop=client.loop)

    def submit(prepared: Prepared) -> None:
        future = client.submit(run_all, prepared.notebooks, prepared.files, config, pure=False)
        running[future] = prepared
        done.add(future)

    at_once = (1 + AHEAD) * max(1, sum(client.nthreads().values()))
    for prepared in islice(todo, at_once):
        submit(prepared)
    for future in done:
        if (following := next(todo, None)) is not None:
            submit(following)
        prepared = running.pop(future)
        try:
            result = future.result()
        except UserError:
            raise
        except Exception as error:
            result = error
        future.release()
        yield prepared, result
