"""A submission made ready to run: what is the student's stays, what is not is put back."""

import os
import shutil
from pathlib import Path

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell

from autograder import CHALLENGE_FILE
from autograder.grading import files
from autograder.grading.course import CourseError, open_course
from autograder.grading.notebooks import NOTES, from_bytes, grade_id
from autograder.grading.prepare import (
    load_assignment,
    on_wrong_data,
    prepare,
    read_submission,
    released_notebook,
)
from autograder.notebook import cases
from autograder.notebook.artifacts import save_artifact
from autograder.notebook.cases import Case, RecordedCheck
from tests import submissions
from tests.worked_example import CHECK, NAME, RIGHT, hand_in

STEPS = """
from nbgrader.preprocessors import NbGraderPreprocessor

class Signs(NbGraderPreprocessor):
    text = "before"

    def preprocess(self, nb, resources):
        nb.metadata["signed"] = nb.metadata.get("signed", "") + self.text
        return nb, resources

class SignsAgain(Signs):
    text = ", after"

c.Autograde.sanitize_preprocessors.insert(0, Signs)
c.Autograde.autograde_preprocessors.append(SignsAgain)
"""


def with_settings(folders, *settings):
    with (folders.course.root / "nbgrader_config.py").open("a") as file:
        file.write("\n".join(("", *settings, "")))
    return open_course(folders.course.root).assignment(NAME)


def prepared(folders, student="kim"):
    return prepare(load_assignment(folders), student)


def notebook_of(one):
    return from_bytes(one.notebooks[NAME])


def cell(notebook, name):
    return next(one for one in notebook.cells if grade_id(one) == name)


def files_of(one, tmp_path):
    """Unpack what a kernel starts with. Returns contents by name."""
    folder = tmp_path / "kernel"
    shutil.rmtree(folder, ignore_errors=True)
    files.unpack(one.files, folder)
    return {name: path.read_bytes() for name, path in files.in_folder(folder).items()}


def beside(folders, name, content=b"", student="kim"):
    path = folders.submitted(student) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def said(folders, error, load=load_assignment):
    with pytest.raises(error) as caught:
        load(folders)
    return str(caught.value)


# An assignment


def test_an_assignment_is_its_notebooks_its_hidden_tests_and_what_they_ask(example):
    loaded = load_assignment(example)
    (original,) = loaded.notebooks.values()
    assert list(loaded.notebooks) == [NAME]
    assert set(original.cells) == {"setup", "squared_error", CHECK}
    assert "check.hidden" in original.cells[CHECK].source
    assert "check.hidden" not in cell(original.released, CHECK).source
    assert (original.cells[CHECK].points, original.cells["setup"].points) == (5, None)
    assert list(loaded.references) == list(cases.from_bytes(loaded.challenge)) == [CHECK]
    assert (loaded.files, loaded.before) == ({}, [])
    assert loaded.beside == (256 * files.MiB, 10_000)


def test_a_challenge_has_the_inputs_and_no_answers(example):
    loaded = load_assignment(example)
    asked = cases.from_bytes(loaded.challenge)[CHECK]
    assert [list(case.inputs) for case in asked.cases] == 2 * [["prediction", "target"]]
    assert all(case.expected is None for case in asked.cases) and asked.mistakes == ()
    assert all(case.expected for case in loaded.references[CHECK].cases)


def test_what_an_author_names_goes_along_and_notebooks_do_not(example):
    for name in ("helpers.py", "data/a.txt", "notes.txt", "second.ipynb"):
        (example.source / name).parent.mkdir(exist_ok=True)
        (example.source / name).write_text(name)
    named = "c.Release.include = ['helpers.py', 'data/*', '*.ipynb']"
    loaded = load_assignment(with_settings(example, named))
    assert loaded.files == {n: example.source / n for n in ("helpers.py", "data/a.txt")}


