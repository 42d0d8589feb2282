"""Every mistake of every check, end to end: one in each notebook."""

from functools import cache

import pytest

from autograder import checks, report
from autograder.cases import load_reference
from autograder.solutions import with_mistake
from tests.conftest import grade_all
from tests.submissions import ROOT, in_release, source_notebook
from tests.test_notebooks import ASSIGNMENTS

KNOWN = {name: {m.name: m for m in checks.load(name).mistakes} for name in ASSIGNMENTS}


@pytest.fixture(scope="module")
def results_of(course_of):
    """Return a function that grades every mistake of an assignment, once."""

    @cache
    def results(assignment):
        solved = source_notebook(assignment)
        notebooks = {
            name: in_release(assignment, with_mistake(solved, mistake))
            for name, mistake in KNOWN[assignment].items()
        }
        beside = dict.fromkeys(notebooks, checks.load(assignment).beside)
        course = course_of(notebooks, "mistakes", assignment, beside)
        assert set(grade_all(course, assignment).values()) == {""}
        return {one.student: one for one in report.collect(course, assignment).students}

    return results


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_there_are_at_least_20_mistakes_over_every_check(assignment):
    recorded = load_reference(assignment)
    known, log = KNOWN[assignment], (ROOT / "CHANGELOG.md").read_text()
    assert len(known) >= 20
    assert f"{len(recorded)} checks" in log and f"{len(known)} known mistakes" in log
    promised = {name for mistake in known.values() for name in mistake.checks}
    of_quality = {name for name, check in recorded.items() if check.criterion != "close"}
    assert promised | of_quality == set(recorded)


@pytest.mark.parametrize(
    "assignment, name", [(assignment, name) for assignment in KNOWN for name in KNOWN[assignment]]
)
def test_a_mistake_loses_points_and_is_told_its_own_hint(results_of, assignment, name):
    mistake, found = KNOWN[assignment][name], results_of(assignment)[name].checks
    for check in mistake.checks:
        assert found[check].points < found[check].maximum, check
    named = [check for check in mistake.checks if found[check].mistake == name]
    assert named, {check: found[check] for check in mistake.checks}
    for check in named:
        assert found[check].hint == mistake.hint


def test_a_mistake_with_numbers_keeps_its_share(results_of):
    found = results_of("a1_two_layer_net")["gradient_not_averaged"].checks
    assert found["gradient_W2"].points == 3.5
