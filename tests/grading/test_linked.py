"""Pictures of answers that were handed in as files, beside the notebook."""

import base64
import os
import time

import nbformat
import pytest

from autograder.grading import repair
from autograder.grading.repair import linked
from autograder.grading.repair.submitted import Cell
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
    (place / "notes.svg").write_text("<svg/>")
    (tmp_path / "secret.png").write_bytes(b"another student's")
    (place / "link.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(place / "endless.png")
    return place


def text(source, **more):
    return Cell(number=1, kind="markdown", source=source, **more)


@pytest.mark.parametrize(("link", "name", "content"), [
    ("runs.png", "runs.png", PNG),
    ("./runs.png", "._runs.png", PNG),
    ("plots/my%20runs.png", "plots_my_runs.png", PNG[:40]),
    ("plots\\my%20runs.png", "plots_my_runs.png", PNG[:40]),
    ("figures/runs.png", "figures_runs.png", PNG),  # all in one folder, on a platform
])  # fmt: skip
def test_a_picture_in_the_folder_is_carried_by_the_cell(folder, link, name, content):
    (cell,) = linked.carried([text(f"Before ![Runs]({link}) after")], folder)
    assert cell.source == f"Before ![Runs](attachment:{name}) after"
    data = cell.attachments[name]["image/png"]
    assert base64.b64decode(data) == content


@pytest.mark.parametrize("link", [
    "../secret.png", "/etc/logo.png", "link.png", "endless.png", "notes.svg", "gone.png", "plots",
    "https://example.org/runs.png", "attachment:runs.png", "plots/../../secret.png",
])  # fmt: skip
def test_nothing_else_is_read(folder, link):
    cell = text(f"![]({link})")
    assert linked.carried([cell], folder) == [cell]


def test_code_and_what_is_pasted_stay_as_they_are(folder):
    code = Cell(number=1, kind="code", source='"![](runs.png)"')
    pasted = text("![](runs.png)", attachments={"a.png": {"image/png": "aGk="}})
    first, second = linked.carried([code, pasted], folder)
    assert first == code
    assert set(second.attachments) == {"a.png", "runs.png"}


def test_pictures_that_are_too_large_or_too_many_stay_links(folder):
    (folder / "large.png").write_bytes(bytes(pictures.LARGEST + 1))
    (folder / "fits.png").write_bytes(bytes(pictures.LARGEST))
    cells = [text(f"![]({name})") for name in ("large.png", *["fits.png"] * 5, "runs.png")]
    after = linked.carried(cells, folder)
    assert [bool(cell.attachments) for cell in after] == [False, *[True] * 4, False, True]


def test_a_text_made_to_be_slow_is_not(folder):
    began = time.monotonic()
    for part in ("![", "<img ", "![](", "<img src ", "![](  ", '<img src="'):
        linked.carried([text(part * 200_000)], folder)
    assert time.monotonic() - began < 20


def question(notebook):
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == NAME)


def test_whoever_marks_sees_a_picture_that_came_with_the_folder(folder):
    notebook = submissions.in_release(A1, submissions.source_notebook(A1))
    question(notebook).source = "My figure: ![Runs](runs.png)"
    nbformat.write(notebook, folder / f"{A1}.ipynb")
    repaired = repair.read(folder / f"{A1}.ipynb", submissions.released_notebook(A1))
    assert repaired.notes == ()
    assert question(repaired.notebook).source == "My figure: ![Runs](attachment:runs.png)"
    assert list(question(repaired.notebook).attachments) == ["runs.png"]
