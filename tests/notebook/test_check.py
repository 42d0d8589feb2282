"""The checker as a notebook calls it, in this process."""

import json
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from autograder import CHALLENGE_FILE, Checker, __version__, assignments
from autograder.notebook import cases, check, evidence, hand_in, progress, restart
from autograder.notebook.artifacts import save_artifact
from autograder.notebook.cases import Case, RecordedCheck
from autograder.notebook.check import CheckFailed, NotJudged, UnknownCheck, observe_case
from autograder.notebook.evidence import Outcome, observe
from autograder.notebook.grid import BAD, Mark

X = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)


def double(X):
    return 2 * X


def doubling(**more) -> RecordedCheck:
    case = Case("small", "2 rows", {"X": X}, expected=Outcome({"value": observe(2 * X)}))
    return RecordedCheck("doubling", "twice the input", {"value": "return"}, (case,), **more)


@pytest.fixture
def shown(monkeypatch):
    """Collect what is displayed."""
    bundles = []
    monkeypatch.setattr(check, "display", lambda bundle, raw: bundles.append(bundle))
    monkeypatch.setattr(check, "_show", bundles.append)
    return bundles


@pytest.fixture
def checker(scratch, monkeypatch):
    monkeypatch.setattr(assignments, "find", lambda name: scratch / name)
    (scratch / "a9_test").mkdir()
    (scratch / "a9_test" / cases.PUBLIC).write_bytes(cases.to_bytes({"doubling": doubling()}))
    return Checker("a9_test")


def test_public_draws_a_table_and_nothing_else(checker, shown, capfd):
    checker.public("doubling", double)
    (bundle,) = shown
    assert set(bundle) == {"text/html", "text/plain"}
    assert "1 of 1 cases passed" in bundle["text/plain"]
    assert capfd.readouterr() == ("", "")


def test_public_names_expected_and_found(checker, shown):
    checker.public("doubling", lambda X: 3 * X)
    assert "value[1, 1]: expected 8, found 12" in shown[0]["text/plain"]


def test_public_does_not_raise_on_an_error_of_the_student(checker, shown):
    def broken(X):
        raise RuntimeError("<b>oh</b>")

    checker.public("doubling", broken)
    assert "raised RuntimeError: &lt;b&gt;oh&lt;/b&gt;" in shown[0]["text/html"]


def test_an_exit_inside_a_function_does_not_end_the_notebook(checker, shown):
    checker.public("doubling", lambda X: exit())
    assert "raised SystemExit" in shown[0]["text/plain"]


