"""Runs a notebook from top to bottom in a fresh process, as it is run when it is graded.

`run` is what others call; `main` is what the process does.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autograder import set_up
from autograder.errors import UserError
from autograder.notebook import mark, progress

SECONDS, WHOLE = 120, 1200  # that a cell may run, as when it is graded, and all of them together
ENDED = "Python itself ended"
HANDS_IN = ("check.hand_in(", "check.progress(")
# The package may be in the student's home, where Python does not look by itself.
START = f"import sys; sys.path[1:1] = sys.argv[2:]; from {__name__} import main; main(sys.argv[1])"


class NotRun(UserError):
    """A notebook cannot be run."""


class TooLong(BaseException):
    """A cell runs too long. No `except Exception` in it holds this up."""


@dataclass(frozen=True)
class Failed:
    """A cell that raised: its number among the code cells, its name if it has one, and why."""

    number: int
    name: str
    error: str
    why: str


@dataclass(frozen=True)
class Restarted:
    """What came of a run: the public checks by name, and the cells that failed."""

    checks: Mapping[str, progress.Kept] = field(default_factory=dict)
    failed: tuple[Failed, ...] = ()


def run(
    notebook: Mapping[str, Any],
    folder: Path,
    assignment: str,
    say: Callable[[int, int], None] = lambda done, total: None,
) -> Restarted:
    """Run a notebook (its JSON) in a folder. Raises NotRun.

    Cells that begin with `# not run when graded` are left out, as when it is graded. Calls `say`
    with how many cells are done, of how many.
    """
    cells = [(n, name, source) for n, name, source in _cells(notebook) if _runs(source)]
    with tempfile.TemporaryDirectory() as temporary:
        kept, ran = Path(temporary, "kept.json"), Path(temporary, "failed.json")
        environment = os.environ | {
            "NBGRADER_EXECUTION": "", "MPLBACKEND": "agg", progress.FILE: str(kept),
        }  # fmt: skip
        at_home = [place for place in set_up.at_home() if place in sys.path]
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", START, str(ran), *at_home],
            cwd=folder, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdin and process.stdout
        watch = threading.Timer(WHOLE, process.kill)
        watch.start()
        with suppress(BrokenPipeError), process.stdin as given:
            json.dump(cells, given)
        with process.stdout as told:
            for done, _ in enumerate(told, start=1):
                say(done, len(cells))
        too_long = watch.finished.is_set()  # it has rung
        watch.cancel()
        if process.wait() or not ran.exists():
            long = f"it takes longer than {WHOLE // 60} minutes"
            raise NotRun(
                f"The notebook could not be run to its end: {long if too_long else ENDED}. Restart "
                "the kernel and run all cells to see where."
            )
        failed = tuple(Failed(**one) for one in json.loads(ran.read_text()))
        return Restarted(progress.read(kept).get(assignment, {}), failed)


def _cells(notebook: Mapping[str, Any]) -> Iterator[tuple[int, str, str]]:
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(code, start=1):
        name = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", "")
        yield number, name, "".join(cell["source"])


def _runs(source: str) -> bool:
    return not mark.for_people_only(source) and not source.lstrip().startswith(HANDS_IN)


def main(result: str) -> None:
    """Run the cells that come on standard input, and write which of them failed."""
    from IPython.core.interactiveshell import InteractiveShell

    cells, told = json.load(sys.stdin), os.fdopen(os.dup(1), "w")
    for number in (1, 2):  # nobody reads what cells print
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    sys.path[0] = ""  # the notebook's folder, as in a kernel
    shell, failed = InteractiveShell.instance(), []
    shell.display_pub.publish = lambda *_, **__: None  # nobody looks
    shell.enable_gui = lambda *_, **__: None  # `%matplotlib inline` asks for it
    for number, name, source in cells:
        error = _error(shell, source)
        if error is not None:
            why = str(error).strip().splitlines()[:1]
            failed.append(Failed(number, name, type(error).__name__, why[0] if why else ""))
        print(number, file=told, flush=True)
    Path(result).write_text(json.dumps([asdict(one) for one in failed]))


def _error(shell: Any, source: str) -> BaseException | None:
    """Run a cell. Returns what it raised."""
    import signal

    def stop(*_: Any) -> None:
        raise TooLong(f"it runs longer than {SECONDS} s")

    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, stop)
        signal.alarm(SECONDS)
    try:
        result = shell.run_cell(source, store_history=True)
        return result.error_before_exec or result.error_in_exec
    except BaseException as error:  # the alarm may ring between two cells
        return error
    finally:
        if hasattr(signal, "SIGALRM"):
            signal.alarm(0)
