"""What a notebook calls.

``check.public(name, function)`` runs the public cases at once and draws a table.
``check.hidden(name, function)`` runs the hidden cases of a challenge, when there is
one, and records what came back as evidence for the judge. It knows no right answer.
"""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from IPython import get_ipython
from IPython.display import display

from autograder import CHALLENGE_FILE, assignments
from autograder.errors import UserError
from autograder.notebook import cases, evidence, table
from autograder.notebook.by_hand import by_hand
from autograder.notebook.cases import Case, RecordedCheck
from autograder.notebook.evidence import Outcome, clip
from autograder.notebook.judge import judge
from autograder.notebook.stubs import Stub


class CheckFailed(UserError):
    """A public check failed while `nbgrader validate` was running."""


class UnknownCheck(UserError):
    """A notebook asks for a check that its assignment does not have."""


class NotJudged(UserError):
    """A hidden check ran; its evidence is worth points only after a judge has seen it."""


class Checker:
    """The checks of one assignment.

    >>> check = Checker("a1_two_layer_net")
    >>> check.public("forward_scores", nn_forward_pass)
    """

    def __init__(self, assignment: str) -> None:
        self.assignment = assignment

    def public(self, name: str, function: Callable[..., Any]) -> None:
        """Run the public cases of a check and draw what was found.

        Raises CheckFailed under `nbgrader validate`, and nothing anywhere else: a
        failed check is a table to read. When the notebook is graded, the verdict on
        the hidden cases takes the place of this table, so nothing is run.
        """
        mode = os.environ.get("NBGRADER_EXECUTION")
        if mode == "autograde":
            return
        check = self._check(cases.load_public(assignments.find(self.assignment)), name)
        verdict = judge(check, observe_check(check, function), reveal=True)
        display(table.bundle(verdict), raw=True)
        if mode == "validate" and verdict.fraction < 1:
            raise CheckFailed(f"{name}: {verdict.reason}")

    def hidden(self, name: str, function: Callable[..., Any]) -> None:
        """Run the hidden cases of a check and record the outcomes in the cell's output.

        Always ends in NotJudged, so that a grader without the judge gives no points.
        Raises EvidenceTooLarge if the function returned more than a cell may record.
        """
        path = _starting_directory() / CHALLENGE_FILE
        if not path.exists():
            raise NotJudged(f"{name}: hidden cases are only there when a grader provides them.")
        check = self._check(_challenge(path), name)
        output = evidence.to_output(name, observe_check(check, function))
        display({evidence.MIME: output}, raw=True)
        raise NotJudged(f"{name}: recorded, and not judged; see nbgrader_config.py of the course.")

    def _check(self, checks: dict[str, RecordedCheck], name: str) -> RecordedCheck:
        try:
            return checks[name]
        except KeyError:
            raise UnknownCheck(
                f"{self.assignment} has no check {name!r}; it has {', '.join(checks)}."
            ) from None


def observe_check(check: RecordedCheck, function: Callable[..., Any]) -> dict[str, Outcome]:
    """Call a function on every case of a check."""
    return {case.name: observe_case(check, case, function) for case in check.cases}


def observe_case(check: RecordedCheck, case: Case, function: Callable[..., Any]) -> Outcome:
    """Call a function on a fresh copy of a case's inputs and record what came of it."""
    inputs = {name: _fresh(value) for name, value in case.inputs.items()}
    guard = by_hand() if check.by_hand else nullcontext()
    try:
        with _own_random_numbers(), guard:
            returned = function(*inputs.values())
    except (Exception, SystemExit) as error:
        return Outcome(raised=_in_words(error))
    root = {"return": returned, "after": inputs}
    leaves = {name: evidence.find(root, path) for name, path in check.records.items()}
    return Outcome(leaves, modified=tuple(_differences(case.inputs, inputs)))


def _in_words(error: BaseException) -> str:
    try:
        return clip(f"{type(error).__name__}: {error}")
    except Exception:  # its own __str__ raised
        return clip(type(error).__name__)


@contextmanager
def _own_random_numbers() -> Generator[None]:
    """Start torch's CPU generator afresh, and leave the notebook's as it was."""
    generator = torch.default_generator  # torch.manual_seed takes 2 ms: it seeds every device
    state = generator.get_state()
    generator.manual_seed(0)
    try:
        yield
    finally:
        generator.set_state(state)


@lru_cache(maxsize=1)
def _challenge(path: Path) -> dict[str, RecordedCheck]:
    return cases.from_bytes(path.read_bytes())


def _fresh(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _fresh(item) for key, item in value.items()}
    return value.function() if isinstance(value, Stub) else value


def _differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Name the inputs that are no longer what they were: `X`, `params.W1`."""
    if isinstance(before, torch.Tensor):
        found = evidence.observe(after)
        if found.kind != "tensor" or found.tensor is None or not torch.equal(before, found.tensor):
            yield path
    elif isinstance(before, dict):
        after = after if isinstance(after, dict) else {}
        for key in [*before, *(key for key in after if key not in before)]:
            inner = f"{path}.{key}".lstrip(".")
            if key in before:
                yield from _differences(before[key], after.get(key), inner)
            else:
                yield inner


def _starting_directory() -> Path:
    """Return the folder the kernel was started in, wherever the notebook has gone since."""
    shell = get_ipython()
    return Path(shell.starting_dir if shell is not None else Path.cwd())
