"""What a verdict is given on: evidence, once, of this check, and nothing else that a cell shows."""

from dataclasses import replace

import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.utils import determine_grade

from autograder.grading import verdicts
from autograder.grading.notebooks import NOTES, VERDICT_MIME
from autograder.grading.verdicts import judge_cell, judge_notebook, verdict_output
from autograder.notebook.cases import Case, CasesNotFound, KnownMistake, RecordedCheck
from autograder.notebook.evidence import MIME, TEXT_LIMIT, Outcome, observe, to_output
from autograder.notebook.judge import Verdict

NOT_JUDGED = new_output("error", ename="NotJudged", evalue="loss: recorded, but not judged")
RAISED = new_output("error", ename="ValueError", evalue="bad")


def returned(*values):
    """Return the outcomes of the two cases of the check."""
    found = (Outcome({"loss": observe(torch.tensor(value).double())}) for value in values)
    return dict(zip(("first", "second"), found, strict=True))


@pytest.fixture
def reference():
    """A check of two cases, and a mistake that doubles."""
    cases = tuple(
        Case(name, f"the {name} case", {}, expected=outcome)
        for name, outcome in returned(1.5, 2.5).items()
    )
    doubled = KnownMistake("doubled", "Halve it.", 0.75, returned(3.0, 5.0))
    check = RecordedCheck("loss", "the loss", {"loss": "return"}, cases, mistakes=(doubled,))
    return {"loss": check}


def cell_with(*outputs, name="loss"):
    cell = new_code_cell("check.hidden(…)", outputs=list(outputs))
    cell.metadata["nbgrader"] = {"grade_id": name, "points": 7, "grade": True, "solution": False}
    return cell


def recorded(outcomes, check="loss"):
    return evidence(to_output(check, outcomes))


def evidence(data):
    return new_output("display_data", data={MIME: data})


RIGHT = recorded(returned(1.5, 2.5))
HALF = recorded(returned(1.5, 7.0))


# One cell


@pytest.mark.parametrize("outputs", [[RIGHT], [RIGHT, NOT_JUDGED], [NOT_JUDGED, RIGHT]])
def test_evidence_that_is_right_has_full_marks(reference, outputs):
    cell = cell_with(*outputs)
    assert judge_cell(cell, reference).fraction == 1
    assert cell.outputs[0].data["text/plain"] == "7"


def test_evidence_that_is_right_counts_whatever_else_the_cell_shows(reference):
    noise = [
        new_output("stream", name="stdout", text="0"),
        new_output("execute_result", data={"text/plain": "0"}),
        new_output("display_data", data={VERDICT_MIME: {"points": 0}}),
        RAISED,
    ]
    cell = cell_with(*noise, RIGHT, *noise)
    assert judge_cell(cell, reference).fraction == 1
    assert [output.data["text/plain"] for output in cell.outputs] == ["7"]


@pytest.mark.parametrize(
    "outputs, reason",
    [
        ([], "this cell left no evidence"),
        ([NOT_JUDGED], "this cell left no evidence"),
        ([new_output("stream", name="stdout", text="7")], "this cell left no evidence"),
        ([new_output("execute_result", data={"text/plain": "7"})], "this cell left no evidence"),
        ([new_output("execute_result", data={"text/plain": "nan"})], "this cell left no evidence"),
        ([new_output("display_data", data={VERDICT_MIME: {"points": 7}})], "left no evidence"),
        ([new_output("execute_result", data=RIGHT.data)], "this cell left no evidence"),
        ([RAISED], "this cell raised ValueError: bad"),
        ([RAISED, NOT_JUDGED], "this cell raised ValueError: bad"),
        ([new_output("error", ename="KeyboardInterrupt", evalue="")], "raised KeyboardInterrupt"),
        ([recorded({})], "this case left no evidence"),
        ([recorded({"invented": returned(1.5, 2.5)["first"]})], "this case left no evidence"),
        ([recorded(returned(1.5, 2.5), "another")], "belongs to another check"),
        ([RIGHT, RIGHT], "this cell recorded evidence 2 times, not once"),
        ([RIGHT, recorded({}, "another")], "this cell recorded evidence 2 times, not once"),
        ([evidence({"schema_version": 1})], "the recorded evidence cannot be read"),
        ([evidence({"schema_version": 2})], "the recorded evidence cannot be read"),
        ([evidence("right")], "the recorded evidence cannot be read"),
        ([evidence([])], "the recorded evidence cannot be read"),
        ([evidence(None)], "the recorded evidence cannot be read"),
    ],
)
def test_anything_else_has_none_and_a_reason(reference, outputs, reason):
    cell = cell_with(*outputs)
    verdict = judge_cell(cell, reference)
    assert reason in verdict.reason
    assert verdict.fraction == 0
    assert [output.data["text/plain"] for output in cell.outputs] == ["0"]


