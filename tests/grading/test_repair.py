"""Damaged submissions: what is read, what is put back, and what is said about it."""

import json
import os
import random
import subprocess
import sys
import time
from copy import deepcopy
from datetime import datetime

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from nbgrader.nbgraderformat import MetadataValidator

from autograder.grading import repair
from autograder.grading.notebooks import from_bytes
from autograder.grading.prepare import load_assignment, prepare
from autograder.grading.repair import rebuild
from autograder.grading.repair.submitted import SIZE_LIMIT, time_of
from tests import submissions
from tests.fixtures import A1

REAL = sorted((submissions.folder(A1) / "submissions").glob("*/*.ipynb"))
LATE = "def nn_loss(params, scores, y, reg):\n    return 'late'"


@pytest.fixture(scope="module")
def released():
    return submissions.released_notebook(A1)


@pytest.fixture
def handed_in(released):
    """The release as plain JSON, in which every task is worked on."""
    document = json.loads(nbformat.writes(released))
    for raw in document["cells"]:
        raw["source"] = "".join(raw["source"])
        if raw["metadata"].get("nbgrader", {}).get("solution"):
            raw["source"] = worked_on(raw)
    return document


@pytest.fixture
def repaired(tmp_path, released):
    """Return a function that saves a document, or text or bytes, and repairs it."""

    def save_and_read(document, release=released):
        path = tmp_path / "submission.ipynb"
        if isinstance(document, bytes):
            path.write_bytes(document)
        else:
            text = document if isinstance(document, str) else json.dumps(document)
            path.write_text(text, encoding="utf-8")
        result = repair.read(path, release)
        assert_gradable(result.notebook, release)
        return result

    return save_and_read


def worked_on(raw):
    if raw["cell_type"] == "code":
        return raw["source"].replace("raise NotImplementedError", f"return {name(raw)!r}")
    return f"My thoughts on {name(raw)}."


def name(cell):
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "")


def cell(document, grade_id):
    return next(raw for raw in document["cells"] if name(raw) == grade_id)


def place(document, grade_id):
    return document["cells"].index(cell(document, grade_id))


def own(source, kind="code", **more):
    return {"cell_type": kind, "metadata": {}, "source": source, **more}


def sources(document):
    return [raw["source"] for raw in document["cells"]]


def strip(document):
    for raw in document["cells"]:
        raw["metadata"] = {}
        raw.pop("id", None)


def assert_gradable(notebook, release):
    """Every nbgrader cell is there once, as released but for the student's text."""
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)
    assert len({raw.id for raw in notebook.cells}) == len(notebook.cells)
    expected = [(raw.id, raw.cell_type, raw.metadata) for raw in release.cells if name(raw)]
    assert [(r.id, r.cell_type, r.metadata) for r in notebook.cells if name(r)] == expected
    for raw in notebook.cells:
        if raw.metadata.get("nbgrader", {}).get("locked"):
            assert raw.source == cell(release, name(raw)).source
    nbformat.writes(notebook).encode("utf-8")


# Nothing wrong


def test_the_release_itself_comes_back_without_a_note(repaired, released):
    assert repaired(nbformat.writes(released)) == repair.Repaired(released, ())


def test_a_clean_submission_comes_back_unchanged_without_a_note(repaired, handed_in):
    result = repaired(handed_in)
    assert result.notes == ()
    assert json.loads(nbformat.writes(result.notebook, split_lines=False)) == json.loads(
        json.dumps(handed_in | {"nbformat": 4})
    )


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.parent.name)
def test_a_real_notebook_keeps_every_text_of_the_student(path, released):
    submitted, result = nbformat.read(path, 4), repair.read(path, released)
    assert_gradable(result.notebook, released)
    locked = {name(raw) for raw in released.cells if raw.metadata.get("nbgrader", {}).get("locked")}
    there = set(map(name, released.cells))  # what has left the release is the student's own
    # the release has since had a first and a last cell without a name, which are put back
    added = {raw.source for raw in released.cells if raw.cell_type == "code" and not name(raw)}
    kept = [raw for raw in result.notebook.cells if raw.source not in added]
    assert len(result.notebook.cells) - len(kept) == 2
    for before, after in zip(submitted.cells, kept, strict=True):
        assert name(after) == (name(before) if name(before) in there else "")
        assert before.source == after.source or name(before) in locked
    # They were solved before some locked cells of the release were changed
    assert result.notes in ((), (rebuild.EARLIER,))


def by_colab(document):
    document["nbformat_minor"] = 0
    document["metadata"] = {"colab": {"provenance": []}, "kernelspec": {"name": "python3"}}
    for number, raw in enumerate(document["cells"]):
        raw.pop("id")
        raw["metadata"] |= {"id": f"QQAAabVV{number:04}", "outputId": "1-2-3", "colab": {}}


