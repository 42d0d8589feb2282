"""What a student types."""

import json
import shutil
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from autograder import assignments
from autograder.authoring.solutions import with_cells
from autograder.cli import main
from autograder.notebook import progress
from autograder.notebook.progress import Kept
from tests import submissions, worked_example
from tests.fixtures import A1


@pytest.fixture
def handed_out(example, monkeypatch):
    """The student version of the worked example, in a folder of the student's own."""
    folder = example.course.root / "mine"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setitem(sys.modules, "nbgrader", None)  # a student has none
    return Path(shutil.copy(example.release / f"{worked_example.NAME}.ipynb", folder))


def test_a_notebook_is_checked_and_zipped_with_what_is_missing(handed_out, capsys):
    assert main(["check", str(handed_out), "--student", "kim"]) == 1
    out = capsys.readouterr().out
    assert f"{worked_example.NAME}: 1 thing to look at" in out
    assert "not written yet, 5 points" in out
    path = handed_out.with_suffix(".zip")
    assert out.endswith(f"wrote {path.resolve()}\n")
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("hand_in.json"))["student"] == "kim"
    blank = nbformat.read(handed_out, 4)
    nbformat.write(with_cells(blank, {"squared_error": worked_example.RIGHT}), handed_out)
    assert main(["check", str(handed_out)]) == 0
    assert "everything is there" in capsys.readouterr().out


def test_a_notebook_that_cannot_be_checked_is_a_sentence(scratch, said):
    (scratch / "mine.ipynb").write_text("{")
    assert said("check", "mine.ipynb") == (
        "autograder: mine.ipynb is not a notebook; save it again in JupyterLab.\n"
    )
    assert said("check", "gone.ipynb") == ("autograder: gone.ipynb: No such file or directory.\n")


def test_progress_is_that_of_the_folder_that_is_named(scratch, capsys):
    assignments.use(submissions.ROOT / "source")
    kept = {"forward_scores": Kept(6, 6, 1.0, "2026-11-29T19:00:00+01:00")}
    (scratch / "mine").mkdir()
    progress.add(scratch / "mine" / progress.NAME, A1, kept)
    for folder in (["mine"], []):  # beside is near enough
        assert main(["progress", *folder]) == 0
        first, *lines = capsys.readouterr().out.splitlines()
        assert first.startswith("1 of ") and first.endswith(" public checks passed")
        (row,) = [line.split() for line in lines if line.startswith(A1)]
        assert row[2] == "1"
    assert len([line for line in lines if line[:1] == "a" and line[1:2].isdigit()]) == len(
        submissions.ASSIGNMENTS
    )
