"""Every mistake of every check, end to end.

Mistakes in cells that are checked apart from each other share a notebook: fewer kernels,
the same evidence. The notebooks of some assignments that hold most of them are always graded,
all others are slow.
"""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache, reduce

import pytest

from autograder.authoring.checks import artifacts, mistakes
from autograder.authoring.mistakes import Mistake
from autograder.authoring.solutions import with_mistake
from autograder.notebook.cases import load_references
from autograder.reports.results import collect
from tests import submissions
from tests.fixtures import grade_all
from tests.submissions import ROOT, in_release, source_notebook
from tests.test_notebooks import ASSIGNMENTS

QUICK = 5  # notebooks of an assignment
ALWAYS = "a1_two_layer_net", "a4_facial_expression", "a7_few_labels"
KNOWN = {name: {m.name: m for m in mistakes(submissions.folder(name))} for name in ASSIGNMENTS}


@cache
def packed(assignment: str) -> list[list[Mistake]]:
    """Distribute the mistakes of an assignment over notebooks."""
    shows_in = defaultdict(set)  # by cell: the checks in which any of its mistakes shows
    for check in load_references(submissions.folder(assignment)).values():
        for known in check.mistakes:
            shows_in[KNOWN[assignment][known.name].cell].add(check.name)
    groups: list[list[Mistake]] = []
    for mistake in KNOWN[assignment].values():
        seen = shows_in[mistake.cell]
        places = (
            group
            for group in groups
            if all(seen.isdisjoint(shows_in[m.cell]) and not calls(m, mistake) for m in group)
        )
        if (group := next(places, None)) is None:
            groups.append(group := [])
        group.append(mistake)
    return groups


def calls(one: Mistake, other: Mistake) -> bool:
    """Say whether one of two mistakes calls what the other one changes."""
    lines = [[line for change in m.changes for line in change.after] for m in (one, other)]
    return any(other.cell in line for line in lines[0]) or any(one.cell in x for x in lines[1])


@pytest.fixture(scope="module")
def results_of(course_of):
    """Return a function that grades mistakes of an assignment once: results by mistake."""

    @cache
    def graded(assignment, quick):
        groups = [group for group in packed(assignment)
                  if is_quick(assignment, group[0].name) is quick]  # fmt: skip
        solved = source_notebook(assignment)
        notebooks = {
            f"student{number:02}": in_release(assignment, reduce(with_mistake, group, solved))
            for number, group in enumerate(groups)
        }
        trained = dict.fromkeys(notebooks, artifacts(submissions.folder(assignment)))
        course = course_of(notebooks, f"mistakes-{quick}", assignment, trained)
        assert set(grade_all(course, assignment).values()) == {""}
        found = {one.student: one for one in collect(course.assignment(assignment)).students}
        return {
            mistake.name: found[student].checks
            for student, group in zip(notebooks, groups, strict=True)
            for mistake in group
        }

    def results(assignment, name):
        return graded(assignment, is_quick(assignment, name))[name]

    return results


def is_quick(assignment: str, name: str) -> bool:
    """Say whether a mistake is in one of the notebooks that are always graded."""
    first = packed(assignment)[:QUICK] if assignment in ALWAYS else []
    return any(mistake.name == name for group in first for mistake in group)


def every_mistake() -> Iterator:
    """Yield the assignment and the name of every mistake."""
    for assignment, known in KNOWN.items():
        for name in known:
            marks = () if is_quick(assignment, name) else (pytest.mark.slow,)
            yield pytest.param(assignment, name, marks=marks)


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_there_are_at_least_20_mistakes_over_every_check(assignment):
    recorded = load_references(submissions.folder(assignment))
    known, log = KNOWN[assignment], (ROOT / "CHANGELOG.md").read_text()
    assert len(known) >= 20
    assert f"{len(recorded)} checks" in log and f"{len(known)} known mistakes" in log
    promised = {name for mistake in known.values() for name in mistake.checks}
    of_quality = {name for name, check in recorded.items() if check.criterion != "close"}
    assert promised | of_quality == set(recorded)


@pytest.mark.parametrize("assignment, name", list(every_mistake()))
def test_a_mistake_loses_points_and_is_told_its_own_hint(results_of, assignment, name):
    mistake, found = KNOWN[assignment][name], results_of(assignment, name)
    for check in mistake.checks:
        assert found[check].points < found[check].maximum, check
    told = [found[check].hint for check in mistake.checks]
    assert mistake.hint in told, {check: found[check] for check in mistake.checks}


def test_a_mistake_with_numbers_keeps_its_share(results_of):
    found = results_of("a1_two_layer_net", "gradient_not_averaged")
    assert found["gradient_W2"].points == 3.5
