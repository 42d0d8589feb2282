"""Files that were handed in with other names, in other places, or in an archive."""

import io
import os
import zipfile
from pathlib import Path

import nbformat
import pytest

from autograder.grading import files
from autograder.grading.prepare import load_assignment, prepare
from autograder.grading.repair import beside
from tests.worked_example import NAME, hand_in

NET = "faces_net.safetensors"
SAME = (
    "faces_net (1).safetensors", "faces_net(2).safetensors", "faces_net-1.safetensors",
    "faces_net_3.safetensors", "Faces_Net.safetensors", "faces_net.SAFETENSORS",
    "Copy of faces_net.safetensors", "faces_net copy.safetensors", "faces_net - Copy.safetensors",
    "doejane_48213_1093848_faces_net.safetensors", "doejane_LATE_1_2_faces_net-1.safetensors",
    "homework4/faces_net.safetensors", "homework4/deep/faces_net (1).safetensors",
)  # fmt: skip
OTHER = (
    "faces_network.safetensors", "net.safetensors", "faces_net.pt", "myfaces_net.safetensors",
    "faces_net_old.safetensors", "faces_net.safetensors.bak", "faces_net",
)  # fmt: skip


def found(*names):
    return {name: Path("/handed/in", name) for name in names}


@pytest.mark.parametrize("name", SAME)
def test_what_browsers_and_platforms_add_to_a_name_is_seen_through(name):
    there = found(name, "notes.txt")
    files_, notes = beside.moved(there, "", [NET])
    assert files_ == {NET: there[name]}
    assert notes == [f"The file {NET} was handed in as {name}."]


@pytest.mark.parametrize("name", OTHER)
def test_a_file_of_another_name_is_another_file(name):
    assert beside.moved(found(name), "", [NET]) == ({}, [])


def test_what_has_its_name_needs_nothing():
    assert beside.moved(found(NET, "faces_net (1).safetensors"), "", [NET]) == ({}, [])


def test_of_several_copies_the_last_is_taken_and_that_is_said():
    there = found("faces_net (2).safetensors", "faces_net (10).safetensors", "x/faces_net (11).pt")
    files_, notes = beside.moved(there, "", [NET])
    assert files_ == {NET: there["faces_net (10).safetensors"]}
    assert notes == [
        f"The file {NET} was handed in as faces_net (10).safetensors, "
        "one of 2 files with similar names."
    ]


def test_what_lies_beside_the_notebook_lies_beside_it():
    there = found(f"hw/{NET}", "hw/data/a.csv", f"old/{NET}", "helpers.py", "hw/helpers.py")
    files_, notes = beside.moved(there, "hw", [NET])
    assert files_ == {NET: there[f"hw/{NET}"], "data/a.csv": there["hw/data/a.csv"]}
    assert notes == [
        f"The file {NET} was handed in as hw/{NET}, one of 2 files with similar names."
    ]


@pytest.fixture
def assignment(example):
    (example.source / "artifacts").mkdir()
    (example.source / "artifacts" / NET).write_text("trained")
    return load_assignment(example)


def given(one, tmp_path):
    files.unpack(one.files, tmp_path)
    return {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}


def test_a_kernel_finds_the_file_where_the_notebook_looks_and_a_note_says_so(
    assignment, example, tmp_path
):
    folder = hand_in(example, "kim").parent
    (folder / "faces_net (1).safetensors").write_text("mine")
    one = prepare(assignment, "kim")
    assert NET in given(one, tmp_path) and (tmp_path / NET).read_text() == "mine"
    note = f"The file {NET} was handed in as faces_net (1).safetensors."
    assert one.notes == {NAME: (note,)} and note.encode() in one.notebooks[NAME]


def in_a_zip(notebook, archive, **others):
    with zipfile.ZipFile(archive, "w") as made:
        made.write(notebook, f"homework/{NAME}.ipynb")
        for name, text in others.items():
            made.writestr(name, text)
    notebook.unlink()


def test_what_is_in_one_archive_is_graded_as_if_it_were_not(assignment, example, tmp_path):
    notebook = hand_in(example, "kim")
    in_a_zip(notebook, notebook.parent / "all.zip", **{f"homework/{NET}": "mine"})
    one = prepare(assignment, "kim")
    assert (one.notes[NAME][0], len(one.notes[NAME])) == (
        "What was handed in was unpacked from all.zip.",
        3,
    )
    assert NET in given(one, tmp_path) and b'"repaired"' in one.notebooks[NAME]
    assert prepare(assignment, "kim").digest == one.digest


def test_a_notebook_counts_and_the_zip_beside_it_gives_the_file_it_lacks(
    assignment, example, tmp_path
):
    """Somebody hands in the zip, and to be safe the notebook too."""
    notebook = hand_in(example, "kim")
    before = nbformat.read(notebook, 4)
    in_a_zip(notebook, notebook.parent / "all.zip", **{NET: "mine"})
    before.cells.append(nbformat.v4.new_code_cell("after = 'the zip was written'"))
    nbformat.write(before, notebook)
    one = prepare(assignment, "kim")
    assert one.notes == {NAME: (f"The file {NET} was handed in as all.zip/{NET}.",)}
    assert b"the zip was written" in one.notebooks[NAME]
    assert NET in given(one, tmp_path) and (tmp_path / NET).read_text() == "mine"
    (notebook.parent / NET).write_text("newer")  # beside the notebook: no archive is opened
    one = prepare(assignment, "kim")
    assert one.notes == {NAME: ()}
    given(one, tmp_path / "again")
    assert (tmp_path / "again" / NET).read_text() == "newer"


