"""Notebooks as bytes: the same notebook, read by our code or by others; and its cells' kinds."""

import json
from copy import deepcopy

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from autograder import NOT_GRADED
from autograder.grading.notebooks import (
    answers,
    answers_in,
    from_bytes,
    grade_id,
    is_autograded,
    runs_when_graded,
    to_bytes,
    to_file_bytes,
)

OUTPUTS = [
    new_output("stream", name="stdout", text="one\ntwo\r\nthree\n"),
    new_output("display_data", data={
        "text/plain": "a\nb", "text/html": "<p>\nä\u2028</p>", "image/png": "aGk=\n",
        "application/json": {"list": ["a\nb", 1.5, None, True]},
        "application/vnd.gradient-check.verdict+json": {"reason": "a\nb"},
    }),
    new_output("execute_result", data={}, execution_count=3),
    new_output("error", ename="E", evalue="a\nb", traceback=["a\nb", "c"]),
]  # fmt: skip


@pytest.fixture
def notebook():
    """A notebook with cells and outputs of every kind."""
    attached = new_markdown_cell("![a](attachment:a.png)\n", id="attached")
    attached["attachments"] = {"a.png": {"image/png": "aGk=\n"}}
    cells = [
        new_markdown_cell("# Title\n\ntext with a trailing line\n", id="title"),
        new_raw_cell("raw\n\n", id="raw"),
        attached,
        new_code_cell("", id="empty"),
        new_code_cell("x = 1\nprint(x)  # ∂", id="code", outputs=OUTPUTS, execution_count=3),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "deep": {"a": [1]}}
    return new_notebook(cells=cells, metadata=metadata)


def cell(kind=new_code_cell, source="", **nbgrader):
    return kind(source, metadata={"nbgrader": nbgrader} if nbgrader else {})


# As bytes


def test_what_a_program_wrote_another_one_reads(notebook):
    again = from_bytes(to_bytes(notebook))
    assert again == notebook
    assert isinstance(again.cells[4].outputs[1].data, NotebookNode)


def test_a_file_is_read_by_nbformat_as_the_same_notebook(notebook):
    assert nbformat.reads(to_file_bytes(notebook), 4) == notebook


def test_a_file_says_what_one_written_by_nbformat_says(notebook):
    assert json.loads(to_file_bytes(notebook)) == json.loads(nbformat.writes(notebook))


def test_a_file_has_texts_as_lists_of_lines_and_keys_in_order(notebook):
    text = to_file_bytes(notebook).decode()
    (code,) = (c for c in json.loads(text)["cells"] if c["id"] == "code")
    assert code["source"] == ["x = 1\n", "print(x)  # ∂"]
    assert list(code) == sorted(code)
    assert text.count("\n") > 100  # indented, so that two versions can be compared


def test_writing_a_file_leaves_the_notebook_as_it_was(notebook):
    before = deepcopy(notebook)
    to_file_bytes(notebook)
    assert notebook == before


def test_an_empty_notebook_is_one():
    empty = new_notebook()
    assert from_bytes(to_bytes(empty)) == nbformat.reads(to_file_bytes(empty), 4) == empty


# What cells are


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (cell(), ""),
        (cell(new_markdown_cell), ""),
        (cell(grade=True), ""),
        (cell(grade_id="loss"), "loss"),
        (cell(new_markdown_cell, grade_id="question"), "question"),
    ],
)
def test_a_cell_has_the_name_that_nbgrader_gave_it_or_none(made, name):
    assert grade_id(made) == name


@pytest.mark.parametrize(
    ("made", "autograded"),
    [
        (cell(grade=True), True),
        (cell(grade=True, solution=False), True),
        (cell(grade=True, solution=True), False),  # a person marks what a student wrote
        (cell(grade=False, solution=True), False),
        (cell(grade=False, locked=True), False),
        (cell(), False),
        (cell(new_markdown_cell, grade=True, solution=True), False),
        (cell(new_markdown_cell, grade=True), False),
        (cell(new_raw_cell, grade=True), False),
    ],
)
def test_a_judge_gives_points_to_code_that_the_student_did_not_write(made, autograded):
    assert is_autograded(made) is autograded


@pytest.mark.parametrize(
    ("made", "runs"),
    [
        (cell(source="train()"), True),
        (cell(source=""), True),
        (cell(source=f"{NOT_GRADED}\ntrain()"), False),
        (cell(source=f"  {NOT_GRADED} \ntrain()"), False),
        (cell(source=NOT_GRADED), False),
        (cell(source=f"x = 1\n{NOT_GRADED}"), True),
        (cell(source=f"{NOT_GRADED}, but for this\ntrain()"), True),
        *[
            (cell(source=f"{above}\n{NOT_GRADED}\ntrain()"), False)
            for above in (
                "",
                "\n \n",
                "%%time",
                "%%capture out",
                "#@title Training",
                "# my own comment",
            )
        ],
        *[
            (cell(source=f"{mark}\ntrain()"), False)
            for mark in ("#not run when graded", "# Not run when graded.", "#  not run when graded")
        ],
        (cell(source=f"%%bash\n{NOT_GRADED}\nls"), True),
        (cell(source=f'text = """\n{NOT_GRADED}\n"""\ntrain()'), True),
        (cell(new_markdown_cell, "text"), False),
        (cell(new_raw_cell, "text"), False),
    ],
)
def test_code_runs_unless_a_mark_above_it_says_that_it_is_for_people(made, runs):
    assert runs_when_graded(made) is runs


def test_a_score_stands_on_the_answer_or_on_all_code():
    notebook = new_notebook(cells=[
        cell(source="x = 1"), cell(source="def f(): pass", grade_id="f", solution=True),
        cell(source="check.public('f', f)", grade_id="f_values", grade=True, locked=True),
        cell(new_markdown_cell, "Because.", grade_id="why", grade=True, solution=True),
    ])  # fmt: skip
    code = "x = 1\n\ndef f(): pass\n\ncheck.public('f', f)"
    expected = {"f": "def f(): pass", "f_values": code, "why": "Because."}
    assert answers(notebook) == answers_in(to_file_bytes(notebook)) == expected
    assert answers_in(b"{}") == answers_in(b"no JSON") == {}