def test_public_fails_loudly_under_validate(checker, shown, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    checker.public("doubling", double)
    with pytest.raises(CheckFailed, match=r"doubling: value\[1, 1\]: expected 8, found 12"):
        checker.public("doubling", lambda X: 3 * X)


def test_public_is_silent_while_a_grader_runs(checker, shown, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    checker.public("doubling", lambda X: 3 * X)
    assert shown == []


@pytest.fixture
def adapted(checker, scratch, monkeypatch):
    """The checker, with a lesson whose adapter squares what a student's class does, or adds."""
    monkeypatch.setattr(assignments, "__path__", [str(scratch)])
    (scratch / "a9_test" / "lesson").mkdir()
    (scratch / "a9_test" / "lesson" / "adapters.py").write_text(
        "def doubling(Scale, factor, X):\n    return Scale(factor()).apply(X)\n"
    )
    yield checker
    for name in [name for name in sys.modules if name.startswith("autograder.assignments.a9")]:
        del sys.modules[name]


class Scale:
    def __init__(self, by):
        self.by = by

    def apply(self, X):
        return self.by * X


def test_an_adapter_calls_what_a_student_wrote(adapted, shown):
    adapted.public("doubling", Scale, lambda: 2)
    adapted.public("doubling", Scale, lambda: 3)
    right, wrong = (bundle["text/plain"] for bundle in shown)
    assert "1 of 1 cases passed" in right and "expected 8, found 12" in wrong


def test_hidden_cases_go_through_the_same_adapter(adapted, shown, scratch):
    (scratch / CHALLENGE_FILE).write_bytes(cases.challenge({"doubling": doubling()}))
    for by in (2, 3):
        with pytest.raises(NotJudged, match="recorded, but not judged"):
            adapted.hidden("doubling", Scale, lambda by=by: by)
        _, outcomes = evidence.from_output(shown[-1][evidence.MIME])
        assert torch.equal(outcomes["small"].leaves["value"].tensor, by * X)


def test_the_code_of_an_adapter_can_be_read(adapted, monkeypatch):
    shown = []
    monkeypatch.setattr(check, "display", shown.append)
    adapted.show_code("doubling")
    assert "Scale(factor())" in shown[0].data
    with pytest.raises(UnknownCheck):
        adapted.show_code("halving")


def test_the_setup_is_told_in_one_line(checker, capsys, scratch):
    checker.set_up("cpu", "drawn images")
    (line,) = capsys.readouterr().out.splitlines()
    said = line.split(" · ")
    assert said[1:] == ["a9_test", "cpu", "drawn images", f"files in {Path.cwd()}"]
    assert said[0] == f"Gradient Check {__version__}"


def test_public_keeps_what_it_showed_beside_the_notebook(checker, shown, scratch):
    checker.public("doubling", lambda X: 3 * X)
    assert progress.read(scratch / progress.NAME)["a9_test"]["doubling"].passed == 0
    checker.public("doubling", double)
    assert progress.read(scratch / progress.NAME)["a9_test"]["doubling"].passed == 1


@pytest.mark.parametrize("mode", ["autograde", "validate"])
def test_under_a_grader_nothing_is_kept_shown_or_written(
    checker, shown, scratch, monkeypatch, capsys, mode
):
    monkeypatch.setattr(hand_in, "look", pytest.fail)
    monkeypatch.setenv("NBGRADER_EXECUTION", mode)
    before = set(scratch.rglob("*"))
    checker.public("doubling", double)
    shown.clear()
    checker.progress()
    checker.hand_in()
    assert (shown, capsys.readouterr().out) == ([], "")
    assert set(scratch.rglob("*")) == before


def test_progress_draws_the_course(checker, shown, scratch, monkeypatch):
    monkeypatch.setattr(assignments, "__path__", [str(scratch)])
    checker.public("doubling", double)
    shown.clear()
    checker.progress()
    (bundle,) = shown
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/plain"].startswith("1 of 1 public checks passed\n")


def to_hand_in(path=None) -> hand_in.Looked:
    notebook = hand_in.Notebook({"cells": []}, path, "a9_test")
    row = "doubling", Mark("open", BAD), "not written yet"
    return hand_in.Looked(notebook, restart.Restarted(), [row])


@pytest.mark.parametrize("saved", [True, False])
def test_what_is_handed_in_is_shown_and_written_beside_the_notebook(
    checker, shown, scratch, monkeypatch, capsys, saved
):
    path = scratch / "mine.ipynb"
    path.write_text("{}")
    monkeypatch.setattr(hand_in, "find", lambda name, folder: (name, folder))
    looked = to_hand_in(path if saved else None)
    asked = []
    monkeypatch.setattr(hand_in, "look", lambda *how: asked.append(how) or looked)
    checker.hand_in("kim")
    assert asked[0][:2] == (("a9_test", Path.cwd()), Path.cwd())
    assert "1 thing to look at" in shown[0]["text/plain"]
    with zipfile.ZipFile(scratch / "a9_test.zip") as archive:
        assert json.loads(archive.read("hand_in.json"))["student"] == "kim"
    out = capsys.readouterr().out
    assert out.startswith("Hand in a9_test.zip: the notebook")
    assert ("as you saved it at" in out) is saved


def test_a_notebook_that_cannot_be_handed_in_is_a_sentence_and_no_error(
    checker, shown, scratch, capsys
):
    checker.hand_in()
    assert capsys.readouterr().out.startswith("There is no a9_test.ipynb in ")
    assert shown == [] and not (scratch / "a9_test.zip").exists()


LOADING = """
from autograder.notebook.artifacts import load_artifact

def doubling(double, X):
    return double(load_artifact("net.safetensors")["factor"], X)
"""


@pytest.mark.parametrize(
    "factor, data, told", [(3, "real", True), (3, "drawn", False), (2, "real", False)]
)
def test_a_net_trained_on_other_data_than_is_graded_is_told_so_where_it_fails(
    adapted, shown, scratch, factor, data, told
):
    (scratch / "a9_test" / "lesson" / "adapters.py").write_text(LOADING)
    save_artifact("net.safetensors", {"factor": torch.tensor(float(factor))}, data)
    adapted.public("doubling", lambda factor, X: factor * X)
    hint = "Looks like: what is in net.safetensors was trained on real data; grading uses drawn"
    assert (hint in shown[0]["text/plain"]) is told


def test_without_an_adapter_a_check_calls_the_function_itself(checker, capsys):
    checker.show_code("doubling")
    assert "calls your function with the inputs of each case" in capsys.readouterr().out


def test_an_adapter_that_lacks_a_module_says_which(adapted, scratch):
    (scratch / "a9_test" / "lesson" / "adapters.py").write_text("import nowhere_to_be_found\n")
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        adapted.public("doubling", Scale, lambda: 2)


def test_an_unknown_check_names_those_there_are(checker):
    with pytest.raises(UnknownCheck, match=r"a9_test has no check 'halving'; it has doubling."):
        checker.public("halving", double)


def test_an_assignment_without_public_cases_says_where_they_should_be(checker, scratch):
    (scratch / "a9_test" / cases.PUBLIC).unlink()
    with pytest.raises(cases.CasesNotFound, match=r"a9_test/public.safetensors: no such file"):
        checker.public("doubling", double)


def test_an_unknown_assignment_is_one_line_in_a_notebook():
    with pytest.raises(assignments.AssignmentNotFound) as caught:
        Checker("a0_nothing").public("doubling", double)
    (line,) = caught.value._render_traceback_()
    assert line.startswith("AssignmentNotFound: a0_nothing: there is no such assignment here")


def test_hidden_without_a_challenge_is_an_error(checker, shown):
    with pytest.raises(NotJudged, match="there only when a grader provides them"):
        checker.hidden("doubling", double)
    assert shown == []


def test_hidden_records_evidence_and_is_still_an_error(checker, shown, scratch):
    (scratch / CHALLENGE_FILE).write_bytes(cases.challenge({"doubling": doubling()}))
    with pytest.raises(NotJudged, match="recorded, but not judged"):
        checker.hidden("doubling", double)
    name, outcomes = evidence.from_output(shown[0][evidence.MIME])
    assert name == "doubling"
    assert torch.equal(outcomes["small"].leaves["value"].tensor, 2 * X)


def outcome(function, inputs, records=None, **more):
    case = Case("case", "a case", inputs)
    return observe_case(
        RecordedCheck("c", "t", records or {"x": "return"}, (case,), **more), case, function
    )


def test_every_call_gets_fresh_inputs_and_changes_are_noted():
    params = {"W1": torch.ones(2), "b1": torch.zeros(2)}

    def spoil(params, X):
        params["W1"] += 1
        params["b1"] = None
        return X

    first = outcome(spoil, {"params": params, "X": X})
    assert first.modified == ("params.W1", "params.b1")
    assert torch.equal(params["W1"], torch.ones(2))


def test_an_input_of_another_kind_afterwards_is_a_change_and_new_ones_are_too():
    def spoil(params):
        params["W1"] = params["W1"].to_sparse()
        params["cache"] = 1
        return X

    assert outcome(spoil, {"params": {"W1": X}}).modified == ("params.W1", "params.cache")


def test_an_exception_that_cannot_be_printed_is_named():
    class Silent(Exception):
        def __str__(self):
            raise ValueError

    def fail(X):
        raise Silent

    assert outcome(fail, {"X": X}).raised == "Silent"


def test_inputs_after_the_call_can_be_recorded():
    def train(params):
        params["W1"] = params["W1"] * 3

    seen = outcome(train, {"params": {"W1": X}}, {"W1": "after.params.W1"})
    assert torch.equal(seen.leaves["W1"].tensor, 3 * X)


def test_arguments_may_have_other_names():
    assert torch.equal(outcome(lambda anything: anything, {"X": X}).leaves["x"].tensor, X)


def test_by_hand_refuses_torch_nn_and_says_so():
    seen = outcome(torch.nn.functional.gelu, {"X": X}, by_hand=True)
    assert seen.raised.startswith("NotByHand: torch.nn.functional.gelu was called")


def test_random_numbers_of_a_check_are_the_same_each_time_and_leave_the_notebook_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one = outcome(lambda X: torch.randn(3), {"X": X})
    two = outcome(lambda X: torch.randn(3), {"X": X})
    assert torch.equal(one.leaves["x"].tensor, two.leaves["x"].tensor)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_a_function_sets_for_all_of_torch_is_put_back_for_the_next_exercise():
    def careless(X):
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        raise ValueError(X)

    outcome(careless, {"X": X})
    assert torch.is_grad_enabled() and torch.get_default_dtype() is torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_result_on_cuda_is_recorded_with_its_device():
    assert outcome(lambda X: X.cuda(), {"X": X}).leaves["x"].device == "cuda"


# One call for all checks of a result


class Notebook:
    """A shell in which check cells and others ran."""

    def __init__(self, folder):
        self.starting_dir, self.execution_count, self.user_ns = folder, 0, {"In": [""]}

    def cell(self, source):
        self.execution_count += 1
        self.user_ns["In"].append(source)


@pytest.fixture
def calls(checker, shown, scratch, monkeypatch):
    """Return a notebook, and a function that asks for a check in it and says what was called."""
    case = Case("small", "2 rows", {"X": X})
    other = Case("small", "2 rows", {"X": X, "scale": 2.0})
    checks = {
        name: RecordedCheck(name, name, {"value": path}, (one,), by_hand=hand)
        for name, path, one, hand in (
            ("first", "return.0", case, False), ("second", "return.1", case, False),
            ("inputs", "after.X", case, False), ("scaled", "return.0", other, False),
            ("hand", "return.0", case, True),
        )
    }  # fmt: skip
    (scratch / CHALLENGE_FILE).write_bytes(cases.challenge(checks))
    notebook = Notebook(scratch)
    monkeypatch.setattr(check, "get_ipython", lambda: notebook)
    called = []

    def both(X, scale=1.0):
        called.append(scale)
        return scale * X, X.sum()

    def ask(name, source="check.hidden", function=both):
        notebook.cell(source)
        with pytest.raises(NotJudged, match="recorded"):
            checker.hidden(name, function)
        _, outcomes = evidence.from_output(shown[-1][evidence.MIME])
        return outcomes["small"].leaves["value"].tensor, len(called)

    return notebook, ask


def test_checks_that_follow_each_other_share_a_call(calls):
    _, ask = calls
    assert [ask(name)[1] for name in ("first", "second", "inputs")] == [1, 1, 1]
    assert torch.equal(ask("first")[0], X) and torch.equal(ask("inputs")[0], X)
    assert ask("second")[0].item() == X.sum()


def test_other_inputs_and_other_rules_are_other_calls(calls):
    _, ask = calls
    assert [ask(name)[1] for name in ("first", "scaled", "hand", "second")] == [1, 2, 3, 3]
    assert torch.equal(ask("scaled")[0], 2 * X)


@pytest.mark.parametrize("source", ["x = 1", "check.public('first', both)\nboth = other", " "])
def test_after_any_other_cell_a_function_is_called_again(calls, source):
    notebook, ask = calls
    ask("first")
    notebook.cell(source)
    assert ask("second")[1] == 2


def test_a_cell_that_does_more_than_check_shares_nothing(calls):
    _, ask = calls
    assert [ask("first")[1], ask("second", "helper = 2\ncheck.hidden")[1]] == [1, 2]
    assert ask("second")[1] == 3


def test_a_notebook_that_has_another_use_for_in_shares_nothing(calls):
    notebook, ask = calls
    ask("first")
    notebook.cell, notebook.user_ns = lambda _: None, {"In": 7}
    assert ask("second")[1] == 2
    del notebook.user_ns["In"]
    assert ask("second")[1] == 3


def test_another_function_is_another_call(calls):
    _, ask = calls
    ask("first")
    found, _ = ask("first", function=lambda X: (X + 1, X))
    assert torch.equal(found, X + 1)


def test_what_raised_is_shared_too(calls, shown):
    notebook, ask = calls
    tried = []

    def fails(X):
        tried.append(X)
        raise ValueError("so")

    for name in ("first", "second"):
        with pytest.raises(KeyError):  # there is no value
            ask(name, function=fails)
        _, outcomes = evidence.from_output(shown[-1][evidence.MIME])
        assert outcomes["small"].raised == "ValueError: so"
    assert len(tried) == 1
