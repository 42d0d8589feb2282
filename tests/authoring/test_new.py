"""The folder of a new assignment: what it holds, and what is refused."""

import ast

import jupytext
import pytest

from autograder.authoring import checks
from autograder.authoring.mistakes import read_mistakes
from autograder.authoring.new import EXAMPLE, TEMPLATE, NotMade, new
from autograder.grading.course import open_course
from autograder.sandbox.package import CLONE

NAME = "a6_my_topic"


@pytest.fixture
def course(tmp_path):
    """An empty folder in which a new assignment was made."""
    list(new(tmp_path, NAME))
    return tmp_path


def files_in(folder) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_it_writes_the_files_of_the_template_under_the_new_name(course):
    assert files_in(course / "source") == {
        f"{NAME}/{NAME}.py",
        f"{NAME}/checks/squared_error.py",
        f"{NAME}/checks/squared_error.diff",
        f"{NAME}/alternatives/einsum.py",
    }
    for path in (course / "source").rglob("*.*"):
        assert EXAMPLE not in path.read_text(), path
    assert f'Checker("{NAME}")' in (course / "source" / NAME / f"{NAME}.py").read_text()


def test_it_names_what_it_writes_from_the_course_folder_on(tmp_path):
    named = [str(path) for path in new(tmp_path, NAME)]
    assert set(named) == files_in(tmp_path) and named[0] == "nbgrader_config.py"
    assert len(named) == len(set(named)) == 5


def test_nothing_but_the_name_differs_from_the_template(course):
    for path in (p for p in TEMPLATE.rglob("*") if p.suffix in (".py", ".diff")):
        name = str(path.relative_to(TEMPLATE)).replace(EXAMPLE, NAME)
        made = (course / "source" / NAME / name).read_text()
        assert made == path.read_text().replace(EXAMPLE, NAME)


def test_what_it_writes_can_be_read_as_an_assignment(course):
    folder = course / "source" / NAME
    found = checks.load(folder)
    cells = {
        cell.metadata["nbgrader"]["grade_id"]
        for cell in jupytext.read(folder / f"{NAME}.py").cells
        if "nbgrader" in cell.metadata
    }
    assert {check.name for check in found.checks} <= cells
    assert {mistake.cell for mistake in found.mistakes} <= cells
    assert len(read_mistakes(folder / "checks" / "squared_error.diff")) == 2
    for path in found.alternatives:
        assert {node.name for node in ast.parse(path.read_text()).body if hasattr(node, "name")}


def test_an_empty_folder_becomes_a_course(tmp_path):
    folder = tmp_path / "not" / "there" / "yet"
    list(new(folder, NAME))
    assert (folder / "nbgrader_config.py").read_text() == (CLONE / "nbgrader_config.py").read_text()
    assert open_course(folder).assignments() == [NAME]


def test_in_a_course_nothing_else_changes(course):
    config = course / "nbgrader_config.py"
    config.write_text("# mine\n")
    before = files_in(course)
    list(new(course, "a7_other"))
    assert config.read_text() == "# mine\n"
    assert {name.split("/")[1] for name in files_in(course) - before} == {"a7_other"}


@pytest.mark.parametrize(
    "name",
    ["", "A6", "6a", "_a6", "a6-topic", "a6 topic", "a6.topic", "../a6", "/a6", "a6/b", "a6\n",
     "a6_Topic", "a6_größe"],
)  # fmt: skip
def test_a_name_that_is_none_is_refused_and_nothing_is_written(tmp_path, name):
    with pytest.raises(NotMade, match=r"a name is lower-case letters, digits and _: a6_my_topic\."):
        list(new(tmp_path, name))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a", "a6", "a6_my_topic", "cnn_basics"])
def test_a_name_of_small_letters_digits_and_underscores_will_do(tmp_path, name):
    list(new(tmp_path, name))
    assert (tmp_path / "source" / name / f"{name}.py").exists()


def test_a_folder_that_is_there_is_left_alone(course):
    mine = course / "source" / NAME / f"{NAME}.py"
    mine.write_text("# mine\n")
    with pytest.raises(
        NotMade, match=rf"^source/{NAME}: this folder is there already; choose anot"
    ):
        list(new(course, NAME))
    assert mine.read_text() == "# mine\n"
