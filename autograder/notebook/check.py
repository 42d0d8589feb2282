"""What a notebook calls.

``check.public(name, function)`` runs the public cases at once and draws a table.
``check.hidden(name, function)`` runs the hidden cases of a challenge, when there is
one, and records what came back as evidence for the judge. It knows no right answer.

What a student writes need not be a function of tensors: it may be a class, a module, or
two functions that work together. Then the assignment's ``lesson/adapters.py`` has a function
with the name of the check, which gets what the student wrote, followed by a case's inputs.
"""

import inspect
import os
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from IPython import get_ipython
from IPython.display import Code, display

from autograder import CHALLENGE_FILE, __version__, assignments
from autograder.errors import UserError
from autograder.notebook import artifacts, cases, evidence, hand_in, manners, mark, progress, table
from autograder.notebook.artifacts import REAL, WRONG_DATA, trained_on
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
        self._seen: dict[tuple, tuple[Any, Outcome]] = {}
        self._cell = 0  # in which it was seen
        if shell := get_ipython():
            _Name.keep(shell, self)
            mode = os.environ.get("NBGRADER_EXECUTION")
            if mode == "validate":
                mark.leave_out(shell)
            elif not mode:
                manners.mind(shell)

    def public(self, name: str, function: Callable[..., Any], *more: Callable[..., Any]) -> None:
        """Run the public cases of a check on what a student wrote, and draw what was found.

        Raises CheckFailed under `nbgrader validate`, and nothing anywhere else: a
        failed check is a table to read. When the notebook is graded, the verdict on
        the hidden cases takes the place of this table, so nothing is run.
        """
        mode = os.environ.get("NBGRADER_EXECUTION")
        if mode == "autograde":
            return
        check = self._check(cases.load_public(assignments.find(self.assignment)), name)
        called = calls(self.assignment, name, (function, *more))
        artifacts.loaded()  # by whatever ran before
        verdict = judge(check, observe_check(check, called), reveal=True)
        for file in artifacts.loaded():
            if verdict.fraction < 1 and trained_on(Path(file), self.assignment) == REAL:
                hint = f"what is in {file} was {WRONG_DATA}."
                verdict = replace(verdict, hint=hint, certain=True)
        if not mode:
            progress.keep(self.assignment, verdict)
        _show(table.bundle(verdict))
        if mode == "validate" and verdict.fraction < 1:
            raise CheckFailed(f"{name}: {verdict.reason}")

    def set_up(self, device: str, data: str) -> None:
        """Say in one line what a notebook works with, unless a grader runs it."""
        if os.environ.get("NBGRADER_EXECUTION") != "autograde":
            said = __version__, self.assignment, device, data, f"files in {Path.cwd()}"
            print(f"Gradient Check {' · '.join(said)}")

    def hand_in(self, student: str = "") -> None:
        """Show what you would hand in and what is missing, and write it into one zip.

        The notebook runs from top to bottom in a fresh process first, as it will when it is
        graded. `student` is the name to write into the zip, if nobody else knows it.
        """
        if os.environ.get("NBGRADER_EXECUTION"):
            return
        folder = Path.cwd()
        try:
            looked = hand_in.look(hand_in.find(self.assignment, folder), folder, _say)
        except UserError as problem:
            print(*problem.sentences, sep="\n")
            return
        _show(looked.grid().bundle())
        try:
            path = hand_in.write(looked, folder, student)
        except UserError as problem:
            print(*problem.sentences, sep="\n")
            return
        when = ""
        if saved := looked.notebook.path:
            when = f" as you saved it at {datetime.fromtimestamp(saved.stat().st_mtime):%H:%M}"
        print(f"Hand in {path.name}: the notebook{when}, and its files.")

    def progress(self) -> None:
        """Show how far you are with each assignment of the course."""
        if not os.environ.get("NBGRADER_EXECUTION"):
            _show(progress.show(Path.cwd()).bundle())

    def show_code(self, name: str) -> None:
        """Show how a check calls what a student wrote."""
        self._check(cases.load_public(assignments.find(self.assignment)), name)
        if adapter := adapter_of(self.assignment, name):
            display(Code(inspect.getsource(adapter), language="python"))
        else:
            print(f"{name} calls your function with the inputs of each case.")

    def hidden(self, name: str, function: Callable[..., Any], *more: Callable[..., Any]) -> None:
        """Run the hidden cases of a check and record the outcomes in the cell's output.

        Always ends in NotJudged, so that a grader without the judge gives no points.
        Raises EvidenceTooLarge if the function returned more than a cell may record.
        """
        path = _starting_directory() / CHALLENGE_FILE
        if not path.exists():
            raise NotJudged(f"{name}: hidden cases are there only when a grader provides them.")
        checks, asked = _challenge(path)
        check = self._check(checks, name)
        self._forget_unless_only_checks_ran()
        outcomes = {
            case.name: _named(self._observed(case, (function, *more), check, asked), check)
            for case in check.cases
        }
        output = evidence.to_output(name, outcomes)
        display({evidence.MIME: output}, raw=True)
        raise NotJudged(f"{name}: recorded, but not judged; see nbgrader_config.py of the course.")

    def _observed(
        self, case: Case, written: tuple[Callable, ...], check: RecordedCheck, asked: Mapping
    ) -> Outcome:
        """Call a function on a case, once for all the checks that ask for parts of its result."""
        inputs = check.by_hand, _identity(case.inputs)
        key = adapter_of(self.assignment, check.name), *map(id, written), inputs
        if key not in self._seen:
            called = calls(self.assignment, check.name, written)
            seen = observe_call(case, called, asked[inputs], check.by_hand)
            self._seen[key] = written, seen  # and so they keep their ids
        return self._seen[key][1]

    def _forget_unless_only_checks_ran(self) -> None:
        """Forget what functions did when a cell may have changed what they do."""
        try:
            shell = get_ipython()
            count, lines = shell.execution_count, shell.user_ns["In"][-1].splitlines()
        except Exception:  # there is no notebook, or its cells have these names for something else
            count, lines = 0, [""]
        only_checks = all(line.startswith(("check.", "#")) or not line for line in lines)
        if not count or not only_checks or count - self._cell not in (0, 1):
            self._seen.clear()
        self._cell = count if only_checks else 0

    def _check(self, checks: dict[str, RecordedCheck], name: str) -> RecordedCheck:
        try:
            return checks[name]
        except KeyError:
            raise UnknownCheck(
                f"{self.assignment} has no check {name!r}; it has {', '.join(checks)}."
            ) from None


