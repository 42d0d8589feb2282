"""What is missing is shown before anything is handed in, and the zip is what a grader takes."""

import json
import os
import sys
import zipfile
from types import ModuleType, SimpleNamespace

import nbformat
import pytest
import torch

from autograder import __version__
from autograder.authoring.solutions import with_cells
from autograder.grading.notebooks import from_bytes, grade_id
from autograder.grading.prepare import load_assignment, prepare
from autograder.notebook import hand_in, progress, restart
from autograder.notebook.artifacts import DRAWN, REAL, save_artifact
from autograder.notebook.grid import BAD, GOOD, PLAIN
from autograder.notebook.hand_in import Notebook, NothingToHandIn
from autograder.notebook.progress import Kept
from autograder.notebook.restart import Failed, Restarted
from tests import worked_example
from tests.submissions import ASSIGNMENTS, released_notebook

TABLE = "| a | b |\n|---|---|\n| 1 | 2 |"
WITH_TABLE = f"one – two\n\n{TABLE}\n\n![a figure](attachment:a.png)"
WHEN = "2026-11-29T19:00:00+01:00"
CHECKER = 'check = Checker("a9_test")\n'


def code(source, name="", points=None) -> dict:
    about = {"grade_id": name, "grade": points is not None, "points": points}
    return {"cell_type": "code", "metadata": {"nbgrader": about} if name else {}, "source": source}


def checked(name, points) -> dict:
    return code(f'check.public("{name}", {name})', name, points)


def answer(text, name="why", points=5.0) -> dict:
    about = {"grade": True, "solution": True, "grade_id": name, "points": points}
    return {"cell_type": "markdown", "metadata": {"nbgrader": about}, "source": [text]}


MORE = {}  # of a notebook, beside its cells


def notebook(*cells) -> Notebook:
    return Notebook({"cells": [code(CHECKER), *cells], **MORE}, None, "a9_test")