def by_vs_code(document):
    document["metadata"] = {"language_info": {"name": "python"}, "vscode": {"x": 1}}
    for number, raw in enumerate(document["cells"]):
        raw["metadata"]["vscode"] = {"languageId": "python"}
        raw["id"] = f"vs{number}"


def old_format(document):
    document["nbformat_minor"] = 2
    for raw in document["cells"]:
        raw.pop("id")


def oldest_format(document):
    for raw in document["cells"]:
        raw.pop("id")
        if raw["cell_type"] == "code":
            raw["input"] = raw.pop("source")
    document |= {"nbformat": 3, "nbformat_minor": 0}
    document["worksheets"] = [{"cells": document.pop("cells"), "metadata": {}}]


def newer_format(document):
    document["nbformat_minor"] = 9
    document["cells"][0]["from_the_future"] = 1


def without_ids(document):
    for raw in document["cells"]:
        raw.pop("id")


def with_one_id(document):
    for raw in document["cells"]:
        raw["id"] = document["cells"][0]["id"]


def in_lines(document):
    for raw in document["cells"]:
        raw["source"] = raw["source"].splitlines(keepends=True)


def with_windows_line_ends(document):
    for raw in document["cells"]:
        raw["source"] = raw["source"].replace("\n", "\r\n")


def with_outputs(document):
    cell(document, "nn_loss")["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": "x" * 10**7},
        {"output_type": "nonsense"},
    ]


@pytest.mark.parametrize(
    "save",
    [
        by_colab, by_vs_code, old_format, oldest_format, newer_format, without_ids, with_one_id,
        in_lines, with_windows_line_ends, with_outputs,
    ],
)  # fmt: skip
def test_how_an_editor_saves_is_no_damage(save, handed_in, repaired):
    expected = repaired(handed_in).notebook
    save(handed_in)
    result = repaired(handed_in)
    assert result.notes == ()
    assert sources(result.notebook) == sources(expected)
    assert [raw.id for raw in result.notebook.cells] == [raw.id for raw in expected.cells]
    assert result.notebook.metadata == expected.metadata


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_an_encoding_is_no_damage(encoding, handed_in, repaired):
    cell(handed_in, "question_initial_loss")["source"] = "ln 10 ≈ 2,3 für 10 Klassen"
    text = json.dumps(handed_in, ensure_ascii=False, indent=1).replace("\n", "\r\n")
    result = repaired(text.encode(encoding))
    assert result.notes == ()
    assert cell(result.notebook, "question_initial_loss").source == "ln 10 ≈ 2,3 für 10 Klassen"


def test_latin_1_is_read_with_a_note(repaired):
    document = {"cells": [own("# für")], "metadata": {}}
    result = repaired(json.dumps(document, ensure_ascii=False).encode("latin-1"))
    assert result.notes[0] == "The file was not saved as UTF-8; it was read as Latin-1."
    assert "# für" in sources(result.notebook)


# Cells deleted, doubled, moved


@pytest.mark.parametrize("grade_id", ["setup", "forward_scores", "nn_loss", "toy_training"])
def test_a_deleted_cell_is_put_back_at_its_place(grade_id, handed_in, repaired, released):
    handed_in["cells"].remove(cell(handed_in, grade_id))
    result = repaired(handed_in)
    assert result.notes == (f"{grade_id}: this cell was missing; it was put back.",)
    assert place(result.notebook, grade_id) == place(released, grade_id)
    assert cell(result.notebook, grade_id).source == cell(released, grade_id).source


def test_a_cell_put_back_stands_behind_what_the_student_wrote_before_it(handed_in, repaired):
    handed_in["cells"][place(handed_in, "loss_data")] = own(LATE)
    result = repaired(handed_in)
    assert sources(result.notebook).index(LATE) == place(result.notebook, "loss_data") - 1


def test_a_stub_put_back_does_not_undo_what_another_cell_defines(handed_in, repaired):
    merged = cell(handed_in, "nn_forward_pass")
    merged["source"] += "\n\n" + LATE
    handed_in["cells"].remove(cell(handed_in, "nn_loss"))
    result = repaired(handed_in)
    assert cell(result.notebook, "nn_loss").source == "# nn_loss is defined in another cell."
    (note,) = result.notes
    assert note.startswith("nn_loss: this cell was missing; another cell defines")


def test_many_repairs_of_one_kind_are_one_note(repaired):
    result = repaired({"cells": [], "metadata": {}})
    assert result.notes == (
        "setup, toy_data, two_layer_net and 32 more: each of these cells was missing; "
        "it was put back.",
    )