def test_a_file_beside_a_zip_with_the_notebook_comes_along(assignment, example, tmp_path):
    notebook = hand_in(example, "kim")
    in_a_zip(notebook, notebook.parent / "all.zip")
    (notebook.parent / NET).write_text("mine")
    prepared = prepare(assignment, "kim")
    assert NET in given(prepared, tmp_path) and (tmp_path / NET).read_text() == "mine"
    assert not prepared.notes[NAME][0].startswith("kim")


@pytest.mark.parametrize("loose", [False, True])
@pytest.mark.parametrize("number", ["", " (1)", " (2)"])
def test_of_two_zips_the_last_copy_counts(number, loose, assignment, example, tmp_path):
    notebook = hand_in(example, "kim")
    kept = notebook.read_bytes()
    for copy in {"", " (1)", number}:
        notebook.write_bytes(kept)
        in_a_zip(notebook, notebook.parent / f"hw{copy}.zip", **{f"homework/{NET}": f"net{copy}"})
    if loose:
        notebook.write_bytes(kept)
    prepared = prepare(assignment, "kim")
    assert "there is no notebook" not in "".join(prepared.notes[NAME])
    assert NET in given(prepared, tmp_path)
    assert (tmp_path / NET).read_text() == f"net{number or ' (1)'}"


def test_what_is_no_file_or_no_notebook_of_a_student_s_does_not_keep_a_zip_closed(
    assignment, example, tmp_path
):
    notebook = hand_in(example, "kim")
    in_a_zip(notebook, notebook.parent / "all.zip", **{f"homework/{NET}": "mine"})
    os.mkfifo(notebook.parent / "endless.zip")
    os.mkfifo(notebook.parent / "endless.txt")
    for name in (".ipynb_checkpoints", "__MACOSX"):
        (notebook.parent / name).mkdir()
        (notebook.parent / name / f"{NAME}.ipynb").write_text("{}")
    prepared = prepare(assignment, "kim")
    assert NET in given(prepared, tmp_path)
    assert prepared.notes[NAME][0] == "What was handed in was unpacked from all.zip."


def test_a_notebook_with_a_large_data_set_is_not_copied(example, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"{NAME}.ipynb").write_text("{}")
    (tmp_path / "in" / "images.npy").write_bytes(bytes(2000))
    with zipfile.ZipFile(tmp_path / "in" / "all.zip", "w") as made:
        made.writestr(NET, "mine")
    with beside.unpacked(tmp_path / "in", 1000, 10, [NET]) as (place, notes):
        assert (place, notes) == (tmp_path / "in", [])


def test_an_archive_of_any_name_stays_in_the_folder_for_it(example, tmp_path):
    """`Path("...zip").stem` is `..`."""
    (tmp_path / "in").mkdir()
    for name in ("...zip", "other.zip"):
        with zipfile.ZipFile(tmp_path / "in" / name, "w") as made:
            made.writestr("made.txt", name)
    with beside.unpacked(tmp_path / "in", 10**6, 10) as (place, notes):
        assert sorted(files.in_folder(place)) == ["...zip/made.txt", "other.zip/made.txt"]
        assert not (place.parent / "made.txt").exists() and len(notes) == 2


@pytest.mark.parametrize(
    ("member", "content", "why"),
    [
        ("../out.txt", b"x", "all.zip holds '../out.txt', which could end up anywhere"),
        ("big.bin", bytes(257 * 2**20), "it holds more than 256 MiB or 10,000 files"),
    ],
)
def test_an_archive_that_is_not_safe_is_not_unpacked(member, content, why, assignment, example):
    notebook = hand_in(example, "kim")
    notebook.unlink()
    with zipfile.ZipFile(notebook.parent / "all.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(member, content)
    (note,) = prepare(assignment, "kim").notes[NAME]
    assert note.endswith(f"The archive all.zip was not unpacked: {why}.")
    assert note.startswith(f"kim/{NAME}: there is no notebook {NAME}.ipynb")


def test_what_only_looks_like_an_archive_is_said(assignment, example):
    notebook = hand_in(example, "kim")
    notebook.unlink()
    (notebook.parent / "all.zip").write_bytes(io.BytesIO(b"PK\x03\x04 nothing").getvalue())
    (note,) = prepare(assignment, "kim").notes[NAME]
    assert note.endswith(
        "The archive all.zip was not unpacked: it is damaged or not a zip archive."
    )


def test_a_net_that_was_trained_on_other_data_than_is_graded_is_noted():
    found = {NET: Path("there") / NET, "other.safetensors": Path("other.safetensors")}
    (note,) = beside.notes_on_data(found, lambda path: path.parent.name == "there")
    assert NET in note and "REAL = False" in note
