"""Checks and their cases as files: public ones, challenges, and references.

One format serves all three. A *public* file ships with the course and holds inputs,
right answers and known mistakes. A *reference* file holds the same for the hidden
cases and stays with the instructor. A *challenge* is a reference file without its
answers: what a submission is given to work on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch

from autograder.errors import UserError
from autograder.notebook.evidence import (
    Outcome,
    Tensors,
    outcome_from_json,
    outcome_to_json,
    pack,
    unpack,
)
from autograder.notebook.stubs import Stub

FORMAT_VERSION = 2
PUBLIC, REFERENCES = "public.safetensors", "references.safetensors"  # in an assignment's folder


class CasesNotFound(UserError):
    """The file of cases for an assignment is missing or unreadable."""


@dataclass(frozen=True)
class Tolerance:
    """`|found - expected| <= atol + rtol * |expected|`, entry by entry."""

    rtol: float
    atol: float


FLOAT64 = Tolerance(rtol=1e-7, atol=1e-9)
FLOAT32 = Tolerance(rtol=1e-4, atol=1e-6)


@dataclass(frozen=True)
class Level:
    """A level of quality: the value that reaches it, and the share of the points it is worth."""

    name: str
    at_least: float
    credit: float


@dataclass(frozen=True)
class Case:
    """One set of inputs to a check, given to the function in order, by position.

    Where quality is measured, `levels` say what it is worth, the highest last.
    """

    name: str
    about: str
    inputs: Mapping[str, Any]
    weight: float = 1.0
    tolerance: Tolerance = FLOAT64
    public: bool = False
    expected: Outcome | None = None
    levels: tuple[Level, ...] = ()


@dataclass(frozen=True)
class KnownMistake:
    """A named wrong solution as recorded: its outcome in each case where it shows."""

    name: str
    hint: str
    credit: float
    outcomes: Mapping[str, Outcome]


@dataclass(frozen=True)
class RecordedCheck:
    """A check as the student's process and the judge know it.

    `records` maps a name to what is recorded of a call: `return`, an item of it
    (`return.1.W1`), or an input after the call (`after.params.W1`). `criterion` names
    the judge's measure. With `by_hand`, torch.nn and autograd are refused during the
    call; with `pure`, a call that modifies its inputs fails. With `any_case`, the best
    case counts and not the share of those that passed. Where labels are what is judged,
    `words` are their names, and reasons say those.
    """

    name: str
    title: str
    records: Mapping[str, str]
    cases: tuple[Case, ...]
    criterion: str = "close"
    threshold: float | None = None
    by_hand: bool = False
    pure: bool = False
    any_case: bool = False
    words: tuple[str, ...] = ()
    mistakes: tuple[KnownMistake, ...] = field(default=())

    def without_answers(self) -> "RecordedCheck":
        """Return the check as a challenge: what a submission is asked, and nothing to judge it."""
        cases = tuple(Case(case.name, "", case.inputs) for case in self.cases)
        return RecordedCheck(self.name, "", self.records, cases, by_hand=self.by_hand)


def challenge(checks: Mapping[str, RecordedCheck]) -> bytes:
    """Pack the inputs of every check, and nothing else, for a submission to work on."""
    return to_bytes({name: check.without_answers() for name, check in checks.items()})


def load_public(folder: Path) -> dict[str, RecordedCheck]:
    """Load the public cases in an assignment's folder. Raises CasesNotFound."""
    return _load(folder / PUBLIC)


@cache
def load_references(folder: Path) -> dict[str, RecordedCheck]:
    """Load the reference tensors in an assignment's folder. Raises CasesNotFound.

    They are read once, before the first submission runs: what a submission does to the
    file changes no grade.
    """
    return _load(folder / REFERENCES)


def recorded_from(folder: Path) -> dict[str, str]:
    """Return digests of what the references in an assignment's folder were recorded from.

    Files of an earlier version have none. Raises CasesNotFound.
    """
    return dict(_read(folder / REFERENCES)[0].get("recorded_from", {}))


def to_bytes(
    checks: Mapping[str, RecordedCheck], origins: Mapping[str, str] | None = None
) -> bytes:
    """Pack checks into safetensors bytes, the same bytes for the same checks.

    `origins` are digests of what they were recorded from.
    """
    tensors = Tensors()
    recorded = [_check_to_json(check, tensors) for check in checks.values()]
    document = {"format_version": FORMAT_VERSION, "checks": recorded}
    if origins:
        document["recorded_from"] = dict(origins)
    return pack(document, tensors.by_name)