def test_of_copies_the_released_one_is_graded_if_both_were_edited(handed_in, repaired):
    original = cell(handed_in, "nn_loss")
    copied = deepcopy(original) | {"id": "copied", "source": LATE}
    handed_in["cells"].insert(handed_in["cells"].index(original) + 1, copied)
    result = repaired(handed_in)
    assert cell(result.notebook, "nn_loss").source == original["source"]
    (other,) = (raw for raw in result.notebook.cells if raw.id == "copied")
    assert (other.source, other.cell_type, other.metadata) == (LATE, "code", {})
    assert result.notes[0].endswith("a copy of nn_loss; it counts as a cell of your own.")


@pytest.mark.parametrize("grade_id", ["nn_loss", "question_initial_loss"])
@pytest.mark.parametrize("behind", [0, 1])
def test_of_copies_the_edited_one_is_graded_and_the_stub_left_out(
    grade_id, behind, handed_in, repaired, released
):
    stub = {**cell(handed_in, grade_id), "source": cell(released, grade_id).source}
    edited = cell(handed_in, grade_id)
    edited["id"] = "copied"
    handed_in["cells"].insert(place(handed_in, grade_id) + behind, stub)
    result = repaired(handed_in)
    assert cell(result.notebook, grade_id).source == edited["source"]
    assert stub["source"] not in sources(result.notebook)
    assert "was an unedited copy of a task; it was left out" in result.notes[0]


def test_copies_with_one_id_leave_the_last_one_graded(handed_in, repaired):
    copied = {**cell(handed_in, "nn_loss"), "source": LATE}
    handed_in["cells"].insert(place(handed_in, "nn_loss") + 1, copied)
    assert cell(repaired(handed_in).notebook, "nn_loss").source == LATE


def test_a_copy_of_a_locked_cell_is_an_ordinary_cell(handed_in, repaired):
    copied = deepcopy(cell(handed_in, "forward_scores")) | {"id": "copied"}
    handed_in["cells"].append(copied)
    result = repaired(handed_in)
    assert (result.notebook.cells[-1].id, result.notebook.cells[-1].metadata) == ("copied", {})


def test_moved_cells_go_back_and_take_the_student_s_own_along(handed_in, repaired, released):
    start, end = place(handed_in, "nn_loss"), place(handed_in, "loss_data")
    moved = [*handed_in["cells"][start:end], own("my_own = 1")]
    handed_in["cells"][start:end] = []
    handed_in["cells"] += moved
    result = repaired(handed_in)
    assert place(result.notebook, "nn_loss") == place(released, "nn_loss")
    assert result.notebook.cells[place(released, "nn_loss") + 1].source == "my_own = 1"
    assert result.notes == ("toy_training came before nn_loss; the released order is back.",)


def test_text_cells_may_be_moved_and_deleted(handed_in, repaired):
    cells = handed_in["cells"]
    cells.insert(3, cells.pop(41))
    cells.pop(0)
    result = repaired(handed_in)
    assert result.notes == ()
    assert sources(result.notebook) == sources(handed_in)


# nbgrader's metadata


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("grade_id", "mine"), ("grade_id", "nn_loss"), ("grade_id", ["x"]), ("points", 700),
        ("points", float("nan")), ("points", "many"), ("grade", False),
        ("solution", True), ("locked", False), ("task", True),
    ],
)  # fmt: skip
def test_changed_metadata_are_put_back(field, value, handed_in, repaired):
    number = place(handed_in, "forward_scores") + 1
    cell(handed_in, "forward_scores")["metadata"]["nbgrader"][field] = value
    result = repaired(handed_in)
    assert result.notes == (
        f"forward_scores: the metadata of this cell ({field}) was changed; it was put back.",
    )
    assert name(result.notebook.cells[number - 1]) == "forward_scores"


@pytest.mark.parametrize("version", [None, 1, 9, "3"])
def test_of_another_version_of_nbgrader_nobody_is_told(version, handed_in, repaired):
    cell(handed_in, "forward_scores")["metadata"]["nbgrader"]["schema_version"] = version
    result = repaired(handed_in)
    assert result.notes == ()
    assert cell(result.notebook, "forward_scores").metadata.nbgrader.schema_version == 3


def test_of_what_we_changed_after_the_release_no_student_is_told_that_they_did(
    handed_in, released, tmp_path
):
    """Points, and what an earlier release had not; what a student did is still told."""
    path = tmp_path / "handed_in.ipynb"
    path.write_text(json.dumps(handed_in))
    newer = deepcopy(released)
    for grade_id in ("forward_scores", "loss_data", "question_initial_loss"):
        cell(newer, grade_id).metadata.nbgrader.points += 1
    assert repair.read(path, newer).notes == ()
    cell(newer, "two_layer_net").source += "\n# clearer"
    cell(newer, "toy_data").source += "\n# clearer"
    result = repair.read(path, newer)
    assert result.notes == (rebuild.EARLIER,)
    assert cell(result.notebook, "toy_data").source.endswith("# clearer")
    cell(handed_in, "two_layer_net")["source"] += "\n# mine"
    path.write_text(json.dumps(handed_in))
    assert [note.split(":")[0] for note in repair.read(path, newer).notes] == [
        rebuild.EARLIER, "two_layer_net",
    ]  # fmt: skip


