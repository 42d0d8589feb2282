"""What can be done to a notebook and its evidence, and that none of it pays.

What code in a cell can do is in `tests/attacks/`, what evidence can be in
`tests/grading/test_verdicts.py`.
"""

from copy import deepcopy
from textwrap import dedent

import pytest

from autograder import CHALLENGE_FILE
from autograder.authoring.solutions import with_cells
from autograder.grading.notebooks import grade_id
from autograder.notebook import cases
from autograder.reports.results import collect
from tests import submissions
from tests.fixtures import A1, grade_all, scores


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
    for student in collect(graded.assignment(A1)).students:
        assert all(check.reason for check in student.checks.values()), student.student
