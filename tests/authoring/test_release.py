"""From the .py that an author edits to the notebook, and from it to the student version."""

import json
import shutil
import subprocess
import sys

import jupytext
import nbformat
import pytest

from autograder.authoring.new import new
from autograder.authoring.proofread import parts
from autograder.authoring.release import release, sync
from autograder.grading.course import CourseError, open_course
from autograder.grading.notebooks import SYNCED, grade_id
from autograder.grading.pipeline import grade
from autograder.notebook import cases
from tests import submissions, worked_example

NAME = worked_example.NAME


@pytest.fixture
def written(tmp_path):
    """The folders of the worked example as its author has just written it."""
    worked_example.install(tmp_path)
    return open_course(tmp_path).assignment(NAME)


def edit(folders, old, new):
    file = folders.source / f"{NAME}.py"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


# sync


def test_the_notebook_has_the_cells_of_the_py_and_nbgraders_metadata_only(written):
    path = sync(written)
    assert path == written.source / f"{NAME}.ipynb"
    made, text = nbformat.read(path, 4), jupytext.read(written.source / f"{NAME}.py")
    nbformat.validate(made)
    assert [cell.source for cell in made.cells] == [cell.source for cell in text.cells]
    assert {key for cell in made.cells for key in cell.metadata} == {"nbgrader"}
    assert made.metadata.kernelspec == {
        "display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3",
    }  # fmt: skip
    assert set(made.metadata) == {"kernelspec", "language_info", SYNCED}
    assert [grade_id(cell) for cell in made.cells if grade_id(cell)] == [
        "setup", "squared_error", "squared_error_values",
    ]  # fmt: skip


def test_a_second_time_changes_no_byte(written):
    first = sync(written).read_bytes()
    assert sync(written).read_bytes() == first


def test_an_edited_cell_changes_and_the_ids_of_the_others_stay(written):
    before = nbformat.read(sync(written), 4).cells
    edit(written, "10 minutes", "20 minutes")
    edit(written, "# %% nbgrader={\"grade\": false, \"grade_id\": \"setup\"", "# %%\nnew = 1\n\n"
         "# %% nbgrader={\"grade\": false, \"grade_id\": \"setup\"")  # fmt: skip
    after = nbformat.read(sync(written), 4).cells
    assert "20 minutes" in after[0].source and after[2].source == "new = 1"
    assert [cell.id for cell in after if grade_id(cell)] == [c.id for c in before if grade_id(c)]
    assert len({cell.id for cell in after}) == len(after) == len(before) + 1


def test_what_a_front_end_left_in_the_notebook_goes(written):
    path = sync(written)
    clean, notebook = path.read_bytes(), nbformat.read(path, 4)
    for cell in notebook.cells:
        cell.metadata["collapsed"] = True
        if cell.cell_type == "code":
            cell.execution_count = 3
            cell.outputs = [nbformat.v4.new_output("stream", text="printed")]
    notebook.metadata["widgets"] = {}
    nbformat.write(notebook, path)
    assert sync(written).read_bytes() == clean


def edited(path, change):
    """Change a cell of a notebook as one does in JupyterLab."""
    notebook = nbformat.read(path, 4)
    change(next(cell for cell in notebook.cells if "def squared_error" in cell.source))
    nbformat.write(notebook, path)
    return path.read_bytes()


def more_code(cell):
    cell.source += "\n# from JupyterLab"


def other_metadata(cell):
    cell.metadata.nbgrader.grade_id = "error_squared"


@pytest.mark.parametrize("change", [more_code, other_metadata])
@pytest.mark.parametrize("also_the_py", [False, True])
def test_what_was_edited_in_jupyterlab_is_not_overwritten(written, change, also_the_py):
    path = sync(written)
    before = edited(path, change)
    if also_the_py:
        edit(written, "10 minutes", "20 minutes")
    with pytest.raises(CourseError) as caught:
        sync(written)
    assert path.read_bytes() == before
    assert str(caught.value) == (
        f"source/{NAME}/{NAME}.ipynb: {1 + also_the_py} of its cells differ from those of "
        f"{NAME}.py, and may have been edited in JupyterLab; nothing is overwritten. To keep the "
        f"notebook: `jupytext --to py:percent {NAME}.ipynb` in its folder writes the .py again "
        f"(edits there are lost; save a copy first). To keep the .py: delete {NAME}.ipynb."
    )