def test_a_number_of_5000_digits_does_no_harm(handed_in, repaired):
    cell(handed_in, "forward_scores")["metadata"]["nbgrader"]["points"] = "HUGE"
    (note,) = repaired(json.dumps(handed_in).replace('"HUGE"', "1" * 5000)).notes
    assert "(points)" in note


def test_exchanged_grade_ids_go_back_by_the_cells_ids(handed_in, repaired):
    one, other = cell(handed_in, "nn_loss"), cell(handed_in, "nn_predict")
    one["metadata"], other["metadata"] = other["metadata"], one["metadata"]
    result = repaired(handed_in)
    assert cell(result.notebook, "nn_loss").source == one["source"]
    assert cell(result.notebook, "nn_predict").source == other["source"]


@pytest.mark.parametrize("kind", ["code", "markdown", "raw", "nonsense", None, ["code"]])
@pytest.mark.parametrize("grade_id", ["nn_loss", "forward_scores", "question_initial_loss"])
def test_a_changed_cell_type_is_put_back(kind, grade_id, handed_in, repaired, released):
    raw = cell(handed_in, grade_id)
    same, raw["cell_type"] = raw["cell_type"] == kind, kind
    result = repaired(handed_in)
    assert cell(result.notebook, grade_id).source == raw["source"]
    assert [note.split(":")[0] for note in result.notes] == ([] if same else [grade_id])


def test_a_changed_locked_text_is_put_back_with_a_note(handed_in, repaired):
    cell(handed_in, "forward_scores")["source"] = "check.public('forward_scores', print)"
    (note,) = repaired(handed_in).notes
    assert note.startswith("forward_scores: the text of this locked cell")


def test_changed_whitespace_in_a_locked_text_is_put_back_silently(handed_in, repaired):
    cell(handed_in, "two_layer_net")["source"] += "\r\n\n  "
    assert repaired(handed_in).notes == ()


def test_without_metadata_cells_are_recognised_by_their_ids(handed_in, repaired):
    expected = sources(handed_in)
    for raw in handed_in["cells"]:
        raw["metadata"] = {}
    result = repaired(handed_in)
    assert sources(result.notebook) == expected
    assert result.notes == (
        "setup, toy_data, two_layer_net and 32 more: the nbgrader metadata of each of these "
        "cells was missing; it was put back.",
    )


def test_without_metadata_and_ids_cells_are_recognised_by_text_and_place(handed_in, repaired):
    expected = sources(handed_in)
    cell(handed_in, "question_zero_weights")["source"] = "YOUR ANSWER HERE"
    expected[place(handed_in, "question_zero_weights")] = "YOUR ANSWER HERE"
    strip(handed_in)
    result = repaired(handed_in)
    assert sources(result.notebook) == expected
    assert len(result.notes) == 1


def test_an_edited_text_without_any_mark_is_recognised_by_its_words(handed_in, repaired):
    strip_me = cell(handed_in, "sample_batch")
    strip_me["source"] = "# my comment\n" + strip_me["source"].replace("def sample", "def draw")
    strip(handed_in)
    result = repaired(handed_in)
    assert strip_me["source"] not in sources(result.notebook)
    assert any("sample_batch: the text of this locked" in note for note in result.notes)


def test_a_written_answer_in_a_cell_of_its_own_is_graded(handed_in, repaired):
    number = place(handed_in, "question_initial_loss")
    handed_in["cells"][number] = own("It is ln 10.", "markdown")
    result = repaired(handed_in)
    assert cell(result.notebook, "question_initial_loss").source == "It is ln 10."


# Ordinary code cells of a release


@pytest.fixture
def with_imports(released):
    release = deepcopy(released)
    imports = nbformat.v4.new_code_cell("import math\nimport torch", id="imports")
    release.cells.insert(2, imports)
    return release


def test_an_ordinary_code_cell_is_put_back_if_it_is_gone(handed_in, repaired, with_imports):
    result = repaired(handed_in, with_imports)
    assert result.notebook.cells[2] == with_imports.cells[2]
    assert result.notes == ()  # an earlier release may not have had it


@pytest.mark.parametrize("source", ["import math, torch\nimport numpy", "import math"])
def test_an_ordinary_code_cell_that_was_edited_stays_so(source, handed_in, repaired, with_imports):
    handed_in["cells"].insert(2, own(source, id="imports"))
    result = repaired(handed_in, with_imports)
    assert (result.notebook.cells[2].source, result.notes) == (source, ())


