"""What is seen while a class is graded: each failure, each repair, and a sum that adds up."""

from types import SimpleNamespace

import pytest

from autograder.grading.journal import Graded
from autograder.grading.progress import RateColumn, show


@pytest.fixture
def shown(capsys):
    """Return a function that shows the progress of some results: those that failed, the lines."""

    def show_all(*results, total=None):
        failed = show(iter(results), "a0", len(results) if total is None else total)
        return failed, [line for line in capsys.readouterr().out.splitlines() if line]

    return show_all


def test_a_class_without_trouble_is_a_bar_and_a_sum(shown):
    failed, (bar, total) = shown(Graded("ann"), Graded("bob", notes={"a0": []}))
    assert failed == []
    assert bar.startswith("grading a0") and "2/2" in bar
    assert total == "2 graded in 0 s, 0 could not be, 0 repaired."


def test_a_failure_is_a_line_and_is_returned(shown):
    lost = Graded("bob", "KilledWorker: it died")
    failed, lines = shown(Graded("ann"), lost, Graded("cyd"))
    assert failed == [lost]
    assert lines[0] == "bob could not be graded: KilledWorker: it died"
    assert lines[-1] == "2 graded in 0 s, 1 could not be, 0 repaired."


def test_each_repair_is_a_line_and_a_student_counts_once(shown):
    notes = {"a0": ("One.", "Two."), "second": ("Three.",), "third": ()}
    _, lines = shown(Graded("bob", notes=notes), Graded("ann"))
    assert lines[:3] == ["bob: One.", "bob: Two.", "bob: Three."]
    assert lines[-1] == "2 graded in 0 s, 0 could not be, 1 repaired."


def test_a_run_that_went_on_says_how_many_were_graded_before(shown):
    _, lines = shown(Graded("ann"), total=3)
    assert lines[-1] == "1 graded in 0 s, 0 could not be, 0 repaired, 2 were graded before."


def test_a_run_with_nothing_left_to_do_says_so(shown):
    failed, lines = shown(total=3)
    assert failed == []
    assert lines[-1] == "0 graded in 0 s, 0 could not be, 0 repaired, 3 were graded before."


def test_markup_in_a_reason_is_no_markup(shown):
    note = "The notebook was handed in as [red] markup.ipynb; it is graded as a0.ipynb."
    _, lines = shown(Graded("bob", "[/bold] of it", {"a0": (note,)}))
    assert lines[:2] == [f"bob: {note}", "bob could not be graded: [/bold] of it"]


def test_a_long_line_is_not_broken(shown):
    _, lines = shown(Graded("bob", "a reason " * 50))
    assert lines[0] == f"bob could not be graded: {'a reason ' * 50}"


def test_a_line_is_shown_as_soon_as_it_is_known(capsys):
    def grading():
        yield Graded("ann", notes={"a0": ["Repaired."]})
        assert "ann: Repaired." in capsys.readouterr().out
        yield Graded("bob")

    assert show(grading(), "a0", 2) == []
    assert "2 graded" in capsys.readouterr().out


def test_an_error_that_ends_the_run_is_passed_on():
    def grading():
        yield Graded("ann")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        show(grading(), "a0", 2)


@pytest.mark.parametrize(
    ("finished", "speed", "text"),
    [(None, None, ""), (None, 2.0, "120/min"), (0.5, 2.0, "30/min"), (None, 0.0, "")],
)
def test_the_rate_is_in_submissions_a_minute_once_there_is_one(finished, speed, text):
    task = SimpleNamespace(finished_speed=finished, speed=speed)
    assert RateColumn("").render(task).plain == text
