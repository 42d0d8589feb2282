"""Notebooks with other solutions in their cells."""

from nbformat.v4 import new_code_cell, new_notebook

from autograder.authoring.solutions import only_checks_that_use, with_functions


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


def test_checks_that_a_cell_cannot_reach_are_left_out():
    sources = {
        "setup": "import torch\nif True:\n    %pip install x\n!ls\nhere = !pwd\ntorch.sum?",
        "square": "def square(x):\n    return x * x",
        "norm": "def norm(v):\n    return sum(square(x) for x in v)",
        "other": "SIZE = 3",
        "square_values": 'check.public("square_values", square)',
        "norm_values": 'check.public("norm_values", norm)',
        "other_values": 'check.public("other_values", SIZE)',
        "answer": "square",
        "notes": "square is not Python, 50 % of the time",
        "people": "# not run when graded\nSIZE = square(2)",
    }
    metadata = {
        name: {"grade_id": name, "grade": name.endswith("values"), "solution": name == "answer"}
        for name in sources
    }
    cells = [
        new_code_cell(source, metadata={"nbgrader": metadata[name]})
        for name, source in sources.items()
    ]
    reached = {}
    for changed in ("square", "norm", "other"):
        kept = only_checks_that_use(new_notebook(cells=cells), changed).cells
        names = [cell.metadata["nbgrader"]["grade_id"] for cell in kept]
        reached[changed] = [name for name in names if name.endswith("_values")]
        assert set(sources) - set(names) == {n for n in sources if n.endswith("values")} - set(
            names
        )
    assert reached == {
        "square": ["square_values", "norm_values"],
        "norm": ["norm_values"],
        "other": ["other_values"],
    }