# Broken cells


@pytest.mark.parametrize("broken", [None, 3, "text", [], {}, own(None), own(5), own({})])
def test_what_is_no_cell_is_left_out_with_a_note(broken, handed_in, repaired):
    expected = sources(handed_in)
    handed_in["cells"].insert(4, broken)
    result = repaired(handed_in)
    assert sources(result.notebook) == expected
    assert result.notes == ("cell 5: this cell of the file could not be read; it was left out.",)


@pytest.mark.parametrize("metadata", [None, [], "x", {"nbgrader": []}, {"nbgrader": {"x": 1}}])
def test_metadata_may_be_anything(metadata, handed_in, repaired):
    expected = sources(handed_in)
    handed_in["metadata"] = cell(handed_in, "nn_loss")["metadata"] = metadata
    assert sources(repaired(handed_in).notebook) == expected


@pytest.mark.parametrize("rubbish", ["\x00", "\ud800", "\udfff\x00"])
def test_characters_that_cannot_be_saved_are_removed(rubbish, handed_in, repaired):
    expected = cell(handed_in, "nn_loss")["source"]
    cell(handed_in, "nn_loss")["source"] = rubbish + expected + rubbish
    result = repaired(handed_in)
    assert cell(result.notebook, "nn_loss").source == expected
    assert "nn_loss: characters of this cell that cannot be saved" in result.notes[0]


PASTED = "On paper:\n\n![a.png](attachment:a.png) ![two](attachment:my%20b.jpg)"


def test_pasted_pictures_are_kept(handed_in, repaired):
    pictures = {"a.png": {"image/png": "aGk=\n"}, "my b.jpg": {"image/jpeg": ["aG", "k="]}}
    answer = cell(handed_in, "question_initial_loss")
    answer["attachments"], answer["source"] = pictures, PASTED
    handed_in["cells"].append(own(PASTED, cell_type="markdown", attachments=pictures, id="mine"))
    result = repaired(handed_in)
    assert result.notes == ()
    for kept in (cell(result.notebook, "question_initial_loss"), result.notebook.cells[-1]):
        assert kept.source == PASTED
        assert kept.attachments == {
            "a.png": {"image/png": "aGk=\n"},
            "my b.jpg": {"image/jpeg": "aGk="},
        }
    nbformat.validate(result.notebook)


@pytest.mark.parametrize(
    "attachments",
    [
        None, {}, 7, {"a.png": 7}, {"a.png": {"image/svg+xml": "<svg onload=x>"}},
        {"a.png": {"image/png": "<script>"}}, {"a.png": {"image/png": 7}},
        {"b.png": {"image/png": "aGk="}},
        {"a.png": {"image/png": "A" * (8 * 2**20 + 4)}}, {"a.png": {"text/html": "aGk="}},
    ],
)  # fmt: skip
def test_a_picture_that_cannot_be_kept_leaves_a_note_in_its_place(attachments, handed_in, repaired):
    answer = cell(handed_in, "question_initial_loss")
    answer["attachments"], answer["source"] = attachments, "see ![x](attachment:a.png) here"
    result = repaired(handed_in)
    kept = cell(result.notebook, "question_initial_loss")
    assert kept.source == "see *(the picture a.png could not be kept)* here"
    assert "a.png" not in kept.get("attachments", {})
    assert result.notes[0].startswith("question_initial_loss: pictures of this cell could not be")
    nbformat.validate(result.notebook)


def test_pictures_of_a_notebook_have_a_limit_together(handed_in, repaired):
    picture = {"a.png": {"image/png": "A" * 8 * 2**20}}
    for number in range(5):
        more = own(
            "![x](attachment:a.png)", cell_type="markdown", attachments=picture, id=f"p{number}"
        )
        handed_in["cells"].append(more)
    result = repaired(handed_in)
    assert ["attachments" in one for one in result.notebook.cells[-5:]] == [True] * 4 + [False]


def test_of_very_many_cells_the_first_are_read(handed_in, repaired):
    handed_in["cells"] += [own("", id="") for _ in range(20_000)]
    start = time.process_time()
    result = repaired(handed_in)
    assert time.process_time() - start < 2
    assert len(result.notebook.cells) <= 5_000
    assert result.notes[0].endswith("cells, those after the first 5,000 were left out.")


def test_what_looks_like_a_pasted_picture_in_code_stays(handed_in, repaired):
    cell(handed_in, "nn_loss")["source"] += "\n# ![x](attachment:a.png)"
    expected = cell(handed_in, "nn_loss")["source"]
    assert cell(repaired(handed_in).notebook, "nn_loss").source == expected


