"""A class in a terminal: what fits 80 columns, what one student is told, the whole table."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from autograder.cli import main
from autograder.reports import results, terminal
from autograder.reports.terminal import cut, student_lines, summary
from tests.reports.test_results import class_of, graded, result, student
from tests.worked_example import CHECK, NAME

__all__ = ["graded"]


def drawn(class_report):
    console = Console(width=200, file=io.StringIO())
    console.print(terminal.table(class_report))
    return console.file.getvalue()


# A summary


def class_with_sections(*students):

    sections = {
        "1 · Loss": 20.0,
        "2 · A section with a title that no terminal would hold " * 2: 5.0,
    }
    found = [replace(one, sections=dict.fromkeys(sections, one.total / 2)) for one in students]
    return replace(class_of(*found, maximum=25.0), sections=sections)


def test_a_summary_has_the_class_its_sections_and_what_cost_most():
    wrong = {"loss": result(1, 5, hint="halve it."), "gradient": result(4, 5, "too large")}
    kim, bob = student("kim", 20.0, 2, **wrong), student("bob", 10.0, loss=wrong["loss"])
    lines = summary(class_with_sections(kim, bob)).splitlines()
    assert lines[:2] == [
        "a0: 2 students, mean 15.0, median 15.0 of 25 points",
        "2 written answers to be marked; they count as 0 until then",
    ]
    assert re.fullmatch(r"  1 · Loss +7\.5 of 20 +█{8}", lines[2])
    assert lines[4:] == [
        "what cost most:", "  8 points, 2 students: loss: halve it.",
        "  1 points, 1 student: gradient: too large",
    ]  # fmt: skip


@pytest.mark.parametrize("length", [1, 40, 400])
def test_a_summary_fits_80_columns(length):
    kim = student("kim", 20.0, check=result(0, 5, "reason " * length))
    lines = summary(class_with_sections(kim)).splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) <= 9


def test_a_class_without_a_fault_has_nothing_that_cost_points(graded):
    found = results.collect(graded)
    assert "what cost most" in summary(found)
    assert "what cost most" not in summary(class_with_sections(student("kim", 25.0)))
    assert summary(found).startswith(f"{NAME}: 3 students, mean 2.5, median 2.5 of 5 points")


# One student


def test_a_student_is_told_what_was_lost_and_why(graded):
    found = results.collect(graded)
    assert student_lines(found, "kim") == "kim: 5 of 5 points"
    lines = student_lines(found, "bob").splitlines()
    assert lines[0] == "bob: 2.5 of 5 points"
    assert lines[1].startswith(f"  {CHECK}: 2.5 of 5: the squares were averaged")
    assert max(map(len, lines)) <= 80
    assert student_lines(found, "eve") == "eve: not graded yet"


def test_the_command_prints_a_summary_a_student_or_on_request_the_table(
    graded, capsys, monkeypatch
):
    monkeypatch.chdir(graded.course.root)
    monkeypatch.setattr("autograder.grading.pipeline.grade", lambda *_: iter(()))
    for arguments, wanted, unwanted in (
        ([], "mean 2.5", "where most"), (["--student", "bob"], "bob: 2.5 of 5", "kim"),
        (["--table"], "where most points were lost", "mean"),
    ):  # fmt: skip
        assert main(["grade", NAME, *arguments]) == 0
        out = capsys.readouterr().out
        assert wanted in out and unwanted not in out


# The table


def test_a_student_is_a_row_and_an_exercise_a_column():
    kim = student("kim", 7.5, exercises={"nn_forward_pass": 7.25, "questions": 0.25})
    text = drawn(class_of(kim, exercises={"nn_forward_pass": 10, "questions": 5}, maximum=15))
    assert "a0: 1 students" in text
    assert re.search(r"kim +7\.25 +0\.25 +7\.5", text)
    assert re.search(r"/10 +/5 +/15", text)


def test_how_many_answers_wait_is_said_below_the_table():
    assert "+3? = 3 written answers to be marked" in drawn(class_of(student("kim", 7.0, 3)))
    assert "?" not in drawn(class_of(student("kim", 7.0)))


def test_no_column_is_lost_where_the_table_is_as_wide_as_it_needs():
    exercises = {f"an_exercise_with_longwords_{i}": 5.0 for i in range(12)}
    kim = student("kim" * 20, 7.0, exercises=exercises, a=result(0, reason="a reason " * 20))
    found = class_of(kim, exercises=exercises)
    console = Console(width=terminal.width_of(found), file=io.StringIO())
    console.print(terminal.table(found))
    text = console.file.getvalue()
    assert text.count("longwords") == 12 and "…" not in text.splitlines()[-2].split("  ")[1]


@pytest.mark.parametrize(("text", "width", "found"), [
    ("short", 10, "short"), ("a_very_long_name_a", 9, "a_ve…me_a"), ("abcdef", 4, "ab…f"),
])  # fmt: skip
def test_a_long_name_is_cut_in_the_middle(text, width, found):
    assert cut(text, width) == found and len(found) <= width


def test_answers_that_wait_for_a_person_stand_beside_the_total():
    assert re.search(r"kim +7 \+3\?", drawn(class_of(student("kim", 7.0, 3))))
    assert re.search(r"kim +7\s*$", drawn(class_of(student("kim", 7.0))), re.MULTILINE)


def test_a_long_reason_is_cut_at_a_word():
    kim = student("kim", a=result(0, reason="a reason " * 20))
    assert f"a: {'a reason ' * 8}a …" in drawn(class_of(kim))


def test_markup_in_a_name_or_a_reason_is_no_markup_in_the_terminal():
    kim = student("[red]kim[/]", a=result(0, reason="[link=x]found [bold]"))
    text = drawn(class_of(kim))
    assert "[red]kim[/]" in text and "a: [link=x]found [bold]" in text
