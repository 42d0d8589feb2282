"""Notebooks with other solutions in their cells."""

from nbformat.v4 import new_code_cell, new_notebook

from autograder.solutions import with_functions


def test_a_function_or_a_class_replaces_the_cell_of_its_name(tmp_path):
    names = ("loss", "Swish", "other")
    cells = [
        new_code_cell(f"# {name}", metadata={"nbgrader": {"grade_id": name}}) for name in names
    ]
    style = tmp_path / "style.py"
    style.write_text("def loss(x):\n    return x\n\n\nclass Swish:\n    beta = 1\n")
    changed = with_functions(new_notebook(cells=cells), style)
    assert [cell.source for cell in changed.cells] == [
        "def loss(x):\n    return x",
        "class Swish:\n    beta = 1",
        "# other",
    ]
