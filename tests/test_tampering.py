"""What a submission can do to itself, and that none of it pays."""

import shutil
from copy import deepcopy
from textwrap import dedent

import pytest
from nbformat.v4 import new_code_cell, new_output

from autograder import cases, report
from autograder.check import CHALLENGE_FILE
from autograder.evidence import MIME, Outcome, observe, to_output
from autograder.plugins import judge_cell
from autograder.solutions import grade_id, with_cells
from tests import submissions
from tests.conftest import A1, grade_all, scores


@pytest.fixture(scope="module")
def reference():
    return cases.load_reference(A1)


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

FAKE_PACKAGE = """
class Checker:
    def __init__(self, name): pass
    def public(self, name, function): pass
    hidden = public
"""


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


def hooks(notebook):
    """Blank every later cell."""
    attack = """
        shell = get_ipython()
        shell.input_transformers_cleanup.append(lambda lines: ["7.0\\n"])
    """
    return with_cells(notebook, {"nn_forward_pass": dedent(attack)})


def replaced_checker(notebook):
    attack = """
        class Fake:
            def public(self, *arguments): pass
            def hidden(self, *arguments): pass

        check = Fake()
    """
    return with_cells(notebook, {"nn_forward_pass": dedent(attack)})


def all_equal(notebook):
    attack = """
        class Equal(torch.Tensor):
            @classmethod
            def __torch_function__(cls, *arguments):
                return True

        def nn_forward_pass(params, X):
            return torch.zeros(1).as_subclass(Equal), 0
    """
    return with_cells(notebook, {"nn_forward_pass": dedent(attack)})


ATTACKS = (edited_grade_cells, deleted_grade_cells, more_points, hooks, replaced_checker, all_equal)


def overwrites_references(notebook):
    """Write public answers over the reference tensors that grading uses."""
    attack = f"""
        from pathlib import Path
        from autograder import cases
        Path({str(cases.REFERENCE_DIRECTORY)!r}, "{A1}.safetensors").write_bytes(b"")
    """
    return with_cells(notebook, {"nn_forward_pass": dedent(attack)})


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    """Grade with a copy of the references that a submission may spoil."""
    folder = tmp_path_factory.mktemp("references")
    shutil.copy(cases.REFERENCE_DIRECTORY / f"{A1}.safetensors", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cases, "REFERENCE_DIRECTORY", folder)
        yield folder


@pytest.fixture(scope="module")
def graded(course_of, references):
    blank = submissions.released_notebook(A1)
    solved = submissions.in_release(A1, submissions.source_notebook(A1))
    notebooks = {attack.__name__: attack(deepcopy(blank)) for attack in ATTACKS}
    notebooks["overwrites_references"] = overwrites_references(deepcopy(blank))
    notebooks["honest_with_edited_cells"] = edited_grade_cells(solved)
    notebooks |= dict.fromkeys(("shadow_package", "own_challenge", "own_answers"), blank)
    course = course_of(notebooks, "attacks")

    def beside(student, name, data):
        path = course.folder("submitted", student, A1) / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(data)

    beside("shadow_package", "autograder/__init__.py", FAKE_PACKAGE.encode())
    beside("own_challenge", CHALLENGE_FILE, cases.challenge({}))
    public = (cases.PUBLIC_DIRECTORY / f"{A1}.safetensors").read_bytes()
    for folder in ("public", "references", "autograder/public", "autograder/references"):
        beside("own_answers", f"{folder}/{A1}.safetensors", public)
    assert set(grade_all(course).values()) == {""}
    return course


@pytest.mark.parametrize(
    "student",
    [attack.__name__ for attack in ATTACKS] + ["shadow_package", "own_challenge", "own_answers"],
)
def test_an_attack_on_a_blank_notebook_scores_nothing(graded, student):
    assert [score for score in scores(graded)[student].values() if score] == []


def test_edited_grade_cells_are_restored_and_an_honest_solution_keeps_its_points(graded):
    assert sum(score or 0 for score in scores(graded)["honest_with_edited_cells"].values()) == 85


def test_an_overwritten_reference_changes_no_grade(graded, references):
    assert (references / f"{A1}.safetensors").read_bytes() == b""
    assert not any(scores(graded)["overwrites_references"].values())


def test_every_zero_has_a_reason(graded):
    for student in report.collect(graded, A1).students:
        assert all(check.reason for check in student.checks.values()), student.student
