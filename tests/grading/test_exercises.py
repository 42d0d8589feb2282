"""Which exercise a graded cell belongs to."""

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.grading.exercises import exercises, sections


def cell(name="", kind=new_code_cell, **nbgrader):
    return kind("", metadata={"nbgrader": {"grade_id": name, **nbgrader}} if name else {})


SOLUTION = {"solution": True, "grade": False}
GRADED = {"solution": False, "grade": True, "points": 5}
QUESTION = {"solution": True, "grade": True, "points": 3}


def test_a_check_belongs_to_the_solution_it_follows_and_an_answer_to_the_questions():
    notebook = new_notebook(cells=[
        cell("before", **GRADED), cell("nn_loss", **SOLUTION), cell(), cell("loss", **GRADED),
        cell("why", new_markdown_cell, **QUESTION), cell("setup", solution=False, grade=False),
        cell("gradient", **GRADED), cell("nn_train", **SOLUTION), cell("own", **QUESTION),
        cell("trained", **GRADED),
    ])  # fmt: skip
    assert exercises(notebook) == {
        "before": "", "loss": "nn_loss", "why": "questions", "gradient": "nn_loss",
        "own": "questions", "trained": "nn_train",
    }  # fmt: skip


def test_a_notebook_without_checks_has_no_exercises():
    assert exercises(new_notebook(cells=[cell("nn_loss", **SOLUTION), cell()])) == {}


def test_a_graded_cell_is_in_the_section_whose_title_stands_above_it():
    def text(source):
        return new_markdown_cell(source)

    notebook = new_notebook(cells=[
        cell("first", **GRADED), text("# Title\n\n## 1 · Loss\ntext"), cell("loss", **GRADED),
        text("### Not a section\n## 2 · Why?"), cell("why", new_markdown_cell, **QUESTION),
        cell("not_graded", **SOLUTION),
    ])  # fmt: skip
    assert sections(notebook) == {"first": "", "loss": "1 · Loss", "why": "2 · Why?"}
