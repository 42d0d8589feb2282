"""Every mistake of every check, end to end.

Mistakes in functions that are checked apart from each other share a notebook: fewer
kernels, the same evidence.
"""

from functools import reduce

import pytest

from autograder import checks, report
from autograder.solutions import with_mistake
from tests.conftest import A1, grade_all, scores
from tests.submissions import ROOT, in_release
from tests.test_class import nbgrader

KNOWN = {mistake.name: mistake for mistake in checks.load(A1).mistakes}
ALONE = ("nn_forward_pass", "nn_forward_backward")  # the second calls the first


def packed() -> dict[str, list[str]]:
    """Distribute the mistakes over notebooks: one for each function, and one net function."""
    by_slot: dict[str, list[str]] = {}
    for mistake in KNOWN.values():
        net = mistake.cell in ALONE or mistake.name == "penalty_squares_in_place"
        by_slot.setdefault("net" if net else mistake.cell, []).append(mistake.name)
    count = max(map(len, by_slot.values()))
    return {
        f"student{i:02}": [names[i] for names in by_slot.values() if i < len(names)]
        for i in range(count)
    }


PACKED = packed()


@pytest.fixture(scope="module")
def notebooks(solved):
    return {
        student: in_release(A1, reduce(with_mistake, (KNOWN[name] for name in names), solved))
        for student, names in PACKED.items()
    }


@pytest.fixture(scope="module")
def graded(course_of, notebooks):
    course = course_of(notebooks, "mistakes")
    assert set(grade_all(course).values()) == {""}
    return course


@pytest.fixture(scope="module")
def results(graded):
    return {student.student: student for student in report.collect(graded, A1).students}


def test_there_are_at_least_25_mistakes_over_every_check(graded):
    assert len(KNOWN) >= 25
    report_of = report.collect(graded, A1)
    log = (ROOT / "CHANGELOG.md").read_text()
    assert f"{len(report_of.checks)} checks" in log and f"{len(KNOWN)} known mistakes" in log
    promised = {name for mistake in KNOWN.values() for name in mistake.checks}
    assert promised | {"toy_training"} == set(report_of.checks)


@pytest.mark.parametrize("student, name", [(s, n) for s, names in PACKED.items() for n in names])
def test_a_mistake_loses_points_and_is_told_its_own_hint(results, student, name):
    mistake, found = KNOWN[name], results[student].checks
    for check in mistake.checks:
        assert found[check].points < found[check].maximum, check
    named = [check for check in mistake.checks if found[check].mistake == name]
    assert named, {check: found[check] for check in mistake.checks}
    for check in named:
        assert found[check].hint == mistake.hint


def test_a_mistake_with_numbers_keeps_its_share(results):
    (student,) = [s for s, names in PACKED.items() if "gradient_not_averaged" in names]
    assert results[student].checks["gradient_W2"].points == 3.5


def test_nbgrader_autograde_gives_the_same_scores(course_of, notebooks, graded):
    course = course_of(notebooks, "mistakes_autograded")
    nbgrader(course, "autograde", A1)
    assert scores(course) == scores(graded)
