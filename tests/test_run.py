"""A notebook in a kernel: what is left when the kernel dies or a cell does not end."""

from nbformat.v4 import new_code_cell, new_notebook
from traitlets.config import Config

from autograder.check import CHALLENGE_FILE
from autograder.run import run


def executed(*sources, **more):
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    return run(notebook, b"inputs", **more).cells


def test_the_challenge_lies_beside_the_notebook_while_it_runs(tmp_path):
    extra = tmp_path / "notes.txt"
    extra.write_text("hello")
    source = f"print(open('{CHALLENGE_FILE}').read(), open('data/notes.txt').read())"
    (cell,) = executed(source, files={"data/notes.txt": extra})
    assert cell.outputs[0].text == "inputs hello\n"


def test_a_dead_kernel_leaves_what_was_there_and_says_where_it_died():
    before, death, after = executed("print(1)", "import os; os._exit(1)", "print(2)")
    assert before.outputs[0].text == "1\n"
    assert death.outputs[0].ename == "DeadKernel"
    assert after.outputs == []


def test_an_endless_cell_is_ended_and_the_next_ones_run():
    endless, after = executed("while True: pass", "print(2)", config=Config(Execute={"timeout": 2}))
    assert endless.outputs[-1].ename in ("CellTimeoutError", "KeyboardInterrupt")
    assert after.outputs[0].text == "2\n"
