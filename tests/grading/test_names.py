"""A name of the course's that a student's cell takes: who is told, and who is not."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from autograder import NOT_GRADED
from autograder.grading.names import asked, read, taken
from autograder.grading.notebooks import grade_id
from autograder.grading.verdicts import judge_notebook
from tests import worked_example
from tests.worked_example import CHECK, MISTAKEN, RIGHT


def locked(source, name):
    return new_code_cell(source, metadata={"nbgrader": {"locked": True, "grade_id": name}})


def solution(source, name):
    return new_code_cell(source, metadata={"nbgrader": {"solution": True, "grade_id": name}})


SETUP = "import torch\nfrom autograder import Checker\ncheck = Checker('a0')\nN = 4"
CELLS = [
    locked(SETUP, "setup"),
    locked("def helper(x):\n    return [torch.relu(y) for y in x]", "helpers"),
    new_markdown_cell("torch = 5"),
    solution("def loss(x):\n    return helper(x)", "loss"),
    locked("check.public('loss', loss)", "loss_values"),
]


def said(*sources, above=3):
    """Say what is told of cells of the student's above the solution, or elsewhere."""
    own = [new_code_cell(source) for source in sources]
    cells = [*CELLS[:above], *own, *CELLS[above:]]
    return taken(cells, len(cells) - 1)


@pytest.mark.parametrize(
    "source",
    [
        "torch = 5", "for torch in range(3): pass", "def torch(): pass", "class torch: pass",
        "del torch", "with open('x') as torch: pass", "torch, x = 1, 2",
        "%matplotlib inline\n!ls\ntorch = 1",
        "if x:\n    torch = 1", "(torch := 3)", "torch += 1",
    ],
)  # fmt: skip
def test_the_cell_that_took_a_name_and_the_one_it_is_of_are_named(source):
    """The check uses it by way of two functions."""
    assert said(source) == (
        "cell 4 (your own) redefines torch; this check needs the one from the course's cell setup: "
        "choose another name"
    )


def test_a_solution_that_takes_a_name_is_called_by_its_own():
    cells = [*CELLS[:3], solution("helper = 3\ndef loss(x): return helper", "loss"), CELLS[4]]
    assert taken(cells, 4).startswith("cell 4 (loss) redefines helper; ")


@pytest.mark.parametrize(
    "source",
    [
        "x = torch.ones(3)", "import torch", "import torch as torch", "from mine import torch",
        "def own(torch): torch = 3", "[torch for torch in range(3)]", "N = 3", "check = 1",
        "torch = (", f"{NOT_GRADED}\ntorch = 1", "%%bash\ntorch=1", "torch.x = 1", "",
    ],
)  # fmt: skip
def test_of_what_changes_nothing_nobody_is_told(source):
    assert said(source) == ""


def test_a_copy_of_the_course_s_own_definition_gives_no_other_meaning():
    copy = CELLS[1].source.replace("    return", "    # mine\n    return")
    assert said(copy, "N = 4") == ""
    assert "redefines helper" in said(copy.replace("relu", "exp"))
    assert said(copy.replace("relu", "exp"), copy) == ""


def test_a_text_that_python_warns_of_is_read_in_silence(recwarn):
    read("label = '\\d x'")
    assert not recwarn


def test_a_name_that_the_course_takes_back_or_that_is_taken_later_is_none():
    again = [CELLS[0], new_code_cell("torch = 5"), *CELLS]
    assert taken(again, len(again) - 1) == ""
    assert taken([*CELLS, new_code_cell("torch = 5")], 4) == ""
    assert said("torch = 5", above=0) == ""


def test_what_a_check_asks_of_answers_is_found_through_what_the_course_and_the_student_wrote():
    cells = [
        *CELLS[:3],
        solution("def forward(x):\n    return helper(x)", "forward"),
        new_code_cell("def mine(x):\n    return forward(x)"),
        solution("def loss(x):\n    return mine(x)\nclass Net:\n    f = forward", "loss"),
        locked("def describe(x):\n    return loss(x)", "describe"),
        locked("check.public('loss', describe)", "loss_values"),
        locked("check.public('net', Net, loss, forward)", "net_values"),
    ]
    assert asked(cells, 7) == (["loss"], ["forward"])
    assert asked(cells, 8) == (["Net", "forward", "loss"], [])
    again = [*cells[:3], cells[3], locked("def forward(x): return x", "given"), *cells[4:]]
    assert asked(again, 8) == (["loss"], [])


@pytest.mark.parametrize(
    "many",
    ["-", "a.", "not ", "lambda:", "[", "x if x else ", "a+", "f(", "\n", "x=", "if x:\n ", "a;"],
)
def test_no_cell_is_too_much(many):
    for length in (5_000, 99_000, 10**6):
        assert set(read(many * (length // len(many)) + "1").names) <= {"x"}


def test_a_cell_that_is_no_python_defines_nothing():
    assert read("f = " + "lambda: " * 1500 + "1") == read("")
    assert read("torch = (") == read("\0") == read("(" * 500) == read("")


def using_torch(solution):
    return solution.replace("    return", "    torch.tensor(1)\n    return")


def test_it_is_a_part_of_the_reason_of_lost_points_and_of_no_other(example):
    def reason(code, own):
        notebook = worked_example.notebook()
        cells = {grade_id(cell): cell for cell in notebook.cells}
        cells["squared_error"].source = code
        notebook.cells.insert(3, new_code_cell(own))
        challenge = worked_example.load_assignment(example).challenge
        done = worked_example.executed(notebook, challenge)
        judge_notebook(done, worked_example.load_assignment(example).references)
        (output,) = next(cell for cell in done.cells if grade_id(cell) == CHECK).outputs
        return output["data"]["application/vnd.gradient-check.verdict+json"]["reason"]

    told = (
        "cell 4 (your own) redefines torch; this check needs the one from the course's cell setup"
    )
    assert told in reason(using_torch(MISTAKEN), "keep = torch; torch = keep")
    assert reason(using_torch(RIGHT), "keep = torch; torch = keep") == "correct"
    assert "another meaning" not in reason(MISTAKEN, "torch = torch")
