"""What is wrong with a source notebook is told with its cell, before anything is made of it."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.authoring.proofread import open_regions, proofread, unrecorded, wrong_names
from autograder.authoring.release import sync
from autograder.grading.course import CourseError, open_course
from tests import submissions, worked_example

NAME = worked_example.NAME
PLACE = f"source/{NAME}/{NAME}.ipynb"


@pytest.fixture
def written(tmp_path):
    """The folders of the worked example, with its notebook."""
    worked_example.install(tmp_path)
    folders = open_course(tmp_path).assignment(NAME)
    sync(folders)
    return folders


def refusal(folders) -> str:
    with pytest.raises(CourseError) as error:
        proofread(folders)
    return str(error.value)


def edit(folders, *changes, synced=True):
    file = folders.source / f"{NAME}.py"
    text = file.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    if synced:
        sync(folders)


def test_a_notebook_in_order_is_read(written):
    assert proofread(written) == nbformat.read(written.notebook(), 4)


@pytest.mark.parametrize("assignment", submissions.ASSIGNMENTS)
def test_the_notebooks_of_the_course_are_in_order(assignment):
    proofread(submissions.clone().assignment(assignment))


def test_an_assignment_without_a_notebook_is_named(written):
    written.notebook().unlink()
    assert refusal(written).startswith(f"{PLACE}: no such notebook; ")


@pytest.mark.parametrize(
    "change",
    [("10 minutes", "20 minutes"), ("# %% [markdown]", "# %%"), ("# %% [markdown]", "# x")],
)
def test_a_notebook_that_is_not_what_its_py_says_is_told_both_ways_out(written, change):
    edit(written, change, synced=False)
    assert refusal(written) == (
        f"{PLACE}: it differs from {NAME}.py; `autograder sync {NAME}` writes it from there, "
        f"`jupytext --to py:percent {NAME}.ipynb` goes the other way."
    )


def test_who_works_in_the_notebook_alone_needs_no_py(written):
    (written.source / f"{NAME}.py").unlink()
    assert len(proofread(written).cells) == 6


def test_everything_that_is_wrong_is_told_a_sentence_each(written):
    edit(written, ("    ### END SOLUTION\n", ""), ('check.hidden("squared', 'check.hidden("cubed'))
    assert refusal(written).splitlines() == [
        f"{PLACE}, cell 4 (squared_error): BEGIN SOLUTION and END SOLUTION do not match.",
        f"{PLACE}, cell 5 (squared_error_values): its check.hidden(…) names cubed_error_values, "
        "not its grade_id.",
    ]


@pytest.mark.parametrize("region", ["SOLUTION", "HIDDEN TESTS", "MARK SCHEME"])
@pytest.mark.parametrize(
    "text, closed",
    [
        ("x = 1", True),
        ("### BEGIN {}\nx = 1\n### END {}", True),
        ("### BEGIN {}\n### END {}\nx = 1\n### BEGIN {}\n### END {}", True),
        ("### BEGIN {}\nx = 1", False),
        ("x = 1\n### END {}", False),
        ("### END {}\n### BEGIN {}", False),
        ("### BEGIN {}\n### BEGIN {}\n### END {}", False),
        ("### BEGIN {}\n### BEGIN {}\n### END {}\n### END {}", False),
    ],
)
def test_every_region_that_begins_ends(region, text, closed):
    metadata = {"nbgrader": {"grade_id": "task"}}
    source = text.replace("{}", region)
    cells = [new_markdown_cell("# Title"), new_code_cell(source, metadata=metadata)]
    found = list(open_regions(new_notebook(cells=cells)))
    wrong = f"cell 2 (task): BEGIN {region} and END {region} do not match."
    assert found == ([] if closed else [wrong])


def test_a_cell_without_a_name_is_named_by_its_type():
    cells = [new_markdown_cell("=== BEGIN MARK SCHEME ===")]
    (found,) = open_regions(new_notebook(cells=cells))
    assert found.startswith("cell 1 (markdown): ")


def test_one_region_does_not_end_another():
    cells = [new_code_cell("### BEGIN SOLUTION\n### END HIDDEN TESTS")]
    assert len(list(open_regions(new_notebook(cells=cells)))) == 2


# wrong_names


def named(name, source="", **nbgrader):
    return new_code_cell(source, metadata={"nbgrader": {"grade_id": name, **nbgrader}})


def graded(name, source):
    return named(name, source, grade=True, solution=False)


def test_a_name_that_two_cells_have_is_told_at_each(written):
    cells = [named("one"), named("two"), named("one"), new_code_cell(), new_code_cell()]
    assert list(wrong_names(new_notebook(cells=cells))) == [
        f"cell {number} (one): 2 cells have this grade_id; rename one." for number in (1, 3)
    ]


@pytest.mark.parametrize(
    "source, names",
    [
        ('check.hidden("values", f)', ""),
        ("check.hidden('values', f)", ""),
        ("check.hidden(\n    'values', f)", ""),
        ('check.public("values", f)', "none"),
        ('check.hidden("other", f)', "other"),
        ('check.hidden("values", f)\ncheck.hidden("other", f)', "values and other"),
    ],
)
def test_a_check_cell_runs_the_check_of_its_name_and_no_other(source, names):
    found = list(wrong_names(new_notebook(cells=[graded("values", source)])))
    wrong = f"cell 1 (values): its check.hidden(…) names {names}, not its grade_id."
    assert found == ([wrong] if names else [])


def test_a_cell_that_a_person_marks_needs_no_check():
    answer = named("answer", "", grade=True, solution=True)
    assert list(wrong_names(new_notebook(cells=[answer]))) == []


# unrecorded


def test_a_graded_cell_without_a_check_is_told_and_no_other():
    cells = [graded("one", ""), graded("two", ""), named("three"), named("four", solution=True)]
    assert list(unrecorded(new_notebook(cells=cells), {"one": None})) == [
        "cell 2 (two): there is no check of this name"
    ]