class _Name:
    """Lends the name `check` to a checker in cells that call it, if a student's cell has taken it.

    A notebook has one pair of hooks, even if the cell that makes the checker runs again.
    """

    hooks: "_Name | None" = None

    def __init__(self, shell: Any, checker: Checker) -> None:
        self.names, self.taken, self.checker = shell.user_ns, {}, checker
        shell.events.register("pre_run_cell", self.lend)
        shell.events.register("post_run_cell", self.give_back)

    @classmethod
    def keep(cls, shell: Any, checker: Checker) -> None:
        """Remember the latest checker of a notebook."""
        if cls.hooks is None or cls.hooks.names is not shell.user_ns:
            cls.hooks = cls(shell, checker)
        cls.hooks.checker = checker

    def lend(self, info: Any) -> None:
        """Put the checker in the place of what has its name."""
        calls = info.raw_cell.startswith(("check.public(", "check.hidden("))
        if calls and not isinstance(self.names.get("check"), Checker):
            self.taken = {name: self.names[name] for name in ("check",) if name in self.names}
            self.names["check"] = self.checker

    def give_back(self, _: Any) -> None:
        """Give the name back the meaning it has in the student's cells."""
        self.names.update(self.taken)
        self.taken = {}


def calls(assignment: str, name: str, written: tuple[Callable[..., Any], ...]) -> Callable:
    """Return what a check calls with a case's inputs, given what a student wrote."""
    adapter = adapter_of(assignment, name)
    return partial(adapter, *written) if adapter else written[0]