def test_of_too_many_files_the_notebook_is_run_without(example):
    folder = hand_in(example, "kim").parent
    for number in range(12):
        (folder / f"{number}.txt").touch()
    loaded = load_assignment(with_settings(example, "c.Limits.files = 20"))
    one = prepare(loaded, "kim")
    assert list(one.notes.values()) == [
        ("Run without them: there are more than 10 files beside the notebook; "
         "hand in only what the notebook needs.",)
    ]  # fmt: skip
    unpacked = folder / "unpacked"
    files.unpack(one.files, unpacked)
    assert [path.name for path in unpacked.iterdir()] == [CHALLENGE_FILE]


def test_half_of_what_a_kernel_may_write_may_lie_there_before(example):
    assert load_assignment(with_settings(example, "c.Limits.scratch = 2000")).beside[0] == 1000


def test_steps_that_an_instructor_added_are_taken_and_those_done_here_are_not(example):
    loaded = load_assignment(with_settings(example, STEPS))
    assert [type(step).__name__ for step in loaded.before] == ["Signs"]
    assert [type(step).__name__ for step in loaded.after] == [
        "IgnorePattern", "ClearMetadataPreprocessor", "LimitOutput", "SignsAgain",
    ]  # fmt: skip


def test_before_its_release_an_assignment_cannot_be_graded(example):
    assert said(example.course.assignment("a1"), CourseError) == (
        "a1: the gradebook does not know this assignment; run `autograder release a1` first."
    )


def test_without_reference_tensors_an_assignment_cannot_be_graded(example):
    (example.source / cases.REFERENCES).unlink()
    assert said(example, cases.CasesNotFound) == (
        f"{NAME}/references.safetensors: no such file; record it with "
        f"`autograder reference {NAME}` in the course's folder."
    )


def test_reference_tensors_that_cannot_be_read_are_named(example):
    (example.source / cases.REFERENCES).write_bytes(b"{}")
    assert said(example, cases.CasesNotFound).startswith(
        f"{NAME}/references.safetensors: not a safetensors file of this project ("
    )


def test_a_student_version_that_is_gone_is_named(example):
    shutil.rmtree(example.release)
    assert said(example, CourseError) == (
        f"assignments/{NAME}/{NAME}.ipynb: there is no student version; "
        f"run `autograder release {NAME}`."
    )


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"PK\x03\x04\xff", b'{"nbformat": 9, "nbformat_minor": 0}',
        b"[]", b"7", b'"text"', b"null", b"{}", b'{"nbformat": 4}',
    ],
)  # fmt: skip
def test_a_broken_student_version_is_named(content, tmp_path):
    path = tmp_path / "assignments" / "a0" / "a0.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    text = said(path, CourseError, released_notebook)
    assert text.startswith("assignments/a0/a0.ipynb: this student version is not a notebook (")
    assert text.endswith("); run `autograder release a0`.")


# Its digest


def test_an_assignment_that_did_not_change_has_the_same_digest(example):
    before = load_assignment(example).digest
    (example.source / "notes.txt").write_text("nothing that counts")
    os.utime(example.source / cases.REFERENCES)
    assert load_assignment(open_course(example.course.root).assignment(NAME)).digest == before


def other_references(folders):
    path = folders.source / cases.REFERENCES
    path.write_bytes((folders.source / cases.PUBLIC).read_bytes())
    cases.load_references.cache_clear()


def other_file(folders):
    (folders.source / "helpers.py").write_text("x = 2")


def other_cell(folders):
    text = folders.notebook().read_text()
    folders.notebook().write_text(text.replace("import torch", "import torch  # once"))
    assert folders.course.api.generate_assignment(NAME)["success"]


def other_points(folders):
    with folders.course.gradebook() as book:
        book.find_grade_cell(CHECK, NAME, NAME).max_score = 6
        book.db.commit()