@pytest.mark.parametrize("cell_id", [None, 7, "", "not valid", "57eac61e", "mine", "own-1"])
def test_own_cells_have_valid_ids_of_their_own(cell_id, handed_in, repaired):
    handed_in["cells"] += [own("x = 1", id=cell_id), own("x = 2", id="own-1"), own("x = 3")]
    assert sources(repaired(handed_in).notebook)[-3:] == ["x = 1", "x = 2", "x = 3"]


def test_tags_of_a_student_do_not_change_how_a_cell_runs(handed_in, repaired):
    cell(handed_in, "nn_loss")["metadata"]["tags"] = ["skip-execution"]
    handed_in["cells"].append(own("1 / 0") | {"metadata": {"tags": ["raises-exception"]}})
    result = repaired(handed_in)
    assert not any("tags" in raw.metadata for raw in result.notebook.cells)


def test_headings_of_the_oldest_format_become_markdown(repaired):
    heading = own("Mine", "heading", level=2)
    document = {"nbformat": 3, "worksheets": [{"cells": [heading]}, None, {"cells": 3}]}
    assert "## Mine" in sources(repaired(document).notebook)


# No notebook at all


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b'{"cells":\n\n    oops', "the file is not JSON (line 3, column 5)"),
        (b'{"cells": []} and more', "the file is not JSON (line 1, column 15)"),
        (b'{"cells": [{"source": "def', "the file is not JSON (line 1, column 23)"),
        (b"PK\x03\x04\xff\xfe", "the file is not JSON (line 1, column 1)"),
        (b"[" * 10**6, "the file is nested too deeply"),
        (b"[1, 2]", "the file is JSON and not a notebook"),
        (b"NaN", "the file is JSON and not a notebook"),
        (b"{}", "the file is JSON and not a notebook: it has no list of cells"),
        (b'{"cells": 3}', "the file is JSON and not a notebook: it has no list of cells"),
        (b'{"cells": {"a": {}}}', "the file is JSON and not a notebook: it has no list of cells"),
    ],
)
def test_what_is_no_notebook_is_graded_as_the_release_and_says_why(
    content, reason, repaired, released
):
    result = repaired(content)
    assert result == repair.Repaired(released, (), reason)
    assert result.notebook is not released


def test_a_file_that_is_too_large_is_not_read(tmp_path, released):
    path = tmp_path / "large.ipynb"
    with path.open("wb") as file:
        file.truncate(SIZE_LIMIT + 1)
    assert repair.read(path, released).unreadable.startswith("the file is larger than 64 MiB")


TOO_MANY = "the file holds more than 2,000,000 values; clear its outputs"
NO_CELLS = "the file is JSON and not a notebook: it has no list of cells"
BOMBS = [  # what stands before, a part of a file that is repeated, and what stands after
    ("[", "[],", "[]]", TOO_MANY),
    ('{"cells":[', "{},", "{}]}", TOO_MANY),
    ('{"a":[', "1,", "1]}", TOO_MANY),
    ('{"a":[', '"",', '""]}', TOO_MANY),
    ("", '"', "", TOO_MANY),
    ("[" + "," * 2_000_001 + '"', '\\"', "", TOO_MANY),
    ("", '{"a":', "", TOO_MANY),
    ('{"a":"', "x", '"}', NO_CELLS),
]
LONG = ("x", "![a](attachment:a)", "![", "![a](attachment:a", "![a](attachment:a(", "\n", "😀")


MEASURED = """
import json, resource, sys, time
from pathlib import Path
import nbformat
from autograder.grading import repair

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

released = nbformat.read(sys.argv[1], 4)
repair.read(Path(sys.argv[1]), released)
base, found = peak(), []
for path in sys.argv[2:]:
    start = time.process_time()
    result = repair.read(Path(path), released)
    found.append([time.process_time() - start, [result.unreadable, *result.notes]])
print(json.dumps([peak() - base, found]))
"""


