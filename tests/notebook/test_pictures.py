"""Pictures that a text cell shows from a file are handed in with the notebook."""

import base64

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.grading.repair import submitted
from autograder.notebook import pictures

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def texts(*sources):
    return new_notebook(cells=[new_markdown_cell(source) for source in sources])


@pytest.mark.parametrize(("source", "names"), [
    ("![My figure](a.png) and ![](plots/two%20runs.jpg)", ["a.png", "plots/two%20runs.jpg"]),
    ('<img width="300" src="a.png"> ![]( <b.webp> "a title")', ["a.png", "b.webp"]),
    ("![](attachment:figure.png) ![](https://a.org/b.png) ![](data:image/png;base64,AA)", []),
    ("[a link](figure.png), `figure.png`, `![in code](figure.png)`", []),
    ('<img src="Screenshot at 10.00.00.png">', ["Screenshot at 10.00.00.png"]),
    ("<img alt='a' src='b (1).png'/>", ["b (1).png"]),
    ("![loss](loss%20(1).png) ![](<loss (2).png>)", ["loss%20(1).png", "loss (2).png"]),
])  # fmt: skip
def test_files_are_told_from_addresses_and_from_what_was_pasted(source, names):
    assert list(pictures.linked(texts(source))) == names


def test_a_picture_of_a_code_cell_is_not_meant():
    notebook = new_notebook(cells=[new_code_cell('print("![](figure.png)")')])
    assert not list(pictures.linked(notebook))


def test_a_picture_is_carried_as_one_that_was_pasted(tmp_path):
    (tmp_path / "two runs.png").write_bytes(PNG)
    before = texts("![Two runs](two%20runs.png) as above", "no picture")
    after = pictures.embedded(before, tmp_path)
    assert after.cells[0].source == "![Two runs](attachment:two_runs.png) as above"
    ((kind, data),) = after.cells[0].attachments["two_runs.png"].items()
    assert (kind, base64.b64decode(data)) == ("image/png", PNG)
    assert "attachments" not in after.cells[1]
    assert before.cells[0].source == "![Two runs](two%20runs.png) as above"


@pytest.mark.parametrize("source", [
    '<img src="two (1).png" width="300">', "<img width=300 src='two (1).png'>",
    "![](two%20(1).png)", '![](<two (1).png> "a title")',
])  # fmt: skip
def test_a_name_with_spaces_and_brackets_is_carried(source, tmp_path):
    (tmp_path / "two (1).png").write_bytes(PNG)
    after = pictures.embedded(texts(source), tmp_path)
    assert list(after.cells[0].attachments) == ["two__1_.png"]
    assert not list(pictures.linked(after))
    assert "attachment:two__1_.png" in after.cells[0].source


def test_pictures_are_carried_up_to_what_a_grader_keeps(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(bytes(pictures.LARGEST - 1000))
    notebook = texts(*(f"![]({number}.png)" for number in range(5)))
    assert pictures.together(notebook, tmp_path) > pictures.TOGETHER
    after = pictures.embedded(notebook, tmp_path)
    assert ["attachments" in cell for cell in after.cells] == [True] * 4 + [False]
    assert pictures.together(after, tmp_path) > pictures.TOGETHER
    assert pictures.TOGETHER * 4 / 3 < submitted.ALL_PICTURES


def test_two_pictures_of_one_name_in_two_folders_are_two(tmp_path):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "runs.png").write_bytes(PNG + folder.encode())
    after = pictures.embedded(texts("![](first/runs.png) ![](second/runs.png)"), tmp_path)
    both = after.cells[0].attachments
    assert (
        set(both) == {"first_runs.png", "second_runs.png"}
        and len(set(map(str, both.values()))) == 2
    )


@pytest.mark.parametrize(("name", "content", "why"), [
    ("gone.png", None, "there is no such file"), ("figure.pdf", b"%PDF", "it is no PNG, JPEG"),
    ("large.png", b"\0" * (pictures.LARGEST + 1), "it is larger than 6 MB"),
])  # fmt: skip
def test_what_cannot_be_carried_stays_a_link_with_a_reason(name, content, why, tmp_path):
    if content:
        (tmp_path / name).write_bytes(content)
    assert pictures.fault(name, tmp_path).startswith(why)
    notebook = texts(f"![]({name})")
    assert pictures.embedded(notebook, tmp_path) == notebook