def test_a_forged_case_or_leaf_is_no_help(reference):
    forged = {
        "first": Outcome({"loss": observe(float("nan")), "extra": observe(1)}),
        "invented": returned(1.5, 2.5)["first"],
    }
    assert judge_cell(cell_with(recorded(forged)), reference).fraction == 0


def test_a_part_that_is_right_has_its_part_of_the_points(reference):
    cell = cell_with(HALF)
    assert judge_cell(cell, reference).fraction == 0.5
    assert cell.outputs[0].data["text/plain"] == "3.5"


def test_a_known_mistake_has_its_share_and_its_hint(reference):
    verdict = judge_cell(cell_with(recorded(returned(3.0, 5.0))), reference)
    assert (verdict.fraction, verdict.mistake, verdict.hint) == (0.75, "doubled", "Halve it.")


def test_evidence_that_breaks_the_judge_has_none_and_grading_goes_on(reference, monkeypatch):
    def breaks(*_):
        raise RuntimeError("overflow " * 100)

    monkeypatch.setattr(verdicts, "judge", breaks)
    verdict = judge_cell(cell_with(RIGHT), reference)
    assert verdict.fraction == 0
    assert verdict.reason.startswith("the evidence cannot be judged: RuntimeError('overflow")
    assert len(verdict.reason) == TEXT_LIMIT


def test_a_reason_that_a_student_wrote_is_clipped_and_can_be_shown(reference):
    endless = new_output("error", ename="E\x1b[2J", evalue="a\n" * 1000)
    reason = judge_cell(cell_with(endless), reference).reason
    assert reason.startswith("this cell raised E [2J: a a a")
    assert len(reason) <= TEXT_LIMIT + len("this cell raised ")


def test_a_check_without_reference_stops_the_grading(reference):
    for judge in (
        lambda: judge_cell(cell_with(RIGHT, name="invented"), reference),
        lambda: judge_notebook(new_notebook(cells=[cell_with(name="invented")]), reference),
    ):
        with pytest.raises(CasesNotFound) as caught:
            judge()
        assert str(caught.value) == (
            "cell invented: this check has no reference tensors; "
            "record them with `autograder reference`."
        )


# What a judged cell shows


@pytest.mark.parametrize(
    ("fraction", "points"), [(1, "7"), (0.5, "3.5"), (1 / 3, "2.33"), (0.99999, "6.99"), (0, "0")]
)
def test_nbgrader_reads_the_points_of_a_verdict(fraction, points):
    cell = cell_with(verdict_output(Verdict("loss", "the loss", fraction, ""), 7.0))
    assert cell.outputs[0].data["text/plain"] == points
    assert determine_grade(cell) == (float(points), 7)


def test_people_read_a_table_and_programs_all_there_is(reference):
    cell = cell_with(recorded(returned(3.0, 5.0)))
    judge_cell(cell, reference)
    (output,) = cell.outputs
    assert set(output.data) == {"text/plain", "text/html", VERDICT_MIME}
    page, told = output.data["text/html"], output.data[VERDICT_MIME]
    assert "loss: 5.25 of 7 points" in page and "the first case" in page and "Halve it." in page
    assert (told["points"], told["maximum"], told["mistake"]) == (5.25, 7, "doubled")
    assert [case["name"] for case in told["cases"]] == ["first", "second"]


def test_markup_in_a_reason_is_text_in_the_table(reference):
    cell = cell_with(new_output("error", ename="</div><script>", evalue="attack"))
    judge_cell(cell, reference)
    assert "&lt;/div&gt;&lt;script&gt;: attack" in cell.outputs[0].data["text/html"]


# A whole notebook


def own(*outputs, name=""):
    metadata = {"nbgrader": {"grade_id": name, "solution": True}} if name else {}
    return new_code_cell("x", outputs=list(outputs), metadata=metadata)


