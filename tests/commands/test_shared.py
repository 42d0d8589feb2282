"""How commands say what they take, and how they open a course."""

import argparse

import pytest

from autograder.commands import shared
from autograder.commands.shared import runs_notebooks, takes, takes_assignments


@takes_assignments("+")
@takes("--seed", type=int, default=0)
@runs_notebooks
def command(options):
    """Do nothing."""
    return 0


def test_arguments_are_in_the_order_in_which_they_are_written():
    assert [names for names, _ in command.arguments] == [
        ("assignments",), ("--seed",), ("--workers",), ("--no-sandbox",),
    ]  # fmt: skip


def test_a_number_of_workers_is_at_least_1():
    assert shared.positive("2") == 2
    with pytest.raises(argparse.ArgumentTypeError, match="0: at least 1 is needed"):
        shared.positive("0")


@pytest.mark.parametrize("no_sandbox", [True, False])
def test_a_course_is_opened_with_a_sandbox_unless_it_is_given_up(linked_course, no_sandbox):
    options = argparse.Namespace(course=".", no_sandbox=no_sandbox, assignments=[])
    assert shared.the_course(options).config.Execute.get("sandbox", True) is not no_sandbox
    assert [one.name for one in shared.chosen(options)] == [
        path.name for path in (linked_course / "source").iterdir()
    ]
    options.assignments = ["a0_another"]
    assert [one.name for one in shared.chosen(options)] == ["a0_another"]


def test_what_is_out_of_date_is_said_and_what_is_missing_is_not(example, capsys):
    shared.print_out_of_date(example)
    assert capsys.readouterr().err == ""
    notebook = example.notebook()
    notebook.write_text(notebook.read_text().replace("sum(dim=1)", "sum(dim=-1)"))
    shared.print_out_of_date(example)
    assert "changed; grades still follow the references" in capsys.readouterr().err
    notebook.unlink()
    shared.print_out_of_date(example)
    assert capsys.readouterr().err == ""
