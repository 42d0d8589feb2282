"""What the command says when something is missing: one sentence with the place and the remedy."""

import json
import shutil
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from autograder import assignments, set_up
from autograder.authoring import publish
from autograder.authoring.solutions import with_cells
from autograder.cli import main
from autograder.grading import cluster
from autograder.grading import pipeline as grading
from autograder.notebook import progress
from autograder.notebook.progress import Kept
from tests import submissions, worked_example
from tests.fixtures import A1


@pytest.fixture
def course(tmp_path, monkeypatch):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / A1).symlink_to(submissions.ROOT / "source" / A1)
    (tmp_path / "nbgrader_config.py").symlink_to(submissions.ROOT / "nbgrader_config.py")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys, *arguments) -> str:
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_a_folder_that_is_no_course(scratch, capsys):
    assert said(capsys, "release") == (
        f"autograder: {scratch.name}/nbgrader_config.py: no such file; run in a course folder.\n"
    )


def test_an_unknown_assignment(course, capsys):
    assert said(capsys, "release", "a0_nothing") == (
        f"autograder: source/a0_nothing/a0_nothing.ipynb: no such notebook; there are {A1}.\n"
    )


def test_a_report_before_anything_is_graded(course, capsys):
    assert main(["release"]) == 0
    capsys.readouterr()
    assert said(capsys, "report", A1) == (
        f"autograder: {A1}: nothing is graded yet; run `autograder grade {A1}` first.\n"
    )


def test_a_broken_source_notebook_is_named(course, capsys):
    folder = course / "source" / A1
    folder.unlink()
    folder.mkdir()
    text = (submissions.ROOT / "source" / A1 / f"{A1}.ipynb").read_text()
    (folder / f"{A1}.ipynb").write_text(text.replace("    ### END SOLUTION", "", 1))
    assert said(capsys, "release") == (
        f"autograder: source/{A1}/{A1}.ipynb, cell 10 (nn_forward_pass): "
        "BEGIN SOLUTION and END SOLUTION do not match.\n"
    )


def test_a_broken_submission_is_reported_and_the_others_are_graded(course, capsys):
    assert main(["release"]) == 0
    path = submissions.submit(course, A1, "broken", submissions.released_notebook(A1))
    path.write_text("{")
    submissions.submit(course, A1, "empty", submissions.released_notebook(A1))
    assert main(["grade", A1, "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert "broken: the notebook could not be read: the file is not JSON" in out
    table = out.split("2 graded in ")[1]
    assert "the notebook could not be read" in " ".join(table.split())
    assert "not written yet" in table


def test_several_assignments_share_their_workers(course, capsys, monkeypatch):
    other, connected = "a2_cifar10_debugging", []
    (course / "source" / other).symlink_to(submissions.ROOT / "source" / other)
    assert main(["release"]) == 0
    for name in (A1, other):
        submissions.submit(course, name, "anna", submissions.released_notebook(name))
    connect, never = cluster.connect, pytest.fail
    monkeypatch.setattr(cluster, "connect", lambda *how: connected.append(how) or connect(*how))
    monkeypatch.setattr(grading, "connect", never)
    assert main(["grade", A1, other, "--workers", "1"]) == 0
    assert len(connected) == 1
    assert capsys.readouterr().out.count("1 graded in ") == 2
    assert main(["report", A1, other]) == 0
    assert {path.stem for path in (course / "report").glob("*.html")} == {A1, other}


@pytest.mark.parametrize("arguments", [[], ["--no-sandbox"]])
def test_references_are_recorded_without_a_sandbox_only_if_that_is_asked_for(
    arguments, course, capsys, monkeypatch
):
    seen = []

    def outcomes_of(notebook, challenge, config, artifacts):
        seen.append(config.Execute.get("sandbox", True))
        raise KeyboardInterrupt

    monkeypatch.setattr("autograder.authoring.record.outcomes_of", outcomes_of)
    assert main(["reference", A1, *arguments]) == 130
    assert seen == [not arguments]


def test_references_of_an_assignment_without_real_data_are_not_recorded_with_it(course, capsys):
    assert said(capsys, "reference", A1, "--real") == (
        f"autograder: {A1} has no cases of real data; leave out --real.\n"
    )


# What a student types


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


def test_a_notebook_that_cannot_be_checked_is_a_sentence(scratch, capsys):
    (scratch / "mine.ipynb").write_text("{")
    assert said(capsys, "check", "mine.ipynb") == (
        "autograder: mine.ipynb is not a notebook; save it again in JupyterLab.\n"
    )
    assert said(capsys, "check", "gone.ipynb") == (
        "autograder: gone.ipynb: No such file or directory.\n"
    )


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


@pytest.mark.parametrize("command", ["release", "grade", "wheel", "publish"])
def test_what_an_instructor_types_asks_for_what_an_instructor_needs(
    scratch, capsys, monkeypatch, command
):
    monkeypatch.setitem(sys.modules, "nbgrader", None)
    more = {"grade": [A1], "publish": ["out"]}.get(command, [])
    assert said(capsys, command, *more) == (
        "autograder: what an instructor needs is not installed: "
        f"`pip install '{set_up.NAME}[instructor]'`.\n"
    )


# What an instructor hands out


def test_the_wheel_and_its_source_are_built_into_a_folder(course, capsys):
    assert main(["wheel", "--output", "to"]) == 0
    built = sorted((course / "to").iterdir())
    assert [path.suffix for path in built] == [".whl", ".gz"]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(", ")[0].split("/")[-1] for line in lines] == [one.name for one in built]


def test_publishing_says_where_it_is_and_takes_only_what_is_named(course, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(publish, "publish", lambda *how: asked.append(how) or ["README.md", "a"])
    address = "https://github.com/school/course"
    more = ["--repository", address, "--branch", "2027", "--package", "gradient-check"]
    assert main(["publish", "out", A1, *more]) == 0
    ((opened, folder, repository, package, chosen),) = asked
    assert opened.root == course.resolve() and str(folder) == "out"
    assert repository == publish.Repository(address, "2027")
    assert (package, [one.name for one in chosen]) == ("gradient-check", [A1])
    out = capsys.readouterr().out
    assert out.startswith("wrote 2 files into out; nothing in them gives an answer away\n")
    assert "git -C out add -A" in out


def test_publishing_what_is_not_released_is_a_sentence(course, capsys):
    assert said(capsys, "publish", "out", A1) == (
        f"autograder: {A1}: the gradebook does not know this assignment; run `autograder release "
        f"{A1}` first.\n"
    )
    assert not (course / "out").exists()