@pytest.mark.parametrize("change", [other_references, other_file, other_cell, other_points])
def test_whatever_changes_a_grade_changes_the_digest(change, example):
    (example.source / "helpers.py").write_text("x = 1")
    folders = with_settings(example, "c.Release.include = ['helpers.py']")
    hand_in(folders, "kim")
    before = load_assignment(folders).digest, prepared(folders).digest
    change(folders)
    after = load_assignment(folders).digest, prepared(folders).digest
    assert before[0] != after[0] and before[1] != after[1]


# A submission


def test_a_submission_keeps_the_solution_and_gets_the_hidden_tests(example, tmp_path):
    hand_in(example, "kim", RIGHT)
    one = prepared(example)
    assert (one.student, one.notes) == ("kim", {NAME: ()})
    notebook = notebook_of(one)
    assert cell(notebook, "squared_error").source == RIGHT
    assert "check.hidden" in cell(notebook, CHECK).source
    assert files_of(one, tmp_path) == {CHALLENGE_FILE: load_assignment(example).challenge}


def test_what_is_not_the_student_s_is_put_back(example):
    path = hand_in(example, "kim", RIGHT)
    edited = nbformat.read(path, 4)
    cell(edited, CHECK).source = "7"
    cell(edited, CHECK).metadata.nbgrader.update(points=700, checksum="mine")
    cell(edited, "setup").source = "check = print"
    nbformat.write(edited, path)
    original, notebook = load_assignment(example).notebooks[NAME], notebook_of(prepared(example))
    for name in ("setup", CHECK):
        assert cell(notebook, name).source == original.cells[name].source
    assert cell(notebook, CHECK).metadata.nbgrader.points == 5
    assert cell(notebook, CHECK).metadata.nbgrader.checksum == original.cells[CHECK].checksum
    assert cell(notebook, "squared_error").source == RIGHT


def test_what_was_displayed_before_is_gone(example):
    path = hand_in(example, "kim", RIGHT)
    shown = nbformat.read(path, 4)
    output = nbformat.v4.new_output("stream", name="stdout", text="7 of 7 points")
    cell(shown, CHECK).outputs = [output]
    nbformat.write(shown, path)
    assert all(not one.get("outputs") for one in notebook_of(prepared(example)).cells)


def test_an_instructor_s_steps_see_each_notebook(example):
    folders = with_settings(example, STEPS)
    hand_in(folders, "kim")
    assert notebook_of(prepared(folders)).metadata["signed"] == "before"


def test_files_beside_a_notebook_go_along_and_other_notebooks_do_not(example, tmp_path):
    hand_in(example, "kim")
    for name in ("net.safetensors", "data/a.txt", "scratch.ipynb", "data/b.ipynb", "timestamp.txt"):
        beside(example, name, name.encode())
    found = files_of(prepared(example), tmp_path)
    assert set(found) == {CHALLENGE_FILE, "net.safetensors", "data/a.txt", "timestamp.txt"}
    assert found["data/a.txt"] == b"data/a.txt"


def test_what_programs_leave_behind_and_what_links_point_to_stays(example, tmp_path):
    hand_in(example, "kim")
    for name in (".ipynb_checkpoints/a.txt", "__pycache__/a.pyc", "b.pyc"):
        beside(example, name)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("secret")
    (example.submitted("kim") / "link").symlink_to(example.source / cases.REFERENCES)
    (example.submitted("kim") / "linked").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(example.submitted("kim") / "fifo")
    assert set(files_of(prepared(example), tmp_path)) == {CHALLENGE_FILE}


@pytest.mark.parametrize("name", [CHALLENGE_FILE, f"{CHALLENGE_FILE}/a", "helpers.py", "data"])
def test_the_course_s_own_files_come_before_the_student_s(name, example, tmp_path):
    for own in ("helpers.py", "data/a.txt"):
        (example.source / own).parent.mkdir(exist_ok=True)
        (example.source / own).write_text("ours")
    folders = with_settings(example, "c.Release.include = ['helpers.py', 'data/a.txt']")
    hand_in(folders, "kim")
    beside(folders, name, b"theirs")
    assert files_of(prepared(folders), tmp_path) == {
        "helpers.py": b"ours", "data/a.txt": b"ours",
        CHALLENGE_FILE: load_assignment(folders).challenge,
    }  # fmt: skip


