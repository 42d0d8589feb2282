"""How an author says what an exercise promises: checks and their cases.

A topic is a file `checks/<topic>.py` in an assignment's folder. A check is a function with
metadata: the function is the *oracle*, which finds the right answer another way than the
notebook does (autograd, torch.nn.functional, a closed form). Its cases come from a
generator, which draws them twice: the public ones, and from another seed the hidden ones.

    def pairs(rng: Draws) -> Iterator[Sketch]:
        yield case("small", "4 samples", prediction=…, target=…)

    @check("squared_error_values", "mean squared error", {"error": "return"}, pairs)
    def squared_error(prediction, target):
        return {"error": torch.nn.functional.mse_loss(prediction, target)}

The mistakes that the checks of a topic know are beside it, in `checks/<topic>.diff`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from autograder import assignments
from autograder.authoring.mistakes import Mistake, read_mistakes
from autograder.errors import UserError
from autograder.notebook import evidence
from autograder.notebook.cases import FLOAT64, Case, Level, RecordedCheck, Tolerance
from autograder.notebook.evidence import Leaf, Outcome

PUBLIC_SEED = 2024

Answers = Mapping[str, Any]  # by record: a tensor, a NumPy array, or a number
Oracle = Callable[..., Answers]


class Draws(np.random.RandomState):
    """The generator that cases are drawn with, and what they are drawn for.

    `number` is the seed as it was given. With `real`, checks of quality add cases of real data.
    """

    def __init__(self, seed: int, public: bool, real: bool = False) -> None:
        super().__init__([seed, public])
        self.number, self.public, self.real = seed, public, real and not public


@dataclass(frozen=True)
class Sketch:
    """A case as its author writes it: see `case`."""

    name: str
    about: str
    weight: float
    inputs: Mapping[str, Any]
    tolerance: Tolerance | None
    levels: tuple[Level, ...]
    answer: Answers | None


def case(
    name: str,
    about: str,
    weight: float = 1.0,
    /,
    *,
    tolerance: Tolerance | None = None,
    levels: Sequence[Level] = (),
    answer: Answers | None = None,
    **inputs: Any,
) -> Sketch:
    """Sketch a case: a name, a short description, its weight, and inputs in order.

    The inputs go to the student's function by position. Without a `tolerance`, that of the
    check holds. Where quality is measured, `levels` say what it is worth, and `answer` what
    the oracle would.
    """
    return Sketch(name, about, weight, inputs, tolerance, tuple(levels), answer)


Cases = Callable[[Draws], Iterable[Sketch]]


@dataclass(frozen=True, kw_only=True)
class Check(RecordedCheck):
    """A check with its cases drawn, and with the oracle that confirms them."""

    oracle: Oracle | None = None
    topic: str = ""


@dataclass(frozen=True)
class Declared:
    """A check as a topic declares it; called with an oracle, it is the check with that oracle."""

    check: Check
    cases: Cases
    tolerance: Tolerance

    def __call__(self, oracle: Oracle) -> "Declared":
        """Take a function as the oracle: this is what makes it a decorator."""
        return replace(self, check=replace(self.check, oracle=oracle))

    @property
    def oracle(self) -> Oracle | None:
        """The function that knows the right answers."""
        return self.check.oracle

    def drawn(self, seed: int = 0, real: bool = False, topic: str = "") -> Check:
        """Draw the public cases, whose names begin with `public_`, and the hidden ones."""
        sets = Draws(PUBLIC_SEED, True), Draws(seed, False, real)
        cases = tuple(self._case(one, rng.public) for rng in sets for one in self.cases(rng))
        return replace(self.check, cases=cases, topic=topic)

    def _case(self, sketch: Sketch, public: bool) -> Case:
        expected = None if sketch.answer is None else as_outcome(sketch.answer)
        return Case(
            f"public_{sketch.name}" if public else sketch.name, sketch.about, sketch.inputs,
            sketch.weight, sketch.tolerance or self.tolerance, public, expected, sketch.levels,
        )  # fmt: skip


def check(
    name: str,
    title: str,
    records: Mapping[str, str],
    cases: Cases,
    *,
    tolerance: Tolerance = FLOAT64,
    **more: Any,
) -> Declared:
    """Declare a check; as a decorator, of the function that is its oracle.

    `name` is the grade_id of its cell. `records` say what is recorded of a call, in the order
    of the reasons: `return`, an item of it (`return.1.W1`), an input afterwards (`after.X`).
    `more` are fields of RecordedCheck: criterion, threshold, by_hand, pure, any_case, words.
    Without an oracle, each case has its `answer`.
    """
    return Declared(
        Check(name=name, title=title, records=records, cases=(), **more), cases, tolerance
    )


@dataclass(frozen=True)
class Assignment:
    """What an instructor knows of an assignment."""

    name: str
    checks: tuple[Check, ...]
    mistakes: tuple[Mistake, ...]
    alternatives: tuple[Path, ...] = ()
    artifacts: Mapping[str, Path] = field(default_factory=dict)  # what the instructor trained


class NoChecks(UserError):
    """The checks of an assignment cannot be loaded."""


class WrongOracle(UserError):
    """An oracle lacks an answer that its check records."""


class NoRealData(UserError):
    """An assignment has no cases of real data."""


def load(folder: Path, seed: int = 0, real: bool = False) -> Assignment:
    """Load the checks in an assignment's folder; `seed`, below 2^32, draws the hidden cases.

    With `real`, those that measure quality get cases of real data beside the synthetic ones.
    Raises NoChecks; NoRealData if it uses none, or DataNotFound if that is not here.
    """
    if not 0 <= seed < 2**32:
        raise NoChecks(f"{seed}: a seed is a whole number from 0 to 2^32 - 1.")
    found = [(name, one) for name in topics(folder) for one in declared(folder, name)]
    checks = [one.drawn(seed, real, name) for name, one in found]
    if real and all(
        len(drawn.cases) == len(one.drawn(seed).cases)
        for drawn, (_, one) in zip(checks, found, strict=True)
    ):
        raise NoRealData(f"{folder.name} has no cases of real data; leave out --real.")
    if not checks:
        raise NoChecks(f"{folder.name}/checks: there are no checks; docs/authors.md shows one.")
    often = Counter(check.name for check in checks)
    if twice := [name for name, count in often.items() if count > 1]:
        raise NoChecks(f"{folder.name}/checks: two checks are called {twice[0]}; rename one.")
    return Assignment(
        folder.name, tuple(checks), tuple(mistakes(folder)), alternatives(folder), artifacts(folder)
    )


def topics(folder: Path) -> Sequence[str]:
    """Return the topics of an assignment, in the order of `TOPICS`, or else of their names."""
    assignments.use(folder.parent)
    if not (folder / "checks").is_dir():
        return ()
    found = sorted(path.stem for path in folder.glob("checks/[!_]*.py"))
    return getattr(_import(folder), "TOPICS", found)


def declared(folder: Path, topic: str) -> Iterator[Declared]:
    """Yield the checks that a topic declares, alone or in a list."""
    for value in list(vars(_import(folder, topic)).values()):
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(one, Declared):
                yield one


def mistakes(folder: Path) -> list[Mistake]:
    """Read the known mistakes of an assignment, topic by topic. Raises MistakesUnreadable."""
    files = ((folder / "checks" / f"{topic}.diff", topic) for topic in topics(folder))
    return [mistake for file, topic in files for mistake in read_mistakes(file, topic)]


def alternatives(folder: Path) -> tuple[Path, ...]:
    """Return the files with right solutions in other styles."""
    return tuple(sorted(folder.glob("alternatives/*.py")))


def artifacts(folder: Path) -> dict[str, Path]:
    """Return the files that a solved notebook has beside it: what the instructor trained."""
    return {path.name: path for path in sorted(folder.glob("artifacts/*"))}


def _import(folder: Path, *topic: str) -> ModuleType:
    return import_module(".".join((assignments.__name__, folder.name, "checks", *topic)))


def answer_of(check: Check, case: Case) -> Mapping[str, Leaf]:
    """Return the right value of each record of a case, as its author or the oracle says it."""
    if check.oracle is None:
        return case.expected.leaves if case.expected else {}
    answers = check.oracle(*case.inputs.values())
    if missing := set(check.records) - answers.keys():
        raise WrongOracle(
            f"{check.name}, case {case.name}: the oracle answers {', '.join(answers)}, and not "
            f"{', '.join(missing)}, which the check records; use the same names."
        )
    return as_outcome(answers).leaves


def as_outcome(answers: Answers) -> Outcome:
    """Write answers as what is recorded of them: tensors, numbers as float64."""
    return Outcome({name: Leaf("tensor", _tensor(value)) for name, value in answers.items()})


def _tensor(value: Any) -> torch.Tensor:
    if isinstance(value, (bool, int, float)):
        return torch.tensor(float(value), dtype=torch.float64)
    return evidence.plain(torch.as_tensor(value))