@pytest.mark.parametrize("change", [more_code, other_metadata])
def test_both_ways_that_sync_then_offers_lead_on(written, change):
    path = sync(written)
    edited(path, change)
    command = [sys.executable, "-m", "jupytext", "--to", "py:percent", path.name]
    subprocess.run(command, cwd=path.parent, check=True, capture_output=True)
    sync(written)
    assert parts(nbformat.read(path, 4)) == parts(jupytext.read(path.with_suffix(".py")))
    cell = next(c for c in nbformat.read(path, 4).cells if "def squared_error" in c.source)
    assert "from JupyterLab" in cell.source or grade_id(cell) == "error_squared"

    edited(path, more_code)
    path.unlink()
    sync(written)
    assert parts(nbformat.read(path, 4)) == parts(jupytext.read(path.with_suffix(".py")))


def test_a_notebook_of_an_earlier_version_is_overwritten_only_if_nothing_is_lost(written):
    path = sync(written)
    notebook = nbformat.read(path, 4)
    del notebook.metadata[SYNCED]
    nbformat.write(notebook, path)
    sync(written)
    notebook.cells[0].source += " edited"
    nbformat.write(notebook, path)
    with pytest.raises(CourseError, match="and may have been edited in JupyterLab; nothing is"):
        sync(written)


def test_the_student_version_knows_nothing_of_it(example):
    sync(example)
    release(example)
    assert SYNCED not in nbformat.read(example.release / f"{NAME}.ipynb", 4).metadata


def test_another_kernel_that_the_py_names_is_kept(written):
    kernel = {"display_name": "R", "language": "R", "name": "ir"}
    lines = [f"#     {name}: {value}" for name, value in kernel.items()]
    head = "\n".join(["# ---", "# jupyter:", "#   kernelspec:", *lines, "# ---", "", ""])
    file = written.source / f"{NAME}.py"
    file.write_text(head + file.read_text())
    assert nbformat.read(sync(written), 4).metadata.kernelspec == kernel


def test_a_py_that_is_not_there_is_named(written):
    (written.source / f"{NAME}.py").unlink()
    with pytest.raises(CourseError, match=rf"^source/{NAME}/{NAME}\.py: no such file\.$"):
        sync(written)


@pytest.mark.parametrize("assignment", submissions.ASSIGNMENTS)
def test_the_notebooks_of_the_course_are_as_sync_writes_them(assignment, tmp_path):
    folder = tmp_path / "source" / assignment
    folder.mkdir(parents=True)
    (tmp_path / "nbgrader_config.py").symlink_to(submissions.ROOT / "nbgrader_config.py")
    for end in ("py", "ipynb"):
        shutil.copy(submissions.folder(assignment) / f"{assignment}.{end}", folder)
    before = (folder / f"{assignment}.ipynb").read_bytes()
    assert sync(open_course(tmp_path).assignment(assignment)).read_bytes() == before


# release


BASICS = "cnn_basics"  # a name without a number


@pytest.fixture(scope="module")
def student_version(tmp_path_factory, released_example):
    """The released example under another name, with files beside it of which two are named."""
    root = tmp_path_factory.mktemp("course")
    list(new(root, BASICS))
    recorded = released_example / "source" / NAME
    for file in (cases.PUBLIC, cases.REFERENCES):
        shutil.copy(recorded / file, root / "source" / BASICS)
    for name in ("helpers.py", "notes.txt", "figures/net.png", "figures/draft.svg"):
        path = root / "source" / BASICS / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    config = root / "nbgrader_config.py"
    named = 'c.Release.include = ["helpers.py", "figures/*.png"]\n'
    config.write_text(config.read_text() + named)
    folders = open_course(root).assignment(BASICS)
    sync(folders)
    return release(folders)


