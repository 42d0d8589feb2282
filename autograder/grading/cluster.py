"""Where submissions run: in threads around kernels of this machine, or on a Dask cluster."""

import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from traitlets.config import Config

import autograder
from autograder.errors import UserError
from autograder.grading.course import CourseError
from autograder.grading.execute import Execute, Ran, run_all, worker_config
from autograder.grading.prepare import Prepared
from autograder.sandbox import client as kernels
from autograder.sandbox import package
from autograder.sandbox.client import KernelLost

if TYPE_CHECKING:
    from distributed import Client

AHEAD = 2  # submissions that wait for each worker
PATIENCE = 10, 60  # seconds for a Dask scheduler to answer, for its first worker to be there


@dataclass(frozen=True)
class Workers:
    """Workers, each of which runs one submission at a time."""

    executor: Executor
    count: int


@contextmanager
def connect(
    scheduler: str | None, workers: int | None, config: Config | None = None
) -> Generator[Workers]:
    """Connect to the Dask workers at an address or, without one, use this machine.

    With the `config` of what will run, this machine begins to warm up at once. Raises
    CourseError if there are no workers, or if their code is not that of this machine.
    """
    execute = Execute(config=config or Config())
    if scheduler:
        with find(scheduler) as client:
            require_same_code(client, scheduler, Path(execute.source))
            yield Workers(client.get_executor(pure=False), max(1, sum(client.nthreads().values())))
        return
    if config is not None and execute.warm:
        kernels.begin(execute.settings)
    alone = execute.user and not execute.sandbox  # kernels of one user could reach each other
    count = 1 if alone else workers or os.cpu_count() or 1
    executor = ThreadPoolExecutor(count, "submission")
    try:
        yield Workers(executor, count)
    except BaseException:  # what runs is not waited for
        executor.shutdown(wait=False, cancel_futures=True)
        kernels.close()
        raise
    finally:
        executor.shutdown()


def find(scheduler: str) -> "Client":
    """Connect to a scheduler. Raises CourseError if it does not answer."""
    from distributed import Client
    from distributed.comm import resolve_address

    try:
        return Client(resolve_address(scheduler), timeout=PATIENCE[0], set_as_default=False)
    except (OSError, ValueError) as error:
        raise CourseError(
            f"{scheduler}: no Dask scheduler answers at this address ({error}); "
            "start one with `dask scheduler`, which prints its address."
        ) from error


def require_same_code(client: "Client", scheduler: str, source: Path) -> None:
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
    workers: Workers, todo: Iterator[Prepared], config: Config
) -> Iterator[tuple[Prepared, Ran | Exception]]:
    """Run submissions, a few per worker at a time, and yield them as they finish.

    Those that were lost with the warm process run again at the end, each alone: another one that
    ran at the same time may have been at fault.
    """
    running: dict[Future, Prepared] = {}
    lost: list[Prepared] = []
    alone: set[str] = set()  # students
    config = worker_config(config)

    def submit(some: Iterable[Prepared]) -> None:
        for one in some:
            running[workers.executor.submit(run_all, one.notebooks, one.files, config)] = one

    submit(islice(todo, (1 + AHEAD) * workers.count))
    while running or lost:
        if not running:
            alone.add(lost[0].student)
            submit([lost.pop(0)])
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            prepared, error = running.pop(future), future.exception()
            submit(islice(todo, 1))
            if isinstance(error, KernelLost) and prepared.student not in alone:
                lost.append(prepared)
            elif error is None:
                yield prepared, future.result()
            elif isinstance(error, UserError) or not isinstance(error, Exception):
                raise error
            else:
                yield prepared, error
