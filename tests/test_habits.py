"""What people write into notebooks without a thought: it costs no points."""

import pytest
from nbformat.v4 import new_code_cell

from autograder.grading.execute import run
from autograder.grading.notebooks import VERDICT_MIME, grade_id, is_autograded
from autograder.grading.verdicts import judge_notebook
from autograder.notebook import cases
from tests.fixtures import A1
from tests.submissions import folder, source_notebook

OWN = {  # a cell behind the first task
    "await": "async def three():\n    return 3\nprint(await three())",
    "async for": "async def some():\n    yield 1\nasync for one in some():\n    print(one)",
    "asyncio": "import asyncio\nawait asyncio.sleep(0)",
    "output widget":
        "from ipywidgets import Output\nout = Output()\nwith out:\n    print('inside')\nout",
    "interact":
        "from ipywidgets import interact\n\n@interact(x=(0, 3))\ndef show(x=1):\n    print(x)",
    "quit": "quit()",
    "exit": "import sys\nsys.exit(1)",
    "cell magic": "%%time\nx = 1",
    "form of Colab": "#@title A title { run: 'auto' }\nx = 1 #@param {type: 'slider'}",
    "upload": "from google.colab import files\nfiles.upload()",
    "name of the checker": "check = torch.ones(3)",
    "name of the checker, deleted": "del check",
    "setup again": "from autograder import Checker\ncheck = Checker('a1_two_layer_net')",
    "a program": "!mkdir -p runs && ls",
    "a bash cell": "%%bash\necho hello",
    "a question": "torch.relu?",
    "input": "name = input('Your name? ')",
    "folder": "%cd /tmp\nimport os\nos.makedirs('runs', exist_ok=True)\nos.chdir('runs')",
    "default type": "torch.set_default_dtype(torch.float64)",
    "no gradients": "torch.set_grad_enabled(False)",
    "warnings": "import warnings\nwarnings.simplefilter('error')",
}  # fmt: skip
WITHIN = {  # lines above the first task's function
    "a program": "!mkdir -p runs", "a magic": "%load_ext autoreload\n%autoreload 2",
    "install": "%pip --version", "inline": "%matplotlib inline",
}  # fmt: skip


def points(notebook):
    """Run and judge the solved a1 with something in it. Returns its points."""
    references = cases.load_references(folder(A1))
    done = run(notebook, cases.challenge(references))
    judge_notebook(done, references)
    judged = (cell for cell in done.cells if is_autograded(cell))
    return sum(cell.outputs[0].data[VERDICT_MIME]["points"] for cell in judged)


def first_task(notebook):
    return next(i for i, c in enumerate(notebook.cells) if grade_id(c) == "nn_forward_pass")


@pytest.mark.parametrize("habit", OWN)
def test_a_cell_of_ones_own_costs_no_point(habit):
    notebook = source_notebook(A1)
    notebook.cells.insert(first_task(notebook) + 1, new_code_cell(OWN[habit]))
    assert points(notebook) == 85


@pytest.mark.parametrize("habit", WITHIN)
def test_a_line_above_a_solution_costs_no_point(habit):
    notebook = source_notebook(A1)
    cell = notebook.cells[first_task(notebook)]
    cell.source = f"{WITHIN[habit]}\n{cell.source}"
    assert points(notebook) == 85


def test_the_name_of_the_checker_means_what_the_student_lets_it_mean_in_other_cells():
    notebook = source_notebook(A1)
    notebook.cells.insert(first_task(notebook) + 1, new_code_cell("check = 'mine'"))
    notebook.cells.append(new_code_cell("print(check)"))
    done = run(notebook, cases.challenge(cases.load_references(folder(A1))))
    assert done.cells[-1].outputs[0].text == "mine\n"
