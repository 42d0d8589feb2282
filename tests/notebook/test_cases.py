"""Checks and their cases as files."""

from dataclasses import replace

import pytest
import torch

from autograder.notebook import cases, evidence
from autograder.notebook.cases import Case, RecordedCheck
from autograder.notebook.evidence import Outcome, observe
from autograder.notebook.stubs import Stub

X = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)


def doubling(**more) -> RecordedCheck:
    case = Case("small", "2 rows", {"X": X}, expected=Outcome({"value": observe(2 * X)}))
    return RecordedCheck("doubling", "twice the input", {"value": "return"}, (case,), **more)


def test_a_challenge_holds_inputs_and_no_answers():
    wrong = cases.KnownMistake("m", "hint", 0.5, {"small": Outcome({"value": observe(3 * X)})})
    data = cases.challenge({"doubling": doubling(mistakes=(wrong,))})
    (read,) = cases.from_bytes(data).values()
    assert read.mistakes == () and read.cases[0].expected is None
    _, tensors = evidence.unpack(data)
    (stored,) = tensors.values()
    assert torch.equal(stored, X)


def test_checks_come_back_from_a_file_as_they_were():
    given = Case("g", "given", {"f": Stub("cubic"), "W": X, "h": 1e-3, "y": None, "d": {"a": X}})
    wrong = cases.KnownMistake("m", "hint", 0.5, {"small": Outcome(raised="ValueError: a")})
    leveled = replace(given, name="l", levels=(cases.Level("good", 0.5, 1.0),))
    original = doubling(mistakes=(wrong,), by_hand=True, pure=True, any_case=True, words=("a", "b"))
    original = replace(original, cases=(*original.cases, given, leveled))
    data = cases.to_bytes({"doubling": original})
    (read,) = cases.from_bytes(data).values()
    assert cases.to_bytes({"doubling": read}) == data
    assert read.cases[1].inputs["f"] == Stub("cubic")
    assert list(read.cases[1].inputs) == ["f", "W", "h", "y", "d"]
    assert read.cases[2].levels == leveled.levels
    assert (read.by_hand, read.pure, read.any_case) == (True, True, True)
    assert read.words == ("a", "b")
    assert read.mistakes[0].credit == 0.5


@pytest.mark.parametrize("data", [b"", b"12345678", b"\xff" * 40])
def test_a_file_that_is_no_cases_file_is_a_value_error(data):
    with pytest.raises(ValueError, match="not a safetensors file"):
        cases.from_bytes(data)


def test_the_same_checks_make_the_same_bytes():
    assert cases.to_bytes({"doubling": doubling()}) == cases.to_bytes({"doubling": doubling()})


def test_a_missing_file_says_where_it_should_be_and_how_it_is_made(tmp_path):
    with pytest.raises(cases.CasesNotFound, match=r"/public.safetensors: no such file; record it"):
        cases.load_public(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / cases.REFERENCES).write_bytes(b"no tensors")
    with pytest.raises(cases.CasesNotFound, match=r"/references.safetensors: .*not a safetensors"):
        cases.load_references(tmp_path)


def test_references_are_read_once(tmp_path):
    file = tmp_path / cases.REFERENCES
    file.write_bytes(cases.to_bytes({"doubling": doubling()}))
    first = cases.load_references(tmp_path)
    file.write_bytes(b"changed meanwhile")
    assert cases.load_references(tmp_path) is first


def test_a_file_of_another_format_version_is_refused(monkeypatch):
    data = cases.to_bytes({"doubling": doubling()})
    monkeypatch.setattr(cases, "FORMAT_VERSION", 99)
    with pytest.raises(ValueError, match="format version 2, not 99"):
        cases.from_bytes(data)