@pytest.mark.parametrize("bombs", [3, pytest.param(len(BOMBS), marks=pytest.mark.slow)])
def test_to_read_a_file_takes_3_s_and_300_mib_at_most_whatever_it_holds(bombs, tmp_path, released):
    nbformat.write(released, tmp_path / "released.ipynb")
    expected = {}
    for number, (before, part, after, said) in enumerate(BOMBS[:bombs]):
        path = tmp_path / f"{number}.ipynb"
        path.write_text(before + part * ((SIZE_LIMIT - 100 - len(before)) // len(part)) + after)
        expected[path] = said
    for number, part in enumerate(LONG[:bombs]):
        path = tmp_path / f"long_{number}.ipynb"
        long = new_markdown_cell(part * (9 * 2**20 // len(part)))
        notebook = new_notebook(cells=[*released.cells, long])
        path.write_text(json.dumps(notebook, ensure_ascii=False))
        expected[path] = "its end was left out"
    command = [sys.executable, "-c", MEASURED, tmp_path / "released.ipynb", *expected]
    done = subprocess.run(command, cwd=submissions.ROOT, capture_output=True, text=True)
    memory, found = json.loads(done.stdout)
    for path, (seconds, sentences) in zip(expected, found, strict=True):
        assert expected[path] in " ".join(sentences), path.name
        assert seconds < 3, path.name
        path.unlink()
    assert memory < 300


def test_a_long_output_of_short_lines_is_no_bomb(handed_in, repaired):
    """24 MB of printed numbers, with more commas and brackets than values may be."""
    lines = ["tensor([[0.1, 0.2], [0.3, 0.4]], [[0.5, 0.6]])\n"] * 500_000
    cell(handed_in, "nn_loss")["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": lines}
    ]
    assert repaired(handed_in).notes == ()


def test_a_pasted_picture_may_have_brackets_in_its_name(handed_in, repaired):
    answer = cell(handed_in, "question_initial_loss")
    answer["attachments"] = {"image (1).png": {"image/png": "aGk="}}
    answer["source"] = "![image (1).png](attachment:image%20(1).png) and ![x](attachment:y(2).png)"
    kept = cell(repaired(handed_in).notebook, "question_initial_loss")
    assert kept.source == (
        "![image (1).png](attachment:image%20(1).png) and "
        "*(the picture y(2).png could not be kept)*"
    )


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.mkdir(), "a folder is in its place"),
        (lambda path: path.symlink_to("/etc/passwd"), "a symbolic link is in its place"),
        (os.mkfifo, "it is not an ordinary file"),
    ],
)
def test_what_is_no_file_is_not_opened(make, reason, tmp_path, released):
    make(tmp_path / "a.ipynb")
    assert repair.read(tmp_path / "a.ipynb", released).unreadable == reason


# Anything at all


def mutate(value, chance, junk):
    """Replace parts of a document by junk, at random."""
    if chance.random() < 0.004:
        return chance.choice(junk)
    if isinstance(value, dict):
        return {key: mutate(part, chance, junk) for key, part in value.items()}
    if isinstance(value, list):
        parts = [mutate(part, chance, junk) for part in value if chance.random() > 0.01]
        return chance.sample(parts, len(parts)) if chance.random() < 0.02 else parts
    return value


@pytest.mark.parametrize("seed", range(40))
def test_a_notebook_with_random_damage_can_be_graded(seed, handed_in, repaired):
    chance = random.Random(seed)
    junk = [None, 3, -1e400, "nn_loss", "\ud800\x00", [], {}, [[]], {"nbgrader": 1}, True]
    damaged = mutate(handed_in, chance, junk)
    result = repaired(damaged)  # which asserts that it can
    assert len(result.notes) < 60


def test_nbgrader_accepts_a_repaired_notebook(course_of, handed_in, repaired, released):
    handed_in["cells"].remove(cell(handed_in, "nn_forward_pass"))
    handed_in["cells"].remove(cell(handed_in, "forward_scores"))
    handed_in["cells"].append(deepcopy(cell(handed_in, "nn_loss")))
    cell(handed_in, "loss_data")["metadata"]["nbgrader"] = {"schema_version": "x"}
    result = repaired(handed_in)
    course = course_of({"anna": result.notebook}, "repair")
    prepared = prepare(load_assignment(course.assignment(A1)), "anna").notebooks[A1]
    assert [name(raw) for raw in from_bytes(prepared).cells] == [
        name(raw) for raw in result.notebook.cells
    ]


# Speed


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def test_a_clean_notebook_takes_milliseconds(repaired, released):
    path = submissions.ROOT / "assignments" / A1 / f"{A1}.ipynb"
    assert min(seconds(lambda: repair.read(path, released)) for _ in range(5)) < 0.05


@pytest.mark.parametrize(
    "more",
    [
        [own(f"x{number} = {number}") for number in range(20_000)],
        [own("def nn_loss(): pass")] * 20_000,
        [own("check.public('x', y)", metadata={})] * 20_000,
        [own("word " * 10**6)],
        [own("x" * 5 * 10**6)],
        [own("x " + " " * 5 * 10**6)],
    ],
    ids=["cells", "one name", "one text", "words", "letters", "spaces"],
)
def test_a_monstrous_notebook_takes_seconds(more, handed_in, tmp_path, released):
    strip(handed_in)
    handed_in["cells"] = more + handed_in["cells"][10:]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(handed_in))
    assert seconds(lambda: repair.read(path, released)) < 5


# Which file


def write(path, document):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_the_exact_name_is_found_without_a_note(tmp_path, handed_in, released):
    path = write(tmp_path / f"{A1}.ipynb", {"cells": []})
    write(tmp_path / "scratch.ipynb", handed_in)
    assert repair.find_notebook(tmp_path, A1, released) == (path, ())