def from_bytes(data: bytes) -> dict[str, RecordedCheck]:
    """Read what `to_bytes` wrote. Raises ValueError for anything else."""
    return _checks(*_unpacked(data))


def _unpacked(data: bytes) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    document, tensors = unpack(data)
    if document["format_version"] != FORMAT_VERSION:
        raise ValueError(f"format version {document['format_version']}, not {FORMAT_VERSION}")
    return document, tensors


def _checks(document: Mapping, tensors: Mapping[str, torch.Tensor]) -> dict[str, RecordedCheck]:
    checks = [_check_from_json(check, tensors) for check in document["checks"]]
    return {check.name: check for check in checks}


def _load(path: Path) -> dict[str, RecordedCheck]:
    return _checks(*_read(path))


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    try:
        return _unpacked(path.read_bytes())
    except FileNotFoundError:
        raise CasesNotFound(
            f"{path.parent.name}/{path.name}: no such file; record it with "
            f"`autograder reference {path.parent.name}` in the course's folder."
        ) from None
    except ValueError as error:
        raise CasesNotFound(f"{path.parent.name}/{path.name}: {error}.") from error


def _check_to_json(check: RecordedCheck, tensors: Tensors) -> dict:
    plain = ("name", "title", "criterion", "threshold", "by_hand", "pure", "any_case")
    document = {name: getattr(check, name) for name in plain}
    if check.words:  # files of checks without them are as they were
        document["words"] = list(check.words)
    # a list, because the order of the records is the order of the reasons
    document["records"] = [list(record) for record in check.records.items()]
    document["cases"] = [_case_to_json(case, tensors) for case in check.cases]
    document["mistakes"] = [
        {"name": m.name, "hint": m.hint, "share": m.credit, "outcomes": {
            case: outcome_to_json(outcome, tensors)
            for case, outcome in sorted(m.outcomes.items())}}
        for m in check.mistakes
    ]  # fmt: skip
    return document


def _check_from_json(document: Mapping, tensors: Mapping[str, torch.Tensor]) -> RecordedCheck:
    cases = tuple(_case_from_json(case, tensors) for case in document["cases"])
    mistakes = tuple(
        KnownMistake(m["name"], m["hint"], m["share"], {
            case: outcome_from_json(outcome, tensors) for case, outcome in m["outcomes"].items()})
        for m in document["mistakes"]
    )  # fmt: skip
    read = {"records": dict(document["records"]), "cases": cases, "mistakes": mistakes}
    read["words"] = tuple(document.get("words", ()))
    fields: dict[str, Any] = {**document, **read}
    return RecordedCheck(**fields)


def _case_to_json(case: Case, tensors: Tensors) -> dict:
    return {
        "name": case.name,
        "about": case.about,
        "weight": case.weight,
        "tolerance": [case.tolerance.rtol, case.tolerance.atol],
        "public": case.public,
        "levels": [{"name": v.name, "least": v.at_least, "share": v.credit} for v in case.levels],
        # a list, because the order of the inputs is the order of the arguments
        "inputs": [[name, _input_to_json(value, tensors)] for name, value in case.inputs.items()],
        "expected": case.expected and outcome_to_json(case.expected, tensors),
    }


def _case_from_json(document: Mapping, tensors: Mapping[str, torch.Tensor]) -> Case:
    inputs = {name: _input_from_json(value, tensors) for name, value in document["inputs"]}
    expected = document["expected"] and outcome_from_json(document["expected"], tensors)
    fields: dict[str, Any] = {
        **document,
        "inputs": inputs,
        "expected": expected,
        "tolerance": Tolerance(*document["tolerance"]),
        "levels": tuple(Level(v["name"], v["least"], v["share"]) for v in document["levels"]),
    }
    return Case(**fields)


def _input_to_json(value: Any, tensors: Tensors) -> dict:
    if isinstance(value, torch.Tensor):
        return {"tensor": tensors.add(value)}
    if isinstance(value, Mapping):
        return {"dict": {k: _input_to_json(v, tensors) for k, v in sorted(value.items())}}
    if isinstance(value, Stub):
        return {"given": value.name, "with": _input_to_json(value.tensors, tensors)}
    return {"value": value}


def _input_from_json(document: Mapping, tensors: Mapping[str, torch.Tensor]) -> Any:
    if "tensor" in document:
        return tensors[document["tensor"]]
    if "dict" in document:
        return {key: _input_from_json(value, tensors) for key, value in document["dict"].items()}
    if "given" in document:
        return Stub(document["given"], _input_from_json(document["with"], tensors))
    return document["value"]