def saved(folder, *cells, name="a9_test.ipynb"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": [code(CHECKER), *cells]}), "utf-8")
    return path


@pytest.fixture
def looked(scratch, monkeypatch):
    """Return a function that looks at cells, given what a run of them would show."""

    def look(*cells, checks=None, failed=()):
        ran = Restarted(checks or {}, tuple(failed))
        monkeypatch.setattr(restart, "run", lambda *_: ran)
        return hand_in.look(notebook(*cells), scratch)

    return look


def rows(looked) -> list[tuple[str, str, str]]:
    return [(what, mark.text, remark) for what, mark, remark in looked.rows]


# What is shown


def test_each_check_is_a_row_with_its_points(looked):
    checks = {
        "right": Kept(2, 2, 1.0, WHEN), "wrong": Kept(1, 4, 0.25, WHEN),
        "unwritten": Kept(0, 2, 0.0, WHEN, False),
    }  # fmt: skip
    names = ("right", "wrong", "unwritten", "never")
    found = looked(*(checked(name, 2 + n / 2) for n, name in enumerate(names)), checks=checks)
    assert rows(found) == [
        ("right", "passed", "2 points"), ("wrong", "failed", "1 of 4 cases, 2.5 points"),
        ("unwritten", "open", "not written yet, 3 points"),
        ("never", "not run", "3.5 points; see the cell that fails"),
    ]  # fmt: skip
    assert found.missing == 3
    assert found.grid().title == "a9_test: 3 things to look at"


@pytest.mark.parametrize(
    "text, mark, remark",
    [
        ("", "empty", "written answer, 5 points"),
        (" \n", "empty", "written answer, 5 points"),
        ("YOUR ANSWER HERE", "empty", "written answer, 5 points"),
        ("YOUR ANSWER HERE. It depends.", "short", "2 words, 5 points, marked by a person"),
        ("word " * 14, "short", "14 words, 5 points, marked by a person"),
        ("word " * 15, "written", "15 words, 5 points, marked by a person"),
        (WITH_TABLE, "short", "2 words, 5 points, marked by a person"),
        (TABLE, "short", "0 words, 5 points, marked by a person"),
    ],
)
def test_a_written_answer_is_a_row_and_only_an_empty_one_is_missing(looked, text, mark, remark):
    found = looked(answer(text))
    assert rows(found) == [("why", mark, remark)]
    assert found.missing == (mark == "empty")


def test_a_cell_that_fails_is_named_with_what_it_raised(looked):
    failed = [Failed(3, "", "ValueError", "x" * 500), Failed(4, "f", "NotImplementedError", ""),
              Failed(5, "gone", "KeyError", "'a'")]  # fmt: skip
    found = rows(looked(checked("gone", 5), failed=failed))
    assert found[1][0] == "cell code cell 3" and found[1][2].startswith("ValueError: xxx")
    assert len(found[1][2]) <= 120
    assert found[2:] == [
        ("cell f", "error", "NotImplementedError: not written yet"),
        ("cell gone", "error", "KeyError: 'a'"),
    ]


def test_a_check_of_a_name_that_is_not_there_is_said_once(looked):
    found = looked(checked("gone", 5), failed=[Failed(2, "gone", "NameError", "no 'gone'")])
    assert rows(found) == [("gone", "not run", "5 points; see the cell that fails")]


def test_a_file_is_there_missing_or_trained_on_other_data(looked, scratch):
    tensors = {"w": torch.ones(1000)}
    for name, data in (("drawn", DRAWN), ("real", REAL), ("old", "")):
        save_artifact(f"{name}.safetensors", tensors, data)
    cells = [code(f'# not run when graded\nsave_artifact("{name}.safetensors", net)')
             for name in ("real", "drawn", "old", "gone", "drawn")]  # fmt: skip
    text = {"cell_type": "markdown", "metadata": {}, "source": 'save_artifact("text.safetensors")'}
    found = looked(*cells, text)
    assert [row[:2] for row in rows(found)] == [
        ("drawn.safetensors", "there"), ("gone.safetensors", "missing"),
        ("old.safetensors", "there"), ("real.safetensors", "look"),
    ]  # fmt: skip
    assert [mark.colour for _, mark, _ in found.rows] == [GOOD, BAD, GOOD, BAD]
    assert "0.00 MB" in rows(found)[0][2] and "drawn data" in rows(found)[3][2]
    assert [path.name for path in found.files] == [
        "drawn.safetensors", "old.safetensors", "real.safetensors",
    ]  # fmt: skip


def test_a_check_that_reached_a_level_has_not_failed(looked):
    found = looked(checked("net", 6), checks={"net": Kept(0, 1, 0.8, WHEN, level=True)})
    assert rows(found) == [("net", "partly", "80% of 6 points")]
    assert found.missing == 0


def test_a_known_mistake_has_failed_although_it_keeps_a_part_of_the_points(looked):
    found = looked(checked("loss", 5), checks={"loss": Kept(0, 4, 0.7, WHEN)})
    assert rows(found) == [("loss", "failed", "0 of 4 cases, 5 points")]
    assert found.missing == 1


def test_pictures_that_are_too_large_together_are_said(looked, scratch):
    for number in range(5):
        (scratch / f"{number}.png").write_bytes(bytes(5_000_000))
    found = looked(answer("word " * 20 + "".join(f"![]({number}.png)" for number in range(5))))
    assert rows(found)[1:] == [
        ("pictures", "look", "25 MB; 24 MB together at most: save them smaller")
    ]


def test_a_check_or_an_answer_that_somebody_has_deleted_is_missed(looked, monkeypatch):
    about = {"metadata": {progress.GRADED: {"kept": 2.0, "gone": 7.0, "why": 5.0, "how": 5.0}}}
    there = {name: Kept(2, 2, 1.0, WHEN) for name in ("kept", "gone")}
    monkeypatch.setattr(f"{__name__}.MORE", about)
    found = looked(checked("kept", 2), answer("word " * 20), checks=there)
    gone = "its cell is gone: take it from a new copy of the notebook"
    assert rows(found)[2:] == [
        ("gone", "deleted", f"7 points; {gone}"), ("how", "deleted", f"5 points; {gone}"),
    ]  # fmt: skip
    assert found.missing == 2
    found = looked(code('check.public("kept", kept)'))  # a front end has dropped all metadata
    assert found.missing == 0


@pytest.mark.parametrize("quote", "\"'")
def test_a_table_of_runs_is_handed_in_if_it_is_there(looked, scratch, quote):
    (scratch / "runs.csv").write_text("seed,accuracy\n0,0.5\n")
    (scratch / "other.csv").write_text("no cell names it")
    (scratch / "data.csv").write_bytes(bytes(hand_in.LARGEST_TABLE + 1))
    cell = code('open("runs.csv", "w")\nopen("gone.csv")\nopen("data.csv")'.replace('"', quote))
    found = looked(cell)
    assert [row[:2] for row in rows(found)] == [("runs.csv", "there")]
    assert [path.name for path in found.files] == ["runs.csv"]


def test_a_notebook_in_which_nothing_is_missing_says_so(looked):
    found = looked(checked("right", 2), answer("word " * 20), checks={
        "right": Kept(2, 2, 1.0, WHEN)})  # fmt: skip
    assert found.missing == 0
    assert found.grid().text().startswith("a9_test: everything is there\n")
    assert {mark.colour for _, mark, _ in found.rows} == {GOOD}


def test_a_short_answer_is_shown_and_is_no_fault(looked):
    found = looked(answer("Yes."))
    assert [mark.colour for _, mark, _ in found.rows] == [PLAIN]
    assert found.grid().title == "a9_test: everything is there"


def test_one_thing_is_one_thing(looked):
    assert looked(answer("")).grid().title == "a9_test: 1 thing to look at"


def test_what_the_run_has_shown_is_kept_as_progress(looked, scratch):
    kept = Kept(2, 2, 1.0, WHEN)
    looked(checked("right", 2), checks={"right": kept})
    assert progress.read(scratch / progress.NAME) == {"a9_test": {"right": kept}}


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_of_a_student_version_every_check_answer_and_file_is_seen(assignment, looked):
    released = released_notebook(assignment)
    graded = {grade_id(cell) for cell in released.cells
              if cell.metadata.get("nbgrader", {}).get("grade")}  # fmt: skip
    assert set(released.metadata[progress.GRADED]) == graded
    found = looked(*released.cells)
    named = [what for what, _, _ in rows(found)]
    files = [name for name in named if name.endswith(".safetensors")]
    assert sorted(set(named) - set(files)) == sorted(graded)
    assert len(named) == len(set(named)) == found.missing
    calls = "".join(cell.source for cell in released.cells).count("save_artifact(")
    assert bool(files) == bool(calls)


# Which notebook


def test_the_notebook_of_the_assignment_that_was_saved_last_is_taken(scratch):
    for name, age in (("a9_test.ipynb", 50), ("a9_test (1).ipynb", 10), ("a0.ipynb", 0)):
        path = saved(scratch, name=name)
        os.utime(path, (1e9 - age, 1e9 - age))
    found = hand_in.find("a9_test", scratch)
    assert found.path == scratch / "a9_test (1).ipynb" and found.assignment == "a9_test"


@pytest.mark.parametrize("how", ["jupyter", "vscode"])
def test_the_notebook_that_a_front_end_names_is_taken_whatever_it_is_called(
    scratch, monkeypatch, how
):
    saved(scratch)
    mine = saved(scratch, name="elsewhere/mine.ipynb")
    if how == "jupyter":
        monkeypatch.setenv("JPY_SESSION_NAME", str(mine))
    else:
        shell = SimpleNamespace(user_ns={"__vsc_ipynb_file__": str(mine)})
        monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    assert hand_in.find("a9_test", scratch).path == mine


@pytest.mark.parametrize("named", ["gone.ipynb", "console-1", ""])
def test_a_front_end_that_names_no_notebook_is_not_believed(scratch, monkeypatch, named):
    monkeypatch.setenv("JPY_SESSION_NAME", named)
    assert hand_in.find("a9_test", saved(scratch).parent).path == scratch / "a9_test.ipynb"


def test_colab_gives_the_notebook_as_it_is_on_the_screen(scratch, monkeypatch):
    shown = notebook(code("x = 1")).content
    message = SimpleNamespace(blocking_request=lambda *_, **__: {"ipynb": shown})
    google, colab = ModuleType("google"), ModuleType("google.colab")
    colab._message = message
    for one in (google, colab):
        monkeypatch.setitem(sys.modules, one.__name__, one)
    saved(scratch)
    assert hand_in.find("a9_test", scratch) == Notebook(shown, None, "a9_test")


def test_without_a_notebook_it_is_said_where_it_was_looked_for(scratch):
    saved(scratch, name="a0_other.ipynb")
    with pytest.raises(NothingToHandIn) as told:
        hand_in.find("a9_test", scratch)
    assert str(told.value) == (
        f"There is no a9_test.ipynb in {scratch}. In a terminal, run `autograder check NOTEBOOK` "
        "with the path of your notebook."
    )


@pytest.mark.parametrize(
    "text, said",
    [
        ('{"cells": []}', "is not a notebook of this course: it has no line `check = Checker(…)`."),
        ('{"cells": [{"source": "x = 1"}]}', "is not a notebook of this course"),
        ("", "is not a notebook; save it again in JupyterLab."),
        ("[1]", "is not a notebook; save it again"),
        ('{"cells": 3}', "is not a notebook; save it again"),
        ("\udcff", "is not a notebook; save it again"),
    ],
)
def test_what_is_no_notebook_of_this_course_is_refused_in_a_sentence(scratch, text, said):
    path = scratch / "mine.ipynb"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(NothingToHandIn) as told:
        hand_in.load(path)
    assert str(told.value).startswith(f"{path} {said}")


def test_a_path_that_is_not_there_is_named(scratch):
    with pytest.raises(NothingToHandIn, match=r"gone\.ipynb: No such file or directory\.$"):
        hand_in.load(scratch / "gone.ipynb")


def test_the_name_of_the_assignment_is_that_of_its_checker_and_not_of_its_file(scratch):
    assert hand_in.load(saved(scratch, name="Kopie von a1.ipynb")).assignment == "a9_test"


# The zip


def test_the_zip_holds_the_notebook_its_files_and_who_what_and_when(looked, scratch):
    save_artifact("net.safetensors", {"w": torch.ones(3)}, DRAWN)
    (scratch / "diary.txt").write_text("private")
    found = looked(code('save_artifact("net.safetensors", net)'), answer("Größe ≈ 3"))
    path = hand_in.write(found, scratch, "Kim Ä")
    assert path == scratch / "a9_test.zip"
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    assert set(held) == {"a9_test.ipynb", "net.safetensors", "hand_in.json"}
    assert json.loads(held["a9_test.ipynb"]) == found.notebook.content
    assert held["net.safetensors"] == (scratch / "net.safetensors").read_bytes()
    about = json.loads(held["hand_in.json"])
    assert about["student"] == "Kim Ä" and about["assignment"] == "a9_test"
    assert about["gradient-check"] == __version__
    assert about["torch"] and torch.__version__.startswith(about["torch"])
    assert about["written"][:4].isdigit() and about["python"] and about["system"]


def test_a_picture_that_an_answer_shows_is_in_the_zip_and_a_missing_one_is_said(looked, scratch):
    (scratch / "figure.png").write_bytes(b"a picture")
    found = looked(answer("See " * 20 + "![](figure.png) and ![](gone.png)"))
    assert [row[:2] for row in rows(found)[1:]] == [("gone.png", "missing")]
    with zipfile.ZipFile(hand_in.write(found, scratch)) as archive:
        cell = json.loads(archive.read("a9_test.ipynb"))["cells"][1]
    assert cell["attachments"]["figure.png"] and "](attachment:figure.png)" in cell["source"]
    assert "](gone.png)" in cell["source"]


def test_jupyterhub_knows_who_a_student_is(looked, scratch, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_USER", "kim")
    with zipfile.ZipFile(hand_in.write(looked(), scratch)) as archive:
        assert json.loads(archive.read("hand_in.json"))["student"] == "kim"


def test_a_second_zip_takes_the_place_of_the_first_and_leaves_nothing(looked, scratch):
    hand_in.write(looked(code("first = 1")), scratch)
    path = hand_in.write(looked(code("second = 2")), scratch)
    with zipfile.ZipFile(path) as archive:
        assert b"second" in archive.read("a9_test.ipynb")
    assert sorted(one.name for one in scratch.iterdir()) == [progress.NAME, "a9_test.zip"]


def test_a_grader_takes_the_zip_as_it_is(example):
    """A student's whole way: run it afresh, look, zip; then the instructor's first step."""
    blank = nbformat.read(example.release / f"{worked_example.NAME}.ipynb", 4)
    solved = with_cells(blank, {"squared_error": worked_example.RIGHT})
    work = example.course.root / "work"
    work.mkdir()
    nbformat.write(solved, work / f"{worked_example.NAME}.ipynb")
    found = hand_in.look(hand_in.find(worked_example.NAME, work), work)
    assert rows(found) == [(worked_example.CHECK, "passed", "5 points")]
    submitted = example.submitted("kim")
    submitted.mkdir(parents=True)
    hand_in.write(found, submitted)
    assert [path.name for path in submitted.iterdir()] == [f"{worked_example.NAME}.zip"]
    prepared = prepare(load_assignment(example), "kim")
    taken = from_bytes(prepared.notebooks[worked_example.NAME])
    cell = next(one for one in taken.cells if grade_id(one) == "squared_error")
    assert cell.source == worked_example.RIGHT
    told = [note for notes in prepared.notes.values() for note in notes]
    assert told == [f"What was handed in was unpacked from {worked_example.NAME}.zip."]


def test_a_zip_that_cannot_be_written_is_told_in_a_sentence_that_says_what_to_do(looked, scratch):
    with pytest.raises(NothingToHandIn, match="hand in the notebook and its files"):
        hand_in.write(looked(code("first = 1")), scratch / "gone")
