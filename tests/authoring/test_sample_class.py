"""The sample class: who is in it, what each hands in, and the course that it is laid out in."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograder.authoring import sample_class as classes
from autograder.authoring.sample_class import Student, cells_of, in_release, lay_out, submit
from autograder.authoring.solutions import CellNotFound
from autograder.errors import UserError
from autograder.grading.course import open_course
from autograder.grading.notebooks import grade_id
from tests.submissions import released_notebook, source_notebook
from tests.worked_example import NAME

KIM = """\
# from blank: Kim has begun
# %% squared_error
def squared_error(prediction, target):
    return 0
"""
LEE = """\
# Lee has another setup
# %% setup
import torch

check = None
"""


@pytest.fixture
def folders(example):
    """The folders of the released example, with a class of its own."""
    written = {
        "submissions/mistakes.txt": "absolute_error\n",
        "submissions/kim.py": KIM,
        "submissions/lee.py": LEE,
        "submissions/max.py": "# handed in alone\n",
        "artifacts/net.safetensors": "trained",
        "submissions/browser/notes.txt": "by hand",
    }
    for name, text in written.items():
        path = example.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    by_hand = new_notebook(cells=[new_code_cell("1 + 1")])
    nbformat.write(by_hand, example.source / "submissions" / "browser" / f"{NAME}.ipynb")
    return example


def class_of(folders) -> dict[str, Student]:
    return {student.name: student for student in classes.sample_class(folders)}


def solution(student) -> str:
    return next(c.source for c in student.notebook.cells if grade_id(c) == "squared_error")


def test_a_student_s_cells_have_no_marks_and_no_marking_scheme():
    for assignment in ("a1_two_layer_net", "a7_few_labels"):
        solved = in_release(released_notebook(assignment), source_notebook(assignment))
        text = "\n".join(cell.source for cell in solved.cells)
        assert "SOLUTION" not in text and "**Marking.**" not in text
        assert "**Model answer.**" in text and "raise NotImplementedError" not in text


def test_there_is_a_student_for_each_style_mistake_and_file(folders):
    assert list(class_of(folders)) == [
        "style_reference", "style_einsum", "mistake_absolute_error", "blank", "kim", "lee", "max",
        "browser",
    ]  # fmt: skip


def test_each_fills_in_the_student_version_as_the_name_says(folders):
    students = class_of(folders)
    assert "difference**2" in solution(students["style_reference"])
    assert "einsum" in solution(students["style_einsum"])
    assert "difference.abs()" in solution(students["mistake_absolute_error"])
    assert solution(students["blank"]).endswith("raise NotImplementedError")
    for name in ("style_reference", "mistake_absolute_error", "blank", "kim"):
        cells = {grade_id(cell): cell.source for cell in students[name].notebook.cells}
        assert "hidden" not in cells["squared_error_values"], name


def test_a_file_begins_from_the_solution_or_as_its_first_line_says_from_the_blank(folders):
    students = class_of(folders)
    assert solution(students["kim"]).endswith("return 0")
    assert "difference**2" in solution(students["lee"])
    assert students["lee"].notebook.cells[2].source.endswith("check = None")


def test_what_was_trained_is_handed_in_but_by_those_who_do_not(folders):
    handed_in = {name: set(student.artifacts) for name, student in class_of(folders).items()}
    without = {"blank": set(), "max": set(), "browser": {"notes.txt"}}
    assert handed_in == {name: {"net.safetensors"} for name in handed_in} | without


def test_a_notebook_that_a_person_solved_is_taken_as_it_is(folders):
    notebook = class_of(folders)["browser"].notebook
    assert [cell.source for cell in notebook.cells] == ["1 + 1"]


def test_a_new_assignment_has_a_class_too(example):
    """Nobody has written `submissions/` yet; there are styles and the blank one."""
    assert list(class_of(example)) == ["style_reference", "style_einsum", "blank"]


def test_a_mistake_that_is_not_known_is_named(folders):
    (folders.source / "submissions" / "mistakes.txt").write_text("no_such_mistake\n")
    with pytest.raises(UserError, match="no_such_mistake"):
        class_of(folders)


def test_a_cell_that_is_not_known_is_named(folders):
    (folders.source / "submissions" / "kim.py").write_text(KIM.replace("%% squared", "%% cubed"))
    with pytest.raises(CellNotFound, match="'cubed_error'"):
        class_of(folders)


def test_a_class_is_laid_out_as_a_course_with_submissions_only(folders, tmp_path):
    course, target = folders.course, tmp_path / "demo"
    (course.source / NAME / "checks" / "__pycache__").mkdir(exist_ok=True)
    for left in ("gradebook.db", "autograded/old.txt", "submitted/old/old.txt", "assignments/x"):
        (target / left).parent.mkdir(parents=True, exist_ok=True)
        (target / left).touch()
    assert lay_out(course, target) == {NAME: 8}
    assert {path.name for path in target.iterdir()} == {
        "source", "submitted", "nbgrader_config.py",
    }  # fmt: skip
    assert not list(target.rglob("__pycache__"))
    laid_out = open_course(target).assignment(NAME)
    assert laid_out.students() == sorted(class_of(folders))
    kim, lee = (laid_out.submitted(name) for name in ("kim", "lee"))
    assert {path.name for path in kim.iterdir()} == {f"{NAME}.ipynb", "net.safetensors"}
    assert nbformat.read(lee / f"{NAME}.ipynb", 4).cells[2].source.endswith("check = None")


def test_a_submission_lies_where_nbgrader_collects_it(tmp_path):
    (tmp_path / "net").write_text("trained")
    notebook = new_notebook(cells=[new_code_cell("1")])
    path = submit(tmp_path, "a0", "kim", notebook, {"renamed.pt": tmp_path / "net"})
    assert path == tmp_path / "submitted" / "kim" / "a0" / "a0.ipynb"
    assert nbformat.read(path, 4).cells[0].source == "1"
    assert (path.parent / "renamed.pt").read_text() == "trained"


def test_only_cells_with_a_solution_are_put_into_the_student_version():
    def notebook(text):
        cells = [
            new_code_cell(
                f"{text} {name}", metadata={"nbgrader": {"grade_id": name, "solution": s}}
            )
            for name, s in (("task", True), ("check", False))
        ]
        return new_notebook(cells=[*cells, new_code_cell(text)])

    released, solved = notebook("released"), notebook("solved")
    found = in_release(released, solved)
    assert [c.source for c in found.cells] == ["solved task", "released check", "released"]
    assert released.cells[0].source == "released task"


def test_cells_are_read_by_their_titles():
    assert cells_of("# %% one\nx = 1\n\n# %%\nignored = 1\n\n# %% two\ny = 2\n") == {
        "one": "x = 1", "two": "y = 2",
    }  # fmt: skip
    assert cells_of("# handed in alone\n") == {}
    assert list(cells_of(KIM)) == ["squared_error"]