@pytest.mark.parametrize(
    "other",
    [
        f"{A1} (1).ipynb", f"Copy of {A1}.ipynb", "A1_Two_Layer_Net.IPYNB", "solution_anna.ipynb",
        f"anna/{A1}.ipynb", "homework/mine.ipynb",
    ],
)  # fmt: skip
def test_a_renamed_notebook_is_found_with_a_note(other, tmp_path, handed_in, released):
    path = write(tmp_path / other, handed_in)
    note = f"The notebook was handed in as {other}; it is graded as {A1}.ipynb."
    assert repair.find_notebook(tmp_path, A1, released) == (path, (note,))


def test_of_several_notebooks_the_one_most_like_the_release_is_found(tmp_path, handed_in, released):
    path = write(tmp_path / "mine.ipynb", handed_in)
    write(tmp_path / f"{A1}.ipynb", "")
    write(tmp_path / f"{A1} (1).ipynb", "{")
    write(tmp_path / "scratch.ipynb", {"cells": [own("x = 1")]})
    write(tmp_path / ".ipynb_checkpoints" / f"{A1}-checkpoint.ipynb", handed_in)
    found, (note,) = repair.find_notebook(tmp_path, A1, released)
    assert found == path
    assert "the most like the release of 4 notebooks" in note


def test_an_unreadable_notebook_is_found_if_there_is_no_other(tmp_path, released):
    path = write(tmp_path / f"{A1}-1.ipynb", "{")
    assert repair.find_notebook(tmp_path, A1, released)[0] == path


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "."),
        (lambda path: path.mkdir(), " (a folder is in its place)."),
        (lambda path: path.symlink_to("elsewhere"), " (a symbolic link is in its place)."),
        (os.mkfifo, " (it is not an ordinary file)."),
        (lambda path: write(path.parent / "toy.ipynb", {"cells": []}),
         " (toy.ipynb is there, but holds none of its cells)."),
    ],
)  # fmt: skip
def test_what_is_no_submission_is_not_found(make, reason, tmp_path, handed_in, released):
    folder = tmp_path / "anna" / "a1"
    folder.mkdir(parents=True)
    elsewhere = write(tmp_path / "elsewhere" / f"{A1}.ipynb", handed_in)
    (folder / "linked").symlink_to(elsewhere.parent)
    make(folder / f"{A1}.ipynb")
    with pytest.raises(repair.NotebookNotFound) as error:
        repair.find_notebook(folder, A1, released)
    assert str(error.value) == f"anna/a1: there is no notebook {A1}.ipynb{reason}"


TIMES = {
    "2026-11-29 23:59:01.25 UTC": datetime(2026, 11, 29, 23, 59, 1, 250_000),
    "2026-11-29 23:59:00": datetime(2026, 11, 29, 23, 59),
    "2026-11-29T23:59Z": datetime(2026, 11, 29, 23, 59),
    "2026-11-29 23:59:00 +0100": datetime(2026, 11, 29, 22, 59),
    "2026-11-29 23:59:00-08:00": datetime(2026, 11, 30, 7, 59),
    "2026-11-29 23:59 GMT\n": datetime(2026, 11, 29, 23, 59),
    "\ufeff2026-11-29 23:59:00 utc": datetime(2026, 11, 29, 23, 59),
    "1795996740": datetime(2026, 11, 29, 23, 59),
}


@pytest.mark.parametrize("text", TIMES)
def test_a_time_that_is_sure_is_read(text, tmp_path):
    (tmp_path / "timestamp.txt").write_text(text, "utf-8")
    assert time_of(tmp_path) == (TIMES[text], "")


@pytest.mark.parametrize(
    "text",
    [
        "11:59 PM", "2026-11-29", "2026-11-29 23:59:00 PST", "2026-11-29 11:59 PM",
        "29/11/2026 23:59", "11/12/2026 10:00:00 UTC", "2026-13-29 23:59:00 UTC", "yesterday",
        "2026-11-29 23:59:00 +99:00", "99999999999999", "2026-11-29 24:59", "\x00", "9" * 90,
    ],
)  # fmt: skip
def test_a_time_that_is_not_sure_is_no_time_and_is_said(text, tmp_path):
    (tmp_path / "timestamp.txt").write_text(text)
    time_, note = time_of(tmp_path)
    assert time_ is None and "\n" not in note
    assert note.startswith("timestamp.txt says ") and note.endswith("2026-11-29 23:59:00 UTC.")


@pytest.mark.parametrize("there", [None, "", " \n"])
def test_without_a_time_there_is_nothing_to_say(there, tmp_path):
    if there is not None:
        (tmp_path / "timestamp.txt").write_text(there)
    assert time_of(tmp_path) == (None, "")
