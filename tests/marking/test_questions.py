"""What is to be marked, and what its author wrote for whoever marks it."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from autograder.grading.course import CourseError
from autograder.grading.notebooks import grade_id
from autograder.marking import questions
from autograder.marking.questions import Part, parts_of, rows_of
from tests import submissions, worked_example
from tests.grading.test_exercises import QUESTION, cell
from tests.submissions import ASSIGNMENTS

SCHEME = "**Marking.** 2 points: the $x^2$ (half without). 1 point: two causes. None for luck."
MODEL = "**Model answer.** Because."
SOLUTION = f"### BEGIN SOLUTION\n{MODEL}\n\n{SCHEME}\n### END SOLUTION"
TASK = {"solution": False, "grade": False, "task": True, "points": 4, "locked": True}


def with_cells(example, *cells):
    """Put cells at the top of the source notebook."""
    source = nbformat.read(example.notebook(), 4)
    for one in cells:
        if grade_id(one):
            one.metadata.nbgrader.update(
                {"locked": False, "task": False, "schema_version": 3, **one.metadata.nbgrader}
            )
    source.cells[1:1] = cells
    nbformat.write(source, example.notebook())


def answer(name="why", source=SOLUTION, kind=new_markdown_cell, **nbgrader):
    one = cell(name, kind, **{**QUESTION, **nbgrader})
    one.source = source
    return one


def asked(example):
    """Ask a question in the course, and release it."""
    with_cells(example, new_markdown_cell("## Squares\n\n**Question** (3 points). Why?"), answer())
    assert example.course.api.generate_assignment(worked_example.NAME)["success"]
    return example


def handed_in(example, **written):
    """Let students answer the question, None as it was released, and grade them."""
    for student, text in written.items():
        path = worked_example.hand_in(example, student, worked_example.RIGHT)
        notebook = nbformat.read(path, 4)
        if text is not None:
            next(one for one in notebook.cells if grade_id(one) == "why").source = text
        nbformat.write(notebook, path)
    assert set(worked_example.grade(example).values()) == {""}
    return example


def test_scheme_and_model_answer_stand_beside_the_question(example):
    with_cells(example, new_markdown_cell("## Squares\n\n**Question** (3 points). Why?"), answer())
    (why,) = questions.questions(example).values()
    assert (why.name, why.label, why.section, why.maximum) == ("why", "Why", "Squares", 3)
    assert why.text.endswith("**Question** (3 points). Why?")
    assert (why.scheme, why.model) == (SCHEME, MODEL)
    assert why.parts == (Part(2, "the $x^2$ (half without)"), Part(1, "two causes"))


@pytest.mark.parametrize("title", ["## Marking scheme", "**Marking scheme**", "**Marks:**"])
def test_a_scheme_is_known_by_its_title(example, title):
    with_cells(
        example, answer(source=f"### BEGIN SOLUTION\nYes.\n\n{title}\n3 if yes.\n### END SOLUTION")
    )
    (why,) = questions.questions(example).values()
    assert (why.model, why.scheme, why.parts) == ("Yes.", f"{title}\n3 if yes.", ())


def test_a_solution_without_a_scheme_is_a_model_answer(example):
    with_cells(example, answer(source="Good marks go to marking."))
    (why,) = questions.questions(example).values()
    assert (why.model, why.scheme, why.parts) == ("Good marks go to marking.", "", ())


def test_a_question_in_code_has_a_model_answer_in_code(example):
    with_cells(
        example, answer(source="### BEGIN SOLUTION\nx = 1\n### END SOLUTION", kind=new_code_cell)
    )
    (why,) = questions.questions(example).values()
    assert (why.model, why.scheme) == ("```python\nx = 1\n```", "")


def test_a_task_has_its_scheme_in_itself(example):
    text = (
        "Draw it.\n=== BEGIN MARK SCHEME ===\n1 point: axes. 3 points: the rest.\n"
        "=== END MARK SCHEME ==="
    )
    with_cells(example, answer("draw", text, **TASK))
    (draw,) = questions.questions(example).values()
    assert (draw.text.strip(), draw.model) == ("Draw it.", "")
    assert draw.scheme == "1 point: axes. 3 points: the rest."
    assert [part.points for part in draw.parts] == [1, 3]


def test_an_assignment_without_questions_says_so(example):
    with pytest.raises(CourseError, match=r"no cell is marked by a person; `autograder report"):
        questions.questions(example)


# Lines with points


@pytest.mark.parametrize("scheme, found", [
    ("2 points: a. 1 point: b.", [(2, "a"), (1, "b")]),
    ("1½ points: a. ½ point: b. 1 point: c. Nothing for luck.", [(1.5, "a"), (0.5, "b"), (1, "c")]),
    ("*A:* 2.5 points: a (He 2016).\n\n0.5 points: b", [(2.5, "a (He 2016)"), (0.5, "b")]),
    ("2 points for each (two wanted). 1 point: b.", []),  # who knows how many there are?
    ("2 points: a. 2 points: b.", []),  # more than there are
    ("3 points: a.", []),  # one line is no help
    ("As in the table above.", []),
])  # fmt: skip
def test_lines_of_a_scheme_are_offered_if_they_add_up_to_all_points(scheme, found):
    assert [(part.points, part.text) for part in parts_of(scheme, 3.0)] == found


def test_rows_of_a_table_are_offered_on_the_same_terms():
    table = "| | points |\n|---|---:|\n| the claim | 1 |\n| table: `a`, b | 2 |\n"
    assert rows_of(table, 3.0) == (Part(1, "the claim"), Part(2, "table: `a`, b"))
    assert rows_of(table, 4.0) == ()


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_every_question_of_the_course_has_a_scheme_and_most_have_lines(assignment):
    found = questions.questions(submissions.clone().assignment(assignment)).values()
    assert found
    for one in found:
        assert one.text and one.scheme and one.model, one.name
    assert 2 * sum(bool(one.parts) for one in found) >= len(found)
