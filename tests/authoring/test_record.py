"""What recording accepts, what it refuses, and that it is the same every time."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

from autograder.authoring import checks
from autograder.authoring import record as recording
from autograder.authoring.mistakes import Change, Mistake
from autograder.authoring.record import RecordingRefused, record_assignment
from autograder.authoring.solutions import CellNotFound, with_cells
from autograder.grading.notebooks import grade_id, is_autograded
from autograder.notebook import cases, evidence
from autograder.notebook.check import observe_check
from tests import worked_example

CHECK = "squared_error_values"


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The worked example, run in this process instead of in kernels."""
    folder = worked_example.install(tmp_path)
    monkeypatch.setattr(recording, "recorded_by", recorded_in_process)
    monkeypatch.setattr(recording, "ThreadPoolExecutor", lambda _: ThreadPoolExecutor(1))
    return checks.load(folder)


def recorded_in_process(notebook, challenge, config=None, artifacts=None):
    asked, names, recorded = cases.from_bytes(challenge), {}, []
    for cell in notebook.cells:
        if is_autograded(cell):
            function = re.search(r", (\w+)\)", cell.source)[1]
            outcomes = observe_check(asked[grade_id(cell)], names[function])
            recorded.append(evidence.to_output(grade_id(cell), outcomes))
        elif grade_id(cell) not in ("", "setup"):
            exec(cell.source, names | {"torch": torch}, names)
    return recorded


def record(assignment, notebook=None):
    return record_assignment(assignment, notebook or worked_example.notebook())


def refusal(assignment, notebook=None) -> str:
    with pytest.raises(RecordingRefused) as caught:
        record(assignment, notebook)
    return str(caught.value)


def solution(source):
    head = "def squared_error(prediction, target):\n    "
    return with_cells(worked_example.notebook(), {"squared_error": head + source})


def test_the_worked_example_is_accepted(example):
    recording = record(example)
    assert [case.name for case in recording.hidden[CHECK].cases] == ["small", "single"]
    assert [m.name for m in recording.hidden[CHECK].mistakes] == [
        "mean_over_everything",
        "absolute_error",
    ]


def test_the_same_seed_makes_the_same_bytes_and_another_seed_other_hidden_cases(example, tmp_path):
    folder = tmp_path / "source" / worked_example.NAME
    one, two = record(example), record(checks.load(folder, seed=0))
    other = record(checks.load(folder, seed=1))
    assert cases.to_bytes(one.hidden) == cases.to_bytes(two.hidden)
    assert cases.to_bytes(one.hidden) != cases.to_bytes(other.hidden)
    assert cases.to_bytes(one.public) == cases.to_bytes(other.public)


def test_a_notebook_that_disagrees_with_the_oracle_is_refused(example):
    message = refusal(example, solution("return ((prediction - target) ** 2).mean()"))
    assert f"{CHECK}, case small: the notebook and the oracle disagree: error: relative" in message


def test_a_notebook_that_raises_is_refused(example):
    assert "raised ZeroDivisionError" in refusal(example, solution("return 1 / 0"))


def test_a_check_that_a_mistake_survives_is_refused(example):
    (check,) = example.checks
    narrow = [
        replace(case, inputs={k: v[:, :1] for k, v in case.inputs.items()}) for case in check.cases
    ]
    weak = replace(example, checks=(replace(check, cases=tuple(narrow)),))
    assert f"{CHECK} accepts the mistake mean_over_everything; add a case" in refusal(weak)


def test_a_name_that_two_mistakes_share_is_refused(example):
    twice = replace(example, mistakes=(*example.mistakes, example.mistakes[0]))
    assert f"two mistakes are called {example.mistakes[0].name}; rename one." in refusal(twice)


def test_a_mistake_that_looks_like_another_is_refused(example):
    twin = replace(example.mistakes[0], name="twin", hint="another hint.")
    message = refusal(replace(example, mistakes=(*example.mistakes, twin)))
    assert (
        "squared_error_values cannot tell the mistakes mean_over_everything and twin apart, so one "
        "of their hints would be false; add a case, or give them one hint that is true of both."
    ) in message
    assert "mistake twin: none of its checks names it (they name: mean_over_everything)" in message


def test_mistakes_that_look_alike_may_share_a_hint(example):
    twin = replace(example.mistakes[0], name="twin")
    recording = record(replace(example, mistakes=(*example.mistakes, twin)))
    assert "twin" in [mistake.name for mistake in recording.hidden[CHECK].mistakes]


def test_a_check_that_zeros_pass_is_refused(example):
    (check,) = example.checks
    equal = [replace(c, inputs=dict.fromkeys(c.inputs, c.inputs["target"])) for c in check.cases]
    message = refusal(replace(example, checks=(replace(check, cases=tuple(equal)),)))
    assert f"{CHECK}: zeros pass all hidden cases; change the cases." in message


def test_an_alternative_that_is_refused_is_reported(example, tmp_path):
    style = tmp_path / "float.py"
    style.write_text("def squared_error(prediction, target):\n    return prediction[0].float()\n")
    message = refusal(replace(example, alternatives=(style,)))
    assert f"{CHECK} refuses the alternative float.py, which is right: error has shape" in message


@pytest.mark.parametrize(
    "change, message",
    [
        ({"credit": 1.0}, "its credit is 1.0, not from 0 to below 1"),
        ({"checks": ("nothing",)}, "there is no check nothing"),
    ],
)
def test_a_mistake_that_makes_no_sense_is_refused(example, change, message):
    wrong = replace(example.mistakes[0], **change)
    assert message in refusal(replace(example, mistakes=(wrong,)))


def test_a_mistake_whose_text_is_not_in_its_cell_says_so(example):
    change = Change(("no such line",), ())
    gone = Mistake("gone", "squared_error", (change,), (CHECK,), 0.5, "hint")
    with pytest.raises(CellNotFound, match=r"lines \['no such line'\] occur 0 times, not once, in"):
        record(replace(example, mistakes=(gone,)))
    elsewhere = replace(gone, cell="nowhere")
    with pytest.raises(CellNotFound, match="no cell has the grade_id 'nowhere'"):
        record(replace(example, mistakes=(elsewhere,)))


def test_refused_recordings_leave_the_files_alone(example, tmp_path):
    first = record(example).write(tmp_path)
    before = [path.read_bytes() for path in first]
    refusal(example, solution("return 1 / 0"))
    assert [path.read_bytes() for path in first] == before
