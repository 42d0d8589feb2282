"""What can be done to a notebook and its evidence, and that none of it pays.

What code in a cell can do is in `tests/attacks/`.
"""

from copy import deepcopy
from textwrap import dedent

import pytest
from nbformat.v4 import new_code_cell, new_output

from autograder import CHALLENGE_FILE
from autograder.authoring.solutions import with_cells
from autograder.grading import report
from autograder.grading.notebooks import grade_id
from autograder.grading.verdicts import judge_cell
from autograder.notebook import cases
from autograder.notebook.evidence import MIME, Outcome, observe, to_output
from tests import submissions
from tests.fixtures import A1, grade_all, scores


@pytest.fixture(scope="module")
def reference():
    return cases.load_references(submissions.folder(A1))


def cell_with(*outputs):
    cell = new_code_cell("check.hidden(…)", outputs=list(outputs))
    cell.metadata["nbgrader"] = {"grade_id": "forward_scores", "points": 7, "grade": True}
    return cell


def recorded(check, data=None):
    return new_output("display_data", data={MIME: data or to_output(check, {})})


def right_evidence(reference, check="forward_scores"):
    return to_output(check, {case.name: case.expected for case in reference[check].cases})


def test_evidence_that_is_right_has_full_marks(reference):
    cell = cell_with(recorded("", right_evidence(reference)))
    assert judge_cell(cell, reference).fraction == 1
    assert cell.outputs[0].data["text/plain"] == "7"


@pytest.mark.parametrize(
    "outputs, reason",
    [
        ([], "this cell left no evidence"),
        ([new_output("execute_result", data={"text/plain": "7"})], "this cell left no evidence"),
        ([new_output("execute_result", data={"text/plain": "nan"})], "this cell left no evidence"),
        (
            [new_output("error", ename="ValueError", evalue="bad")],
            "this cell raised ValueError: bad",
        ),
        ([recorded("forward_scores")], "this case left no evidence"),
        ([recorded("forward_hidden")], "the evidence in this cell belongs to another check"),
        ([recorded("forward_scores"), recorded("forward_scores")], "evidence 2 times, not once"),
        ([recorded("", {"schema_version": 1})], "the recorded evidence cannot be read"),
    ],
)
def test_anything_else_has_none_and_a_reason(reference, outputs, reason):
    cell = cell_with(*outputs)
    verdict = judge_cell(cell, reference)
    assert reason in verdict.reason
    assert verdict.fraction == 0
    assert [output.data["text/plain"] for output in cell.outputs] == ["0"]


def test_evidence_of_the_right_numbers_twice_is_refused(reference):
    good = recorded("", right_evidence(reference))
    assert judge_cell(cell_with(good, good), reference).fraction == 0


def test_a_forged_case_or_leaf_is_no_help(reference):
    (first, *_) = reference["forward_scores"].cases
    forged = {
        first.name: Outcome({"scores": observe(float("nan")), "extra": observe(1)}),
        "invented": first.expected,
    }
    assert (
        judge_cell(cell_with(recorded("", to_output("forward_scores", forged))), reference).fraction
        == 0
    )


def test_a_check_without_reference_stops_the_grading(reference):
    cell = cell_with()
    cell.metadata["nbgrader"]["grade_id"] = "invented"
    with pytest.raises(cases.CasesNotFound, match="cell invented: this check has no reference"):
        judge_cell(cell, reference)


# Whole submissions


def edited_grade_cells(notebook):
    return with_cells(
        notebook, {"forward_scores": "7.0", "predictions": "check.public = print\n5.0"}
    )


def deleted_grade_cells(notebook):
    kept = [
        cell for cell in notebook.cells if grade_id(cell) not in ("forward_scores", "predictions")
    ]
    notebook.cells = kept
    return notebook


def more_points(notebook):
    for cell in notebook.cells:
        if grade_id(cell) == "forward_scores":
            cell.metadata["nbgrader"]["points"] = 700
    return notebook


def replaced_checker(notebook):
    attack = """
        class Fake:
            def public(self, *arguments): pass
            def hidden(self, *arguments): pass

        check = Fake()
    """
    return with_cells(notebook, {"nn_forward_pass": dedent(attack)})


ATTACKS = (edited_grade_cells, deleted_grade_cells, more_points, replaced_checker)


@pytest.fixture(scope="module")
def graded(course_of):
    blank = submissions.released_notebook(A1)
    solved = submissions.in_release(A1, submissions.source_notebook(A1))
    notebooks = {attack.__name__: attack(deepcopy(blank)) for attack in ATTACKS}
    notebooks["honest_with_edited_cells"] = edited_grade_cells(solved)
    notebooks |= dict.fromkeys(("own_challenge", "own_answers"), blank)
    course = course_of(notebooks, "attacks")

    def beside(student, name, data):
        path = course.assignment(A1).submitted(student) / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(data)

    beside("own_challenge", CHALLENGE_FILE, cases.challenge({}))
    public = (submissions.folder(A1) / cases.PUBLIC).read_bytes()
    for folder in (f"source/{A1}", f"autograder/assignments/{A1}", "."):
        beside("own_answers", f"{folder}/{cases.REFERENCES}", public)
    assert set(grade_all(course).values()) == {""}
    return course


@pytest.mark.parametrize(
    "student",
    [attack.__name__ for attack in ATTACKS] + ["own_challenge", "own_answers"],
)
def test_an_attack_on_a_blank_notebook_scores_nothing(graded, student):
    assert [score for score in scores(graded)[student].values() if score] == []


def test_edited_grade_cells_are_restored_and_an_honest_solution_keeps_its_points(graded):
    assert sum(score or 0 for score in scores(graded)["honest_with_edited_cells"].values()) == 85


def test_every_zero_has_a_reason(graded):
    for student in report.collect(graded.assignment(A1)).students:
        assert all(check.reason for check in student.checks.values()), student.student
