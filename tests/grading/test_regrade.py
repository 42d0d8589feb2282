"""A class is judged again without running: by another reference, share, hint or rule."""

import subprocess
import sys
from dataclasses import replace

import nbformat
import pytest

from autograder.cli import main
from autograder.grading import regrade as regrading
from autograder.grading.course import open_course
from autograder.grading.journal import Journal
from autograder.grading.nbgrader_plugins import OverwriteCells
from autograder.grading.prepare import load_assignment, prepare
from autograder.grading.regrade import regrade
from autograder.notebook import cases
from autograder.notebook.cases import Tolerance
from autograder.reports.results import collect, verdicts
from tests import worked_example
from tests.fixtures import scores
from tests.worked_example import CHECK, MISTAKEN, NAME, RIGHT

WRONG = f"{RIGHT} * 1.001"


@pytest.fixture
def graded(example):
    for student, solution in (("ann", RIGHT), ("bob", MISTAKEN), ("cyd", WRONG)):
        worked_example.hand_in(example, student, solution)
    assert set(worked_example.grade(example).values()) == {""}
    return example


def with_references(folders, change):
    """Change the recorded check, as recording it again would."""
    checks = cases.load_references(folders.source)
    path = folders.source / cases.REFERENCES
    path.write_bytes(cases.to_bytes({**checks, CHECK: change(checks[CHECK])}))
    cases.load_references.cache_clear()


def rule(folders, text):
    path = folders.course.root / "nbgrader_config.py"
    path.write_text(path.read_text() + f"\nc.Grading.{text}\n")


def again(folders, *, dry_run=False):
    folders = open_course(folders.course.root).assignment(NAME)
    return {one.student: one for one in regrade(folders, dry_run=dry_run)}, folders


def tolerant(check):
    loose = Tolerance(rtol=0.1, atol=0)
    return replace(check, cases=tuple(replace(case, tolerance=loose) for case in check.cases))


def most(folders):
    with folders.course.gradebook() as gradebook:
        return gradebook.find_assignment(NAME).max_score


def points(folders):
    found = scores(folders.course, NAME)
    return {student: found[student][CHECK] for student in found}


def test_nothing_changes_for_nobody(graded):
    before = points(graded)
    found, _ = again(graded)
    assert not any(one.points or one.other or one.why_not for one in found.values())
    assert list(found) == ["ann", "bob", "cyd"]
    assert points(graded) == before


@pytest.mark.parametrize("dry_run", [True, False])
def test_another_tolerance_is_said_and_written_unless_it_is_a_dry_run(graded, dry_run):
    before = points(graded)
    assert before == {"ann": 5, "bob": 2.5, "cyd": 0}
    with_references(graded, tolerant)
    found, folders = again(graded, dry_run=dry_run)
    assert found["cyd"].points == {CHECK: (0, 5)}
    assert not found["ann"].points and not found["bob"].points
    assert points(graded) == (before if dry_run else {**before, "cyd": 5})
    shown = verdicts(graded.autograded("cyd") / f"{NAME}.ipynb")[CHECK].points
    assert shown == (0 if dry_run else 5)
    if not dry_run:  # it is the same as grading by these references
        assert not any(one.points or one.other for one in again(graded)[0].values())
        assert Journal(folders).has(prepare(load_assignment(folders), "cyd"),
                                    load_assignment(folders).answers)  # fmt: skip


def test_another_share_and_another_hint_are_seen(graded):
    def told(check):
        mistakes = [replace(m, hint="Sum first.", credit=0.2) for m in check.mistakes]
        return replace(check, mistakes=tuple(mistakes))

    with_references(graded, told)
    found, _ = again(graded)
    assert found["bob"].points == {CHECK: (2.5, 1)} and not found["bob"].other
    with_references(graded, lambda check: replace(check, mistakes=tuple(
        replace(m, hint="Sum over dim 1 first.") for m in check.mistakes
    )))  # fmt: skip
    found, _ = again(graded)
    assert (found["bob"].points, found["bob"].other) == ({}, [CHECK])
    hint = verdicts(graded.autograded("bob") / f"{NAME}.ipynb")[CHECK].hint
    assert hint == "Sum over dim 1 first."