def test_files_that_are_too_large_are_left_out_and_that_is_said(example, tmp_path):
    folders = with_settings(example, "c.Limits.scratch = 4 * 2**20")
    hand_in(folders, "kim", RIGHT)
    beside(folders, "large", bytes(2 * 2**20))
    one = prepared(folders)
    assert set(files_of(one, tmp_path)) == {CHALLENGE_FILE}
    assert one.notes[NAME] == (
        "Run without them: the files beside the notebook take more than 2 MiB; "
        "hand in only what the notebook needs.",
    )
    assert cell(notebook_of(one), "squared_error").source == RIGHT


# Never fails for what a student handed in


def nothing(folder):
    folder.rmdir()


def a_file(folder):
    folder.rmdir()
    folder.write_text("my submission")


def a_notebook_that_is(make):
    def place(folder):
        make(folder / f"{NAME}.ipynb")

    return place


@pytest.mark.parametrize(
    "place",
    [
        nothing,
        a_file,
        lambda folder: None,
        lambda folder: (folder / "notes.txt").write_text("hello"),
        a_notebook_that_is(lambda path: path.write_bytes(b"")),
        a_notebook_that_is(lambda path: path.write_bytes(b"\xff\xfe\x00")),
        a_notebook_that_is(lambda path: path.write_text("[" * 10**5)),
        a_notebook_that_is(lambda path: path.write_text('{"cells": 7}')),
        a_notebook_that_is(lambda path: path.mkdir()),
        a_notebook_that_is(lambda path: path.symlink_to("/etc/passwd")),
        a_notebook_that_is(os.mkfifo),
    ],
)
def test_without_a_notebook_the_released_one_says_why_there_are_no_points(place, example):
    folder = example.submitted("kim")
    folder.mkdir(parents=True)
    place(folder)
    one = prepared(example)
    (sentence,) = one.notes[NAME]
    assert "there is no notebook" in sentence or "the notebook could not be read" in sentence
    notebook = notebook_of(one)
    assert notebook.metadata[NOTES] == {"notes": [sentence], "unreadable": sentence[:-1]}
    assert sentence in notebook.cells[0].source
    assert "raise NotImplementedError" in cell(notebook, "squared_error").source


@pytest.mark.parametrize(
    "name",
    [
        "x" * 200, "new\nline", "\x1b[2J", os.fsdecode(b"\xff"), "-rf", "a.ipynb.txt", "[a-z]*?",
        "deep/" + "d/" * 200 + "f",
    ],
)  # fmt: skip
def test_a_file_may_have_any_name(name, example, tmp_path):
    hand_in(example, "kim", RIGHT)
    beside(example, name, b"theirs")
    one = prepared(example)
    assert one.notes == {NAME: ()}
    assert files_of(one, tmp_path)[name] == b"theirs"


def test_folders_may_lie_in_each_other_deeper_than_python_calls_functions(example, deepen):
    hand_in(example, "kim", RIGHT)
    deepen(example.submitted("kim"))
    assert cell(notebook_of(prepared(example)), "squared_error").source == RIGHT


# Whether it changed


def without_a_check(notebook):
    notebook.cells.remove(cell(notebook, CHECK))


def with_own_cells(notebook):
    notebook.cells += [new_code_cell("x = 1"), new_markdown_cell("why")]


@pytest.mark.parametrize("edit", [lambda notebook: None, with_own_cells, without_a_check])
def test_a_submission_that_did_not_change_has_the_same_digest(edit, example):
    """By it a run that goes on knows what was graded."""
    path = hand_in(example, "kim", RIGHT)
    edited = nbformat.read(path, 4)
    edit(edited)
    nbformat.write(edited, path)
    assert prepared(example).digest == prepared(example).digest


