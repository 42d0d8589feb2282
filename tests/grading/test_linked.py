"""Pictures of answers that were handed in as files, beside the notebook."""

import base64
import os
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.grading import repair
from autograder.grading.repair import linked
from autograder.grading.sanitize import to_html
from autograder.notebook import pictures
from tests import submissions
from tests.fixtures import A1
from tests.notebook.test_pictures import PNG

NAME = "question_initial_loss"


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "handed in"
    (place / "plots").mkdir(parents=True)
    (place / "runs.png").write_bytes(PNG)
    (place / "plots" / "my runs.png").write_bytes(PNG[:40])
    (place / "empty.png").touch()
    (place / "notes.svg").write_text("<svg/>")
    (tmp_path / "secret.png").write_bytes(b"another student's")
    (place / "link.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(place / "endless.png")
    return place


def text(source, about=None, **more):
    metadata = {"nbgrader": about} if about else {}
    return new_markdown_cell(source, metadata=metadata, **more)


def carried(folder, *cells):
    notebook = new_notebook(cells=list(cells))
    linked.carry(notebook, folder)
    return notebook.cells


@pytest.mark.parametrize(("link", "name", "content"), [
    ("runs.png", "runs.png", PNG),
    ("./runs.png", "._runs.png", PNG),
    ("plots/my%20runs.png", "plots_my_runs.png", PNG[:40]),
    ("plots\\my%20runs.png", "plots_my_runs.png", PNG[:40]),
    ("figures/runs.png", "figures_runs.png", PNG),  # all in one folder, on a platform
])  # fmt: skip
def test_a_picture_in_the_folder_is_carried_by_the_cell(folder, link, name, content):
    (cell,) = carried(folder, text(f"Before ![Runs]({link}) after"))
    assert cell.source == f"Before ![Runs](attachment:{name}) after"
    assert base64.b64decode(cell.attachments[name]["image/png"]) == content


@pytest.mark.parametrize("link", [
    "../secret.png", "{folder}/../secret.png", "link.png", "endless.png", "notes.svg", "gone.png",
    "plots", "empty.png", "https://example.org/runs.png", "attachment:runs.png",
    "plots/../../secret.png",
])  # fmt: skip
def test_nothing_else_is_read(folder, link):
    source = f"![]({link.format(folder=folder).replace(' ', '%20')})"
    (cell,) = carried(folder, text(source))
    assert cell.source == source and "attachments" not in cell


def test_code_and_what_is_pasted_and_what_is_not_the_students_stay_as_they_are(folder):
    pasted = {"runs.png": {"image/png": "aGk="}}
    code, locked, both = carried(
        folder, new_code_cell('"![](runs.png)"'),
        text("![](runs.png)", {"grade": False, "locked": True, "solution": False}),
        text("![](attachment:runs.png) ![](runs.png) ![](runs.png)", attachments=pasted),
    )  # fmt: skip
    assert code.source == '"![](runs.png)"' and locked.source == "![](runs.png)"
    assert both.attachments["runs.png"] == {"image/png": "aGk="}
    assert both.source == "![](attachment:runs.png)" + 2 * " ![](attachment:_runs.png)"
    assert set(both.attachments) == {"runs.png", "_runs.png"}


def test_pictures_that_are_too_large_or_too_many_stay_links(folder):
    (folder / "large.png").write_bytes(bytes(pictures.LARGEST + 1))
    (folder / "fits.png").write_bytes(bytes(pictures.LARGEST))
    names = ("large.png", *["fits.png"] * 5, "runs.png")
    after = carried(folder, *(text(f"![]({name})") for name in names))
    assert ["attachments" in cell for cell in after] == [False, *[True] * 4, False, True]
    after = carried(folder, *(text("![](runs.png)") for _ in range(linked.MOST + 9)))
    assert sum("attachments" in cell for cell in after) == linked.MOST


@pytest.mark.parametrize("part", [
    "![", "<img ", "![](", "<img src ", "![](  ", '<img src="', "![](large.png)", "![](empty.png)",
    "![](gone.png)", "![](runs.png)", "![](a{n}/runs.png)",
])  # fmt: skip
def test_a_text_made_to_be_slow_is_not(folder, part):
    (folder / "large.png").write_bytes(bytes(pictures.LARGEST + 1))
    began = time.monotonic()
    (cell,) = carried(folder, text("".join(part.replace("{n}", str(n)) for n in range(200_000))))
    assert time.monotonic() - began < 10
    assert len(cell.get("attachments", {})) <= linked.MOST


def question(notebook):
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == NAME)


@pytest.mark.parametrize("source", ["![Runs]({})", '<img src="{}" width="300" alt="Runs">'])
def test_whoever_marks_sees_a_picture_that_came_with_the_folder(folder, source):
    notebook = submissions.in_release(A1, submissions.source_notebook(A1))
    question(notebook).source = "My figure: " + source.format("runs.png")
    nbformat.write(notebook, folder / f"{A1}.ipynb")
    repaired = repair.read(folder / f"{A1}.ipynb", submissions.released_notebook(A1))
    assert repaired.notes == ()
    answer = question(repaired.notebook)
    assert answer.source == "My figure: " + source.format("attachment:runs.png")
    page = to_html(answer.source, answer.attachments)
    assert f'src="data:image/png;base64,{base64.b64encode(PNG).decode()}"' in page
    assert page.count("<img") == 1
