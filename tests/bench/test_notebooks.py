"""Cells of a source notebook, run outside of it."""

import pytest

from bench.notebooks import Notebook

BEGUN = {"REAL": False, "DEVICE": "cpu"}


def test_the_names_that_cells_define_are_there_and_nothing_is_printed(capsys):
    names = Notebook("a7_few_labels", **BEGUN, CATEGORY="capsule", SIZE=192)
    names.run("setup", "paired_difference")
    right = names["torch"].tensor([True, True, False])
    assert names["paired_difference"](right, ~right) == (2, 1, 1.0)
    assert names["REAL"] is False and capsys.readouterr().out == ""


def test_a_cell_may_run_in_part_and_with_other_texts():
    names = Notebook("a7_few_labels", **BEGUN)
    names.run("setup")
    names.run("train_resnet", until="\n\n\n@one_thread()")
    assert "Run" in names and "train_resnet" not in names
    names.run("paired_difference", change={"2 * ways": "ways"})
    right = names["torch"].tensor([True, True, False])
    assert names["paired_difference"](right, ~right) == (2, 1, 0.5)


@pytest.mark.parametrize("cell, settings, said", [
    ("paired_differences", {}, "paired_differences"),
    ("setup", {"until": "no such text"}, "no such text"),
    ("setup", {"change": {"no such": "text"}}, "no such"),
])  # fmt: skip
def test_what_is_not_there_is_named(cell, settings, said):
    with pytest.raises(KeyError, match=said):
        Notebook("a7_few_labels").run(cell, **settings)
