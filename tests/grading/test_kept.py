"""What submissions showed is kept: all of it, or nothing, and never more than there is room for."""

import json
import zlib
from dataclasses import replace

import pytest

from autograder.grading import kept
from autograder.grading.kept import Evidence
from autograder.grading.prepare import load_assignment
from autograder.notebook.cases import Tolerance
from autograder.notebook.judge import CaseVerdict, Verdict
from tests.worked_example import CHECK

CASE = CaseVerdict("few", "few entries", 0.5, "too small", 1e-3, 1e-7)
FOUND = Evidence(
    b'{"cells": []}\n', {"a": "1"}, {"a": "2"},
    {"a": Verdict("a", "A check", 0.5, "too small", (CASE,), "half", "Take all.", False)},
    {"a": "3"},
)  # fmt: skip


@pytest.fixture
def references(example):
    return dict(load_assignment(example).references)


def changed(references, **changes):
    return {**references, CHECK: replace(references[CHECK], **changes)}


def test_what_is_kept_is_read_as_it_was(tmp_path):
    path = kept.place(tmp_path, "kim", "a0", "first")
    kept.write(path, FOUND)
    assert kept.read(path) == FOUND
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()] == [
        "evidence/kim/a0/first.z"
    ]


@pytest.mark.parametrize("data", [
    b"", b"no archive", zlib.compress(b"no JSON\n{}"), zlib.compress(b"{}\n{}"),
    zlib.compress(json.dumps({**vars(FOUND), "notebook": 0, "verdicts": {"a": {}}}).encode()),
])  # fmt: skip
def test_what_cannot_be_read_is_not_there(data, tmp_path):
    (tmp_path / "broken.z").write_bytes(data)
    assert kept.read(tmp_path / "broken.z") is None
    assert kept.read(tmp_path / "gone.z") is None


def test_what_is_too_large_is_not_kept_and_neither_is_what_was_before(tmp_path, monkeypatch):
    kept.write(tmp_path / "a.z", FOUND)
    monkeypatch.setattr(kept, "LARGEST", 10)
    kept.write(tmp_path / "a.z", FOUND)
    assert list(tmp_path.iterdir()) == []


def test_what_a_check_asks_is_its_inputs_and_what_is_recorded(references):
    before = kept.asked(references)
    (*others, last) = references[CHECK].cases
    answers = replace(last, expected=None, tolerance=Tolerance(1, 1), weight=9.0, about="else")
    assert kept.asked(changed(references, cases=(*others, answers), mistakes=())) == before
    inputs = {name: value + 1 for name, value in last.inputs.items()}
    for change in ({"cases": (*others, replace(last, inputs=inputs))}, {"by_hand": False},
                   {"records": {"first": "return.0"}}, {"cases": tuple(others)}):  # fmt: skip
        assert kept.asked(changed(references, **change)) != before


def test_what_evidence_is_judged_by_is_everything_about_its_check(references):
    before = kept.by(references)
    (*others, last) = references[CHECK].cases
    for change in ({"cases": (*others, replace(last, tolerance=Tolerance(1, 1)))},
                   {"mistakes": ()}, {"criterion": "exact"}):  # fmt: skip
        assert kept.by(changed(references, **change)) != before
    assert kept.by(references) == before