def reasons(reference, *cells, **metadata):
    """Judge a notebook. Returns the reasons in its judged cells."""
    notebook = new_notebook(cells=list(cells), metadata=metadata)
    judge_notebook(notebook, reference)
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [o.data[VERDICT_MIME]["reason"] for o in shown if VERDICT_MIME in o.get("data", {})]


def test_every_check_of_a_notebook_is_judged(reference):
    assert reasons(reference, cell_with(RIGHT), own(), cell_with(HALF)) == [
        "correct",
        "loss: relative error 1.8e+00, at most 1e-07 allowed",
    ]


def test_cells_that_no_judge_marks_keep_what_they_show(reference):
    kept = [own(RAISED, name="nn_loss"), own(RIGHT), new_markdown_cell("text")]
    marked = own(RIGHT, name="by_a_person")
    marked.metadata.nbgrader["grade"] = True
    before = [str(cell) for cell in [*kept, marked]]
    assert reasons(reference, *kept, marked) == []
    assert [str(cell) for cell in [*kept, marked]] == before


def test_the_first_error_before_a_check_is_told_where_it_may_be_the_reason(reference):
    other = new_output("error", ename="NameError", evalue="x")
    found = reasons(
        reference, new_markdown_cell("text"), own(RAISED), own(other, name="nn_loss"),
        cell_with(), cell_with(other), cell_with(HALF), cell_with(RIGHT),
    )  # fmt: skip
    told = "; earlier, cell 2 (your own) raised ValueError: bad"
    assert found == [
        f"this cell left no evidence{told}",
        f"this cell raised NameError: x{told}",
        "loss: relative error 1.8e+00, at most 1e-07 allowed",
        "correct",
    ]


def test_an_error_in_a_named_cell_is_told_by_its_name_and_one_after_the_check_is_not(reference):
    found = reasons(reference, cell_with(), own(RAISED, name="nn_loss"), cell_with())
    assert found == [
        "this cell left no evidence",
        "this cell left no evidence; earlier, cell 2 (nn_loss) raised ValueError: bad",
    ]


def test_an_error_in_a_check_is_not_the_reason_of_another_one(reference):
    assert reasons(reference, cell_with(RAISED), cell_with())[1] == "this cell left no evidence"


def test_of_a_notebook_that_could_not_be_read_nothing_counts(reference):
    notes = {NOTES: {"notes": [], "unreadable": "the file is empty"}}
    assert reasons(reference, cell_with(RIGHT), cell_with(), **notes) == 2 * ["the file is empty"]


def test_a_notebook_that_was_only_repaired_counts(reference):
    notes = {NOTES: {"notes": ["loss: put back."], "unreadable": ""}}
    assert reasons(reference, cell_with(RIGHT), **notes) == ["correct"]


def test_a_notebook_without_checks_needs_no_references():
    assert reasons({}, own(RAISED), new_markdown_cell("text")) == []


# What an earlier answer costs


@pytest.fixture
def chain(reference):
    """Return a function that judges answers `first` and `second`, which calls it."""
    check = reference["loss"]
    names = ("first_values", "second_values")
    references = {name: replace(check, name=name) for name in names}
    sources = {"first": "def first(x): return x", "second": "def second(x): return first(x)"}

    def judged(*outcomes):
        cells = []
        for (answer, source), found in zip(sources.items(), outcomes, strict=True):
            cells.append(new_code_cell(source, metadata={"nbgrader": {"solution": True}}))
            cells.append(cell_with(recorded(found, f"{answer}_values"), name=f"{answer}_values"))
            cells[-1].source = f"check.hidden('{answer}_values', {answer})"
        judge_notebook(new_notebook(cells=cells), references)
        return [cells[at].outputs[0].data[VERDICT_MIME]["reason"] for at in (1, 3)]

    return judged


def test_what_an_earlier_answer_may_have_cost_is_said(chain):
    wrong, right = returned(1.5, 7.0), returned(1.5, 2.5)
    begin = "; this uses first, which lost points in first_values: begin there"
    first, second = chain(wrong, wrong)
    assert begin not in first
    assert second.endswith(begin)
    assert chain(wrong, right)[1] == "correct"
    assert not chain(right, wrong)[1].endswith(begin)


def test_where_a_hint_is_certain_no_earlier_answer_is_named(chain):
    assert "this uses" not in chain(returned(1.5, 7.0), returned(3.0, 5.0))[1]