def test_no_solution_and_no_hidden_test_is_released(student_version):
    notebook = nbformat.read(student_version / f"{BASICS}.ipynb", 4)
    cells = {grade_id(cell): cell.source for cell in notebook.cells}
    assert cells["squared_error"].endswith("raise NotImplementedError")
    assert "Compute the mean squared error" in cells["squared_error"]
    assert cells["squared_error_values"] == 'check.public("squared_error_values", squared_error)'
    text = json.dumps(notebook)
    assert "SOLUTION" not in text and "HIDDEN" not in text and "difference" not in text


def test_what_nobody_named_stays_at_home_and_what_the_author_names_goes_along(student_version):
    """Whatever the assignment is called: checks, references and the .py stay too."""
    released = [path for path in student_version.rglob("*") if path.is_file()]
    assert {str(path.relative_to(student_version)) for path in released} == {
        f"{BASICS}.ipynb", "helpers.py", "figures/net.png",
    }  # fmt: skip


def test_a_release_takes_the_place_of_the_one_before(example):
    path = example.release / f"{NAME}.ipynb"
    assert "20 minutes" not in path.read_text()
    edit(example, "10 minutes", "20 minutes")
    sync(example)
    assert release(example) == example.release
    assert "20 minutes" in path.read_text()


def test_a_solution_that_does_not_end_is_not_released(written):
    edit(written, "    ### END SOLUTION\n", "")
    sync(written)
    with pytest.raises(CourseError) as error:
        release(written)
    assert str(error.value) == (
        f"source/{NAME}/{NAME}.ipynb, cell 4 (squared_error): "
        "BEGIN SOLUTION and END SOLUTION do not match."
    )
    assert not written.release.exists()


def test_what_nbgrader_refuses_is_quoted(example):
    edit(example, '"points": 5, ', "")
    sync(example)
    with pytest.raises(CourseError) as error:
        release(example)
    assert str(error.value).startswith(f"source/{NAME}/{NAME}.ipynb: ")
    assert "points" in str(error.value) and "\n" not in str(error.value)


def test_a_student_version_that_cannot_be_replaced_stays(example):
    """A cell more, once submissions are graded: nbgrader refuses it, and has deleted the folder."""
    worked_example.hand_in(example, "kim")
    assert [graded.error for graded in grade(example, workers=1)] == [""]
    before = {p.name: p.read_bytes() for p in example.release.iterdir()}
    source = example.source / f"{example.name}.py"
    task = '# %% [markdown] nbgrader={"grade": true, "grade_id": "more", "locked": false, '
    task += '"points": 1, "schema_version": 3, "solution": true, "task": false}\n# Why?\n'
    source.write_text(f"{source.read_text()}\n{task}")
    sync(example)
    with pytest.raises(CourseError) as error:
        release(example)
    assert "Cannot add or remove cells" in str(error.value) and "--force" in str(error.value)
    assert {p.name: p.read_bytes() for p in example.release.iterdir()} == before
    assert [p.name for p in example.release.parent.iterdir()] == [example.name]


def test_a_notebook_that_is_not_what_its_py_says_is_not_released(example):
    edit(example, "10 minutes", "20 minutes")
    with pytest.raises(CourseError, match=rf"it differs from {NAME}\.py; `autograder sync"):
        release(example)


def test_before_it_is_recorded_an_assignment_is_not_released(written):
    sync(written)
    with pytest.raises(cases.CasesNotFound, match=f"record it with `autograder reference {NAME}`"):
        release(written)


def test_a_check_that_was_not_recorded_yet_is_named_with_its_cell(example):
    recorded = example.source / cases.PUBLIC
    recorded.write_bytes(cases.to_bytes({}))
    with pytest.raises(CourseError) as error:
        release(example)
    assert str(error.value) == (
        f"source/{NAME}/{NAME}.ipynb, cell 5 (squared_error_values): there is no check of this "
        f"name; run `autograder reference {NAME}`."
    )


def test_an_assignment_without_a_notebook_is_not_released(written):
    with pytest.raises(CourseError, match=rf"{NAME}\.ipynb: no such notebook; there are {NAME}\."):
        release(written)