@pytest.mark.parametrize(("setting", "now", "maximum"), [
    ("drop", {"ann": 0, "bob": 0, "cyd": 0}, 0), ("full_marks", {"ann": 5, "bob": 5, "cyd": 5}, 5),
    ("bonus", {"ann": 5, "bob": 2.5, "cyd": 0}, 0),
])  # fmt: skip
def test_a_rule_changes_points_and_maximum_and_can_be_taken_back(graded, setting, now, maximum):
    before, whole = points(graded), collect(graded).maximum
    path = graded.course.root / "nbgrader_config.py"
    text = path.read_text()
    rule(graded, f'{setting} = ["{NAME}/squared_error"]')
    _, folders = again(graded)
    assert points(graded) == now
    assert collect(folders).maximum == most(folders) == whole - 5 + maximum
    # grading by this rule gives the same
    assert set(worked_example.grade(folders).values()) == {""} and points(graded) == now
    path.write_text(text)
    _, folders = again(graded)
    assert points(graded) == before and collect(folders).maximum == whole


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "now"), [
    ("drop", {"ann": 0, "bob": 0, "cyd": 0}), ("full_marks", {"ann": 5, "bob": 5, "cyd": 5}),
    ("bonus", {"ann": 5, "bob": 2.5, "cyd": 0}),
])  # fmt: skip
def test_nbgrader_autograde_follows_a_rule_too(graded, setting, now):
    whole = collect(graded).maximum
    rule(graded, f'{setting} = ["{NAME}/squared_error"]')
    command = [sys.executable, "-m", "nbgrader", "autograde", NAME, "--force"]
    done = subprocess.run(command, cwd=graded.course.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert points(graded) == now
    assert most(graded) == (whole if setting == "full_marks" else whole - 5)


def test_the_gradebook_has_the_rules_even_if_a_submission_cannot_be_graded(graded, monkeypatch):
    def broken(self, nb, resources):
        assert most(graded) == whole
        raise RuntimeError("this submission cannot be graded")

    rule(graded, f'drop = ["{NAME}/squared_error"]')
    whole, resources = most(graded), {
        "source": graded.source,
        "nbgrader": {"assignment": NAME, "db_url": graded.course.coursedir.db_url},
    }  # fmt: skip
    monkeypatch.setattr("nbgrader.preprocessors.OverwriteCells.preprocess", broken)
    cells = OverwriteCells(config=open_course(graded.course.root).config)
    with pytest.raises(RuntimeError, match="cannot be graded"):
        cells.preprocess(nbformat.v4.new_notebook(), resources)
    assert most(graded) == whole - 5


def test_marks_by_hand_stay(graded):
    with graded.course.gradebook() as gradebook:
        grade = gradebook.find_submission_notebook(NAME, NAME, "cyd").grades[0]
        grade.manual_score = 4.5
        gradebook.db.commit()
    with_references(graded, tolerant)
    again(graded)
    with graded.course.gradebook() as gradebook:
        grade = gradebook.find_submission_notebook(NAME, NAME, "cyd").grades[0]
        assert (grade.manual_score, grade.auto_score, grade.score) == (4.5, 5, 4.5)
        assert grade.needs_manual_grade  # to be looked at: what it was given for has changed


def test_what_has_no_evidence_or_is_asked_for_something_else_has_to_be_graded(graded):
    load_assignment(graded).evidence("bob", NAME).unlink()
    assert again(graded)[0]["bob"].why_not == "its evidence was not kept"

    def doubled(check):
        return replace(check, cases=tuple(
            replace(case, inputs={name: 2 * value for name, value in case.inputs.items()})
            for case in check.cases
        ))  # fmt: skip

    with_references(graded, doubled)
    found, _ = again(graded)
    assert found["ann"].why_not == f"{CHECK} asks for something else now"
    assert points(graded) == {"ann": 5, "bob": 2.5, "cyd": 0}


def test_processes_side_by_side_find_the_same(graded, monkeypatch):
    monkeypatch.setattr(regrading, "AT_ONCE", 1)
    with_references(graded, tolerant)
    side_by_side, _ = again(graded, dry_run=True)
    alone = {one.student: one for one in regrade(graded, ["cyd"], workers=1, dry_run=True)}
    assert list(side_by_side) == ["ann", "bob", "cyd"]
    assert side_by_side["cyd"].points == {CHECK: (0, 5)} and alone == {"cyd": side_by_side["cyd"]}


def test_the_command_says_what_changes_for_whom(graded, capsys, monkeypatch):
    monkeypatch.chdir(graded.course.root)
    with_references(graded, tolerant)
    load_assignment(graded).evidence("bob", NAME).unlink()
    assert main(["regrade", NAME, "--dry-run"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert f"cyd: +5 points ({CHECK} 0 → 5)" in out
    assert any(line.endswith(
        " s; the points of 1 would change, and only reasons or hints for 1. Nothing was written."
    ) for line in out)  # fmt: skip
    assert out[-1] == (
        f"1 could not be (its evidence was not kept): run `autograder grade {NAME}` for bob"
    )
    assert main(["regrade", NAME, "--student", "cyd"]) == 0
    assert "1 judged again" in capsys.readouterr().out
    assert nbformat.read(graded.autograded("cyd") / f"{NAME}.ipynb", 4)