def test_another_solution_another_file_and_another_name_are_another_digest(example):
    found = []
    for step in (
        lambda: hand_in(example, "kim"),
        lambda: hand_in(example, "kim", RIGHT),
        lambda: beside(example, "a", b"1"),
        lambda: beside(example, "a", b"2"),
        lambda: (example.submitted("kim") / "a").rename(example.submitted("kim") / "b"),
    ):
        step()
        found.append(prepared(example).digest)
    assert len(set(found)) == 5


# Reading a submission


def test_a_clean_submission_is_read_as_it_is(example):
    path = hand_in(example, "kim", RIGHT)
    original = released_notebook(example.release / f"{NAME}.ipynb")
    repaired, read, _ = read_submission(path.parent, NAME, original)
    assert (read, repaired.notes, repaired.unreadable) == (path, (), "")
    assert NOTES not in repaired.notebook.metadata
    assert len(repaired.notebook.cells) == len(original.cells)


def test_what_was_repaired_is_said_in_the_first_cell(example):
    path = hand_in(example, "kim", RIGHT)
    damaged = nbformat.read(path, 4)
    without_a_check(damaged)
    nbformat.write(damaged, path)
    path = path.rename(path.with_name("mine.ipynb"))
    original = released_notebook(example.release / f"{NAME}.ipynb")
    repaired, read, _ = read_submission(path.parent, NAME, original)
    renamed = f"The notebook was handed in as mine.ipynb; it is graded as {NAME}.ipynb."
    restored = f"{CHECK}: this cell was missing; it was put back."
    assert (read, repaired.notes) == (path, (renamed, restored))
    assert repaired.notebook.cells[0].source == (
        f"**Noted before grading**\n\n- {renamed}\n- {restored}"
    )
    assert repaired.notebook.metadata[NOTES] == {"notes": [renamed, restored], "unreadable": ""}


def test_without_a_submission_the_released_notebook_is_read_and_stays_as_it_was(example, tmp_path):
    original = released_notebook(example.release / f"{NAME}.ipynb")
    before = nbformat.writes(original)
    repaired, read, _ = read_submission(tmp_path / "nowhere" / NAME, NAME, original)
    assert read is None
    assert repaired.unreadable == f"nowhere/{NAME}: there is no notebook {NAME}.ipynb"
    assert nbformat.writes(original) == before


@pytest.mark.parametrize("data, graded, wrong", [
    ("real", "drawn", True), ("real", "real", False), ("drawn", "drawn", False),
    ("", "drawn", False),
])  # fmt: skip
def test_a_net_trained_on_real_data_is_wrong_where_only_drawn_data_is_graded(
    scratch, data, graded, wrong
):
    save_artifact("net.safetensors", {"weight": torch.ones(2)}, data)
    case = Case(graded, "images", {}, expected=None)
    references = {"right": RecordedCheck("right", "", {}, (case,))}
    assert on_wrong_data(scratch / "source" / NAME, references, Path("net.safetensors")) is wrong


def in_a_file(assignment, real):
    """Return what tells in the file of an assignment, trained on real or on drawn data."""
    if assignment.startswith("a2"):
        colours, std = ((0.495, 0.485, 0.45), 0.248) if real else ((0.514, 0.523, 0.478), 0.219)
        mean_image = torch.tensor(colours).view(3, 1, 1).expand(3, 32, 32)
        return {"mean_image": mean_image.half(), "std": torch.tensor(std)}
    counts = (
        [3932, 434, 3975, 7050, 4700, 3117, 4798] if real else [800, 90, 820, 1400, 900, 700, 1190]
    )
    return {"counts": torch.tensor(counts)}


@pytest.mark.parametrize("assignment", ["a2_cifar10_debugging", "a4_facial_expression"])
@pytest.mark.parametrize("real", [True, False])
def test_a_net_that_does_not_say_its_data_is_told_by_what_its_file_holds(scratch, assignment, real):
    save_artifact("net.safetensors", in_a_file(assignment, real))
    assert on_wrong_data(submissions.folder(assignment), {}, Path("net.safetensors")) is real
