"""A class of damaged submissions, end to end: each has the score of what it holds."""

import json
import os
from copy import deepcopy

import pytest

from tests import submissions
from tests.fixtures import A1, grade_all, scores
from tests.grading.test_repair import by_colab, by_vs_code, cell, own, strip
from tests.submissions import in_release
from tests.test_class import nbgrader


def change(edit):
    """Damage the notebook as a document, and write it as JSON."""

    def damage(path, document):
        edit(document)
        path.write_text(json.dumps(document))

    return damage


def metadata(**fields):
    def edit(document):
        cell(document, "forward_scores")["metadata"]["nbgrader"].update(fields)

    return change(edit)


def copy_of(grade_id):
    def edit(document):
        document["cells"].append({**deepcopy(cell(document, grade_id)), "id": "copy"})

    return change(edit)


def without(field):
    def edit(document):
        for one in document["cells"]:
            one["metadata"].get("nbgrader", {}).pop(field, None)

    return change(edit)


def reorder(document):
    cells = document["cells"]
    cells.insert(0, cells.pop(cells.index(cell(document, "toy_training"))))


def old_format(document):
    document.update(nbformat_minor=2)
    for one in document["cells"]:
        del one["id"]


def huge_output(document):
    text = {"output_type": "stream", "name": "stdout", "text": "x" * 50_000_000}
    cell(document, "nn_loss")["outputs"] = [text]


def attach(document):
    cell(document, "question_initial_loss")["attachments"] = {"a.png": {"image/png": "aGk="}}


def renamed(path, document):
    path.rename(path.with_name("a1_two_layer_net (1).ipynb"))


WHOLE = {  # damage that costs no point
    "deleted_check": change(lambda d: d["cells"].remove(cell(d, "forward_scores"))),
    "copied_check": copy_of("forward_scores"),
    "copied_solution": copy_of("nn_loss"),
    "reordered": change(reorder),
    "grade_id": metadata(grade_id="mine"),
    "points": metadata(points=1000),
    "cell_type": change(lambda d: cell(d, "forward_scores").update(cell_type="raw")),
    "schema_version": without("schema_version"),
    "schema_too_new": metadata(schema_version=99),
    "stripped": change(strip),
    "stripped_without_ids": change(
        lambda d: (strip(d), [one.update(id=f"id{i}") for i, one in enumerate(d["cells"])])
    ),
    "one_id": change(lambda d: [one.update(id="same") for one in d["cells"]]),
    "renamed": renamed,
    "colab": change(by_colab),
    "vs_code": change(by_vs_code),
    "old_format": change(old_format),
    "bom": lambda path, d: path.write_text("\ufeff" + json.dumps(d)),
    "windows": lambda path, d: path.write_text(json.dumps(d, indent=1), newline="\r\n"),
    "huge_output": change(huge_output),
    "attachment": change(attach),
    "own_cells": change(lambda d: d["cells"].insert(5, own("print(1)"))),
}  # fmt: skip
NOTHING = {  # nothing can be read: zero, and the reason
    "no_json": (lambda path, _: path.write_text("hello"), "the file is not JSON"),
    "cut_off": (lambda path, d: path.write_text(json.dumps(d)[:9000]), "the file is not JSON"),
    "empty": (lambda path, _: path.write_text(""), "the file is empty"),
    "folder": (lambda path, _: (path.unlink(), path.mkdir()), "a folder is in its place"),
}
QUIET = {
    "attachment", "colab", "vs_code", "old_format", "bom", "windows", "huge_output", "own_cells",
    "one_id", "schema_version", "schema_too_new",
}  # fmt: skip


NBGRADER = pytest.param("nbgrader autograde", marks=pytest.mark.slow)


@pytest.fixture(scope="module", params=["autograder grade", NBGRADER])
def graded(request, course_of, solved):
    """The class, graded through one of the two doors, and the scores."""
    names = [*WHOLE, *NOTHING, "whole"]
    course = course_of(dict.fromkeys(names, in_release(A1, solved)), "damaged")
    for name in (*WHOLE, *NOTHING):
        damage = WHOLE[name] if name in WHOLE else NOTHING[name][0]
        path = course.assignment(A1).submitted(name) / f"{A1}.ipynb"
        damage(path, json.loads(path.read_text()))
    if request.param == "autograder grade":
        assert set(grade_all(course).values()) == {""}
    else:
        nbgrader(course, "autograde", A1)
    return course, scores(course)


@pytest.mark.parametrize("name", WHOLE)
def test_damage_costs_no_point(graded, name):
    _, found = graded
    assert found[name] == found["whole"]
    assert sum(filter(None, found[name].values())) == 85


@pytest.mark.parametrize("name", NOTHING)
def test_what_cannot_be_read_has_zero_and_a_reason(graded, name):
    course, found = graded
    assert set(found[name].values()) == {0}
    text = (course.assignment(A1).autograded(name) / f"{A1}.ipynb").read_text()
    assert text.count(NOTHING[name][1]) > 18


def test_a_repair_is_told_at_the_top_of_the_feedback(graded):
    course, found = graded
    told = set()
    for name in WHOLE:
        folder = course.assignment(A1).autograded(name)
        first = json.loads((folder / f"{A1}.ipynb").read_text())["cells"][0]
        if "Noted before grading" in "".join(first["source"]):
            told.add(name)
    assert told == WHOLE.keys() - QUIET


def test_what_was_handed_in_is_as_it_was(graded):
    course, _ = graded
    folder = course.assignment(A1).submitted("renamed")
    assert os.listdir(folder) == ["a1_two_layer_net (1).ipynb"]
    assert (course.assignment(A1).submitted("folder") / f"{A1}.ipynb").is_dir()
    assert submissions.released_notebook(A1).cells  # and so is the release
