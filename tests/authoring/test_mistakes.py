"""The format of known mistakes: all that an author may write, and a sentence for all else."""

from dataclasses import replace
from textwrap import dedent

import pytest

from autograder.authoring.checks import topics
from autograder.authoring.mistakes import Change, Mistake, MistakesUnreadable, read_mistakes
from tests.submissions import ASSIGNMENTS, folder

EXAMPLE = """\
@@ squared_error @@ squared_error_values
mean_over_everything keeps 0.5: the squares were averaged over the features too. Sum over D,
  average over N.
-    return (difference**2).sum(dim=1).mean()
+    return (difference**2).mean()
"""
MEAN = Mistake(
    "mean_over_everything",
    "squared_error",
    (
        Change(
            ("    return (difference**2).sum(dim=1).mean()",),
            ("    return (difference**2).mean()",),
        ),
    ),
    ("squared_error_values",),
    0.5,
    "the squares were averaged over the features too. Sum over D, average over N.",
    "error",
)
PLACE = "@@ cell @@ values\n"
ONE = "one keeps 0.5: a hint.\n-old\n+new\n"


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a text as the file of a topic."""
    file = tmp_path / "a0_course" / "checks" / "error.diff"
    file.parent.mkdir(parents=True)

    def mistakes(text):
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_mistakes(file, "error")

    return mistakes


def changes(text):
    return PLACE + "one keeps 0.5: a hint.\n" + dedent(text)


def test_a_mistake_is_read_as_it_is_shown_in_the_docstring(read):
    assert read(EXAMPLE) == [MEAN]


def test_a_topic_without_a_file_has_no_mistakes(tmp_path):
    assert read_mistakes(tmp_path / "gone.diff") == []


@pytest.mark.parametrize("text", ["", "\n \n", PLACE, PLACE + "\n\n"])
def test_a_file_without_a_mistake_has_none(read, text):
    assert read(text) == []


def test_mistakes_below_one_place_are_of_one_cell_and_its_checks(read):
    found = read("@@ cell @@ values shape\n" + ONE + "\n" + ONE.replace("one", "two"))
    assert [(m.name, m.cell, m.checks) for m in found] == [
        ("one", "cell", ("values", "shape")),
        ("two", "cell", ("values", "shape")),
    ]


@pytest.mark.parametrize("between", ["\n", "\n\n \n"])
def test_another_place_holds_from_there_on(read, between):
    later = f"@@ other @@ elsewhere\n{between}" + ONE.replace("one", "two")
    assert [(m.name, m.cell, m.checks) for m in read(PLACE + ONE + "\n" + later)] == [
        ("one", "cell", ("values",)),
        ("two", "other", ("elsewhere",)),
    ]


@pytest.mark.parametrize("credit", ["0", "0.5", "0.25", ".7"])
def test_the_part_that_it_keeps_is_a_decimal(read, credit):
    assert read(PLACE + ONE.replace("0.5", credit))[0].credit == float(credit)


def test_a_hint_may_go_on_in_more_lines_and_hold_any_character(read):
    hint = "`(x: y)` - or + it keeps:\n  äöü @@ end."
    (found,) = read(PLACE + ONE.replace("a hint.", hint))
    assert found.hint == "`(x: y)` - or + it keeps: äöü @@ end."


def test_lines_keep_their_indentation_and_may_be_empty_or_signs(read):
    (found,) = read(changes("-    x = 1  # no\n-\n--1\n+\n++1\n"))
    assert found.changes == (Change(("    x = 1  # no", "", "-1"), ("", "+1")),)


def test_lines_may_only_be_taken_away(read):
    assert read(changes("-a\n-b\n"))[0].changes == (Change(("a", "b"), ()),)


def test_several_places_of_a_cell_may_be_changed(read):
    (found,) = read(changes("-a\n+b\n-c\n-d\n+e\n+f\n-g\n+h\n"))
    assert found.changes == (
        Change(("a",), ("b",)), Change(("c", "d"), ("e", "f")), Change(("g",), ("h",)),
    )  # fmt: skip


def test_a_file_from_windows_is_no_different(read):
    assert read(EXAMPLE.replace("\n", "\r\n")) == [MEAN]


def test_the_topic_is_what_the_caller_says(tmp_path, read):
    file = tmp_path / "a0_course" / "checks" / "error.diff"
    file.write_text(EXAMPLE)
    assert read_mistakes(file) == [replace(MEAN, topic="")]


def refusal(read, text) -> str:
    with pytest.raises(MistakesUnreadable) as error:
        read(text)
    assert "\n" not in str(error.value)
    return str(error.value)


WRONG = {  # a file, and the line that the sentence names
    "no place above": (ONE, 1),
    "no place above, after empty lines": ("\n\n" + ONE, 3),
    "a place that does not end": ("@@ cell\n" + ONE, 1),
    "a place of two cells": ("@@ two cells @@ values\n" + ONE, 1),
    "no part that it keeps": (PLACE + "\none: a hint.\n-a\n+b\n", 3),
    "a name of two words": (PLACE + "\nthe mean keeps 0.5: a hint.\n-a\n+b\n", 3),
    "a part in words": (PLACE + "\none keeps half: a hint.\n-a\n+b\n", 3),
    "a part below 0": (PLACE + "\none keeps -0.5: a hint.\n-a\n+b\n", 3),
    "no hint": (PLACE + "\none keeps 0.5:\n-a\n+b\n", 3),
    "no name": (PLACE + "\n-a\n+b\n", 3),
    "a comment": (PLACE + ONE + "\n# a comment\n", 6),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_mistake_is_said_with_its_file_its_line_and_the_form_it_should_have(read, what):
    text, line = WRONG[what]
    said = refusal(read, text)
    assert said.startswith(f"a0_course/checks/error.diff, line {line}: a mistake ")
    assert "`name keeps 0.5: hint`" in said and "`@@ cell @@ checks`" in said


PLACED = "a0_course/checks/error.diff, line "


@pytest.mark.parametrize("credit", ["0.5.5", ".", "1..", "1.", "1.0", "7"])
def test_a_part_that_is_none_is_said_to_be_so(read, credit):
    """From 0 to below 1: recording refuses the others, without the line."""
    assert refusal(read, PLACE + "\n" + ONE.replace("0.5", credit)).startswith(f"{PLACED}3: ")


def test_the_line_is_that_of_the_mistake_and_not_of_its_place(read):
    assert refusal(read, PLACE + "one: a hint.\n-a\n+b\n").startswith(f"{PLACED}2: ")


def test_two_mistakes_without_an_empty_line_between_them_are_not_taken_for_one(read):
    assert refusal(read, PLACE + ONE + ONE.replace("one", "two")).startswith(PLACED)


def test_a_place_without_an_empty_line_above_it_is_not_taken_for_a_hint(read):
    later = "@@ other @@ values\n" + ONE.replace("one", "two")
    assert refusal(read, PLACE + ONE + later).startswith(PLACED)


@pytest.mark.parametrize("line", ["    return x\n", "@@ -1,2 +1,2 @@\n", "more of the hint\n"])
def test_text_among_the_changed_lines_is_not_taken_for_a_hint(read, line):
    """A line of context, say, as other tools write them."""
    assert refusal(read, changes("-a\n" + line + "+b\n")).startswith(PLACED)


@pytest.mark.parametrize("lines", ["", "+new\n", "+new\n-old\n"])
def test_a_mistake_says_which_lines_it_changes(read, lines):
    """Lines that are only added have no place in the cell."""
    assert refusal(read, changes(lines)).startswith(PLACED)


def test_a_mistake_says_which_check_must_refuse_it(read):
    assert refusal(read, "@@ cell @@\n" + ONE).startswith(PLACED)


def test_a_file_that_is_no_text_is_said_to_be_so(read):
    assert refusal(read, EXAMPLE.encode() + b"\xff\xfe").startswith("a0_course/checks/error.diff")


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_mistakes_of_the_course_have_short_hints_and_lines_that_differ(assignment):
    """What these tests ask of any file, the files of the course have."""
    for topic in topics(folder(assignment)):
        for mistake in read_mistakes(folder(assignment) / "checks" / f"{topic}.diff", topic):
            assert 0 <= mistake.credit < 1, mistake.name
            assert mistake.checks and mistake.changes, mistake.name
            assert all(c.before and c.before != c.after for c in mistake.changes), mistake.name
            assert len(mistake.hint) < 400 and " keeps 0" not in mistake.hint, mistake.name