def adapter_of(assignment: str, name: str) -> Callable[..., Any] | None:
    """Return the function that calls what a student wrote for a check, if the lesson has one."""
    return getattr(assignments.lesson(assignment, "adapters"), name, None)


def observe_check(check: RecordedCheck, function: Callable[..., Any]) -> dict[str, Outcome]:
    """Call a function on every case of a check."""
    return {case.name: observe_case(check, case, function) for case in check.cases}


def observe_case(check: RecordedCheck, case: Case, function: Callable[..., Any]) -> Outcome:
    """Call a function on a fresh copy of a case's inputs and record what came of it."""
    return _named(observe_call(case, function, check.records.values(), check.by_hand), check)


def observe_call(
    case: Case, function: Callable[..., Any], paths: Iterable[str], hand: bool
) -> Outcome:
    """Call a function on a fresh copy of a case's inputs, and record parts of what came of it."""
    inputs = {name: _fresh(value) for name, value in case.inputs.items()}
    guard = by_hand() if hand else nullcontext()
    try:
        with _own_state(), guard:
            returned = function(*inputs.values())
    except (Exception, SystemExit) as error:
        return Outcome(raised=_in_words(error))
    root = {"return": returned, "after": inputs}
    leaves = {path: evidence.find(root, path) for path in paths}
    return Outcome(leaves, modified=tuple(_differences(case.inputs, inputs)))


def _named(seen: Outcome, check: RecordedCheck) -> Outcome:
    """Call the parts of a result what a check calls them, and leave out all others."""
    if seen.raised:
        return seen
    return replace(seen, leaves={name: seen.leaves[path] for name, path in check.records.items()})


def _identity(value: Any) -> Any:
    """Say which inputs these are: tensors that are equal were read once."""
    if isinstance(value, torch.Tensor):
        return id(value)
    if isinstance(value, Stub):
        return value.name, _identity(dict(value.tensors))
    if isinstance(value, dict):
        return tuple((name, _identity(item)) for name, item in value.items())
    return repr(value)


def _show(bundle: Mapping[str, str]) -> None:
    """Display a table, or print it if no front end is there: `python notebook.py`."""
    if get_ipython():
        display(bundle, raw=True)
    else:
        print(bundle["text/plain"])


def _say(done: int, total: int) -> None:
    print(f"Running all cells in a fresh process: {done} of {total}.", end="\r", flush=True)
    if done == total:
        print()


def _in_words(error: BaseException) -> str:
    try:
        return clip(f"{type(error).__name__}: {error}")
    except Exception:  # its own __str__ raised
        return clip(type(error).__name__)


@contextmanager
def _own_state() -> Generator[None]:
    """Start torch's CPU generator afresh, and leave what torch keeps globally as it was.

    A function that switches gradients off for good must not cost the next exercise its points.
    """
    gradients, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    generator = torch.default_generator  # torch.manual_seed takes 2 ms: it seeds every device
    state = generator.get_state()
    generator.manual_seed(0)
    try:
        yield
    finally:
        generator.set_state(state)
        torch.set_grad_enabled(gradients)
        torch.set_default_dtype(dtype)


@lru_cache(maxsize=1)
def _challenge(path: Path) -> tuple[dict[str, RecordedCheck], Mapping[tuple, set[str]]]:
    """Read a challenge: its checks, and by inputs all that any check records of the result."""
    checks, asked = cases.from_bytes(path.read_bytes()), defaultdict(set)
    for check in checks.values():
        for case in check.cases:
            asked[check.by_hand, _identity(case.inputs)].update(check.records.values())
    return checks, asked


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
