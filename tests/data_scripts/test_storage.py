"""Where data is looked for: the user's folder, and the one that is shared."""

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograder.grading.execute import run
from autograder.sandbox import client
from data_scripts import cifar10, commands, storage
from data_scripts.cifar10 import CIFAR10
from data_scripts.storage import SHARED, kept, roots
from data_scripts.synthetic import objects
from tests.submissions import ROOT


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A cache and a shared folder of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(storage, "SHARED", tmp_path / "shared")
    return tmp_path


def test_what_is_nowhere_belongs_to_the_user(own):
    assert kept("set/file") == own / "cache" / "gradient-check" / "set" / "file"


def test_what_is_shared_is_found_and_what_is_the_user_s_is_found_first(own):
    for folder in reversed(roots()):
        (folder / "set").mkdir(parents=True)
        (folder / "set" / "file").touch()
        assert kept("set/file") == folder / "set" / "file"


def test_a_folder_that_is_given_is_the_only_one(own):
    (own / "shared" / "set").mkdir(parents=True)
    assert kept("set", own / "mine") == own / "mine" / "set"
    assert roots("~/data") == (Path.home() / "data",)


def test_a_shared_set_is_loaded_and_listed_and_not_made_again(own, monkeypatch):
    small = replace(CIFAR10, draw=lambda: objects.draw(20, 10))
    commands.main(small, ["--root", str(own / "shared"), "--source", "embedded"])
    monkeypatch.setattr(cifar10, "CIFAR10", replace(CIFAR10, draw=pytest.fail))
    assert len(cifar10.load("train")[0]) == 20
    assert [stored.path.parents[1] for stored in CIFAR10.stored()] == [own / "shared"]
    assert not (own / "cache").exists()


@pytest.mark.slow
def test_the_example_of_the_page_on_data_works(own):
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/data.md").read_text(), re.DOTALL)
    found = {}
    exec(block, found)
    assert found["features"].shape == (8, found["backbone"].width)
    assert (len(found["X"]), len(found["faces"]), len(found["test"])) == (10_000, 800, 83)


def test_a_submission_that_is_graded_sees_what_is_shared_and_cannot_change_it():
    assert SHARED.is_relative_to(sys.prefix)
    (SHARED / "by-test").mkdir(parents=True)
    client.close()  # a warm process shows its kernels the folders that were there when it began
    try:
        (SHARED / "by-test" / "file").write_text("hello")
        cells = [
            "from data_scripts.storage import kept",
            "print(kept('by-test/file').read_text())",
            "kept('by-test/file').write_text('bye')",
        ]
        nb = run(new_notebook(cells=list(map(new_code_cell, cells))), b"")
        assert nb.cells[1].outputs[0].text == "hello\n"
        assert nb.cells[2].outputs[0].ename == "OSError"
        assert (SHARED / "by-test" / "file").read_text() == "hello"
    finally:
        shutil.rmtree(SHARED / "by-test")
