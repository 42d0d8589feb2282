"""What the command says when something is missing: one sentence with the place and the remedy."""

import sys

import pytest

from autograder import set_up
from tests.fixtures import A1


def test_a_folder_that_is_no_course(scratch, said):
    assert said("release") == (
        f"autograder: {scratch.name}/nbgrader_config.py: no such file; run in a course folder.\n"
    )


@pytest.mark.parametrize("command", ["release", "grade", "wheel", "publish"])
def test_what_an_instructor_types_asks_for_what_an_instructor_needs(
    scratch, monkeypatch, command, said
):
    monkeypatch.setitem(sys.modules, "nbgrader", None)
    more = {"grade": [A1], "publish": ["out"]}.get(command, [])
    assert said(command, *more) == (
        "autograder: what an instructor needs is not installed: "
        f"`pip install '{set_up.NAME}[instructor]'`.\n"
    )
