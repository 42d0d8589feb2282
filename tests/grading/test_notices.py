"""An instructor hears of a wrong student version, and of hidden cases that everybody can read."""

import nbformat
import pytest

from autograder.commands.shared import print_notices
from autograder.grading.notebooks import grade_id
from autograder.grading.notices import of_cases, of_release
from autograder.notebook import cases
from tests.worked_example import CHECK, NAME


def changed(path, change):
    notebook = nbformat.read(path, 4)
    change({grade_id(cell): cell for cell in notebook.cells}, notebook.cells)
    nbformat.write(notebook, path)


def test_a_student_version_like_its_source_is_in_order(example):
    assert of_release(example) == ""


@pytest.mark.parametrize("change", [
    lambda named, cells: cells[0].update(source="# Another title"),
    lambda named, cells: named[CHECK].metadata.nbgrader.update(points=7),
    lambda named, cells: named[CHECK].update(source="pass\n" + named[CHECK].source),
])  # fmt: skip
def test_what_students_are_told_and_changed_since_is_said(example, change):
    changed(example.notebook(), change)
    assert of_release(example).startswith(
        f"{NAME}: source/{NAME}/{NAME}.ipynb has changed since the student version was written; "
        f"run `autograder release {NAME}`"
    )


def test_another_solution_or_hidden_test_needs_no_new_student_version(example):
    def change(named, cells):
        named["squared_error"].source = named["squared_error"].source.replace("dim=1", "dim=-1")
        named[CHECK].source = named[CHECK].source.replace("check.hidden(", "check.hidden( ")

    before = example.notebook().read_text()
    changed(example.notebook(), change)
    assert example.notebook().read_text() != before and of_release(example) == ""


def test_without_a_student_version_nothing_is_said_of_it(example):
    (example.release / f"{NAME}.ipynb").unlink()
    assert of_release(example) == ""


def test_a_student_version_that_was_committed_and_changed_is_said(example, git):
    assert of_release(example) == ""  # it is not in git at all
    git("add", "assignments")
    git("commit", "-m", "released")
    assert of_release(example) == ""
    path = example.release / f"{NAME}.ipynb"
    path.chmod(0o644)
    path.write_text(path.read_text() + " ")
    assert f"the student version, assignments/{NAME}/{NAME}.ipynb, is not comm" in of_release(
        example
    )


def test_hidden_cases_that_everybody_can_read_are_said_until_others_are_drawn(example, git):
    assert of_cases([example]) == ""
    git("add", "source")
    git("commit", "-m", "published")
    assert of_cases([example]).startswith(f"{NAME}: the hidden cases are those of the repository")
    path = example.source / cases.REFERENCES
    path.write_bytes(path.read_bytes() + b" ")
    assert of_cases([example]) == ""


def test_a_command_prints_them_and_what_is_missing_stops_nothing(example, git, capsys):
    git("add", "source")
    git("commit", "-m", "published")
    print_notices([example])
    assert "which everybody can read" in capsys.readouterr().err
    example.notebook().unlink()
    print_notices([example])
    assert capsys.readouterr().out == ""
