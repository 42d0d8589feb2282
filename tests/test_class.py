"""The sample classes, graded by `autograder grade` and by plain `nbgrader autograde`."""

import sqlite3
import subprocess
import sys
from functools import cache
from typing import NamedTuple

import nbformat
import pytest

from autograder import CHALLENGE_FILE
from autograder.grading.course import Course
from autograder.grading.notebooks import VERDICT_MIME, grade_id, is_autograded
from autograder.grading.pipeline import grade
from autograder.reports.page import html
from autograder.reports.results import StudentResult, collect
from tests import submissions
from tests.fixtures import A1, grade_all, scores
from tests.submissions import Student
from tests.test_notebooks import ASSIGNMENTS

AUTOMATIC = 85.0  # of A1


def nbgrader(course, *arguments, check=True):
    command = [sys.executable, "-m", "nbgrader", *arguments]
    return subprocess.run(command, cwd=course.root, check=check, capture_output=True, text=True)


class Graded(NamedTuple):
    """A class that `autograder grade` graded."""

    assignment: str
    course: Course
    students: dict[str, Student]
    results: dict[str, StudentResult]

    def automatic(self, student: str) -> float:
        return automatic(self.course, student, self.assignment)


@pytest.fixture(scope="module")
def class_of(course_of):
    """Return a function that grades the sample class of an assignment, or a part of it, once."""

    @cache
    def graded_class(assignment, whole) -> Graded:
        students = {student.name: student for student in submissions.sample_class(assignment)}
        if not whole:
            students = {name: students[name] for name in part(list(students))}
        course = laid_out(course_of, students, "graded", assignment)
        assert set(grade_all(course, assignment).values()) == {""}
        results = collect(course.assignment(assignment)).students
        return Graded(assignment, course, students, {one.student: one for one in results})

    return graded_class


def laid_out(course_of, students, name, assignment=A1) -> Course:
    notebooks = {student.name: student.notebook for student in students.values()}
    artifacts = {student.name: student.artifacts for student in students.values()}
    return course_of(notebooks, name, assignment, artifacts)


def part(names: list[str]) -> list[str]:
    """Choose two who write in a style of their own, two with a known mistake, and all others."""
    alike = [[n for n in names if n.startswith(start)] for start in ("style_", "mistake_")]
    return [n for n in names if not any(n in group[2:] for group in alike)]


@pytest.fixture(
    params=[
        (A1, True),
        *((name, False) for name in ASSIGNMENTS if name != A1),
        *(pytest.param((name, True), marks=pytest.mark.slow) for name in ASSIGNMENTS if name != A1),
    ],
    ids=lambda param: f"{param[0]}{', whole' * param[1]}",
)
def sample(request, class_of):
    return class_of(*request.param)


@pytest.fixture
def a1(class_of):
    return class_of(A1, True)


def automatic(course, student, assignment=A1):
    found = scores(course, assignment)[student].values()
    return sum(score for score in found if score is not None)


# Every class


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_class_has_every_kind_of_student(assignment):
    names = [student.name for student in submissions.sample_class(assignment)]
    assert len(names) >= 10 and {"blank", "half_done"} < set(names)
    assert sum(name.startswith("style_") for name in names) >= 3
    assert sum(name.startswith("mistake_") for name in names) >= 4


def test_every_right_style_has_full_marks(sample):
    released = submissions.released_notebook(sample.assignment)
    full = sum(c.metadata.nbgrader.points for c in released.cells if is_autograded(c))
    for name in sample.students:
        if name.startswith("style_"):
            checks = sample.results[name].checks
            wrong = {n: c.reason for n, c in checks.items() if c.points < c.maximum}
            assert wrong == {}, name
            assert sample.automatic(name) == full


def test_blank_has_nothing_and_says_why(sample):
    assert sample.automatic("blank") == 0
    for name, check in sample.results["blank"].checks.items():
        assert check.reason.startswith(("not written yet", "raised ")), name


def test_each_mistake_loses_points_with_its_own_hint(sample):
    for student, result in sample.results.items():
        if student.startswith("mistake_"):
            named = {check.mistake for check in result.checks.values()}
            assert student.removeprefix("mistake_") in named
            assert any(check.points < check.maximum for check in result.checks.values())


def test_half_done_has_points_for_what_is_done(sample):
    points = [check.points for check in sample.results["half_done"].checks.values()]
    assert sum(points) > 0 and 0 in points


def test_a_verdict_replaces_every_output_and_quotes_no_expected_value(sample):
    wrong = next(name for name in sample.students if name.startswith("mistake_"))
    folder = sample.course.assignment(sample.assignment).autograded(wrong)
    for cell in nbformat.read(folder / f"{sample.assignment}.ipynb", 4).cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade"):
            (output,) = cell.outputs
            assert set(output.data) == {"text/plain", "text/html", VERDICT_MIME}
            assert ": expected" not in output.data["text/html"].split("Looks like")[0]


def test_the_report_is_one_page_with_every_student(sample):
    page = html(collect(sample.course.assignment(sample.assignment)))
    assert all(f'<th scope="row">{student}</th>' in page for student in sample.students)
    assert "http" not in page


FORMER = {"train_on_toy_data"}  # in notebooks of a1 that are older than the release


def test_grade_ids_of_a_class_are_those_of_the_release(sample):
    released = submissions.released_notebook(sample.assignment)
    wanted = {grade_id(cell) for cell in released.cells} - {""}
    for name, student in sample.students.items():
        found = {grade_id(cell) for cell in student.notebook.cells} - {""}
        assert found - FORMER == wanted, name


@pytest.mark.parametrize(
    "assignment",
    [
        pytest.param(name, marks=() if name.startswith("a2") else (pytest.mark.slow,))
        for name in ASSIGNMENTS
        if name != A1
    ],
)
def test_nbgrader_autograde_gives_a_few_the_same_scores(class_of, course_of, assignment):
    sample = class_of(assignment, False)
    few = ("style_reference", "half_done", "blank")
    course = laid_out(course_of, {n: sample.students[n] for n in few}, "few", assignment)
    nbgrader(course, "autograde", assignment)
    expected = scores(sample.course, assignment)
    assert scores(course, assignment) == {name: expected[name] for name in few}


# The class of A1


@pytest.fixture(scope="module")
def graded(class_of):
    return class_of(A1, True).course


@pytest.fixture(scope="module")
def results(class_of):
    return class_of(A1, True).results


@pytest.fixture(scope="module", params=[False, pytest.param(True, marks=pytest.mark.slow)])
def autograded(request, class_of, course_of):
    students = class_of(A1, True).students
    names = list(students) if request.param else part(list(students))
    course = laid_out(course_of, {name: students[name] for name in names}, "autograded")
    nbgrader(course, "autograde", A1)
    return course


def test_nbgrader_autograde_gives_the_same_scores(graded, autograded):
    found, expected = scores(autograded), scores(graded)
    assert len(found) >= 10 and found == {name: expected[name] for name in found}


def test_the_challenge_does_not_stay_with_a_graded_notebook(autograded):
    assert list(autograded.root.glob("autograded/*/*/*.ipynb"))
    assert not list(autograded.root.glob(f"autograded/*/*/{CHALLENGE_FILE}"))


def test_what_is_done_counts_although_the_rest_is_not(results):
    exercises = results["half_done"].exercises
    assert (exercises["nn_forward_pass"], exercises["nn_loss"], exercises["nn_train"]) == (
        10,
        15,
        0,
    )


def test_an_answer_without_change_is_zero_and_a_written_one_waits_for_a_person(graded):
    half = scores(graded)["half_done"]
    assert half["question_initial_loss"] is None
    assert half["question_zero_weights"] == 0


def test_a_function_that_raises_costs_its_own_checks_only(results):
    checks = results["raises"].checks
    assert checks["gradient_W2"].points == 0
    assert checks["gradient_W2"].reason.startswith("raised RuntimeError")
    assert checks["forward_scores"].points == 7
    assert checks["scores_without_labels"].points == 3


def test_a_syntax_error_is_named_where_it_costs_points(results):
    reason = results["syntax_error"].checks["loss_data"].reason
    assert "NameError: name 'nn_loss' is not defined" in reason
    assert "(nn_loss) raised SyntaxError" in reason
    assert results["syntax_error"].checks["forward_scores"].points == 7


def test_noise_on_stdout_and_stderr_costs_nothing(graded):
    assert automatic(graded, "noisy") == AUTOMATIC


def test_nan_scores_nothing(results):
    checks = results["returns_nan"].checks
    assert checks["loss_data"].points == 0
    assert "NaN or infinity in 1 of 1 entries" in checks["loss_data"].reason


def test_modified_inputs_cost_the_check_that_forbids_it(results):
    check = results["modifies_inputs"].checks["inputs_untouched"]
    assert check.points == 0
    assert check.reason == "the call changed its inputs: params.W2"
    assert results["modifies_inputs"].checks["gradient_W2"].points == 7


def test_real_notebooks_solved_from_the_student_version_have_what_they_deserve(results):
    for name in REAL:
        lost = {n: c.reason for n, c in results[name].checks.items() if c.points < c.maximum}
        assert lost == {}, name


REAL = sorted(
    path.parent.name for path in (submissions.folder(A1) / "submissions").glob("*/*.ipynb")
)


def test_at_least_five_notebooks_come_from_a_real_front_end():
    assert len(REAL) >= 5


def test_export_gives_the_grades(graded):
    nbgrader(graded, "export", "--to", "grades.csv")
    lines = (graded.root / "grades.csv").read_text().splitlines()
    columns = lines[0].split(",")
    rows = {
        row["student_id"]: row
        for row in (dict(zip(columns, x.split(","), strict=True)) for x in lines[1:])
    }
    assert float(rows["style_loops"]["score"]) == AUTOMATIC
    assert float(rows["blank"]["score"]) == 0


def test_a_second_run_changes_nothing(graded):
    before = scores(graded)
    assert [g.error for g in grade(graded.assignment(A1), ["style_loops", "mistake_argmin"])] == [
        "",
        "",
    ]
    assert scores(graded) == before


def test_stock_nbgrader_without_the_judge_gives_no_points(course_of, a1):
    course = course_of({"style_reference": a1.students["style_reference"].notebook}, "stock")
    (course.root / "nbgrader_config.py").unlink()
    (course.root / "nbgrader_config.py").write_text(
        'c = get_config()\nc.CourseDirectory.course_id = "gradient_check"\n'
    )
    nbgrader(course, "autograde", A1)
    assert automatic(course, "style_reference") == 0
    with sqlite3.connect(course.root / "gradebook.db") as gradebook:
        assert gradebook.execute("select count(*) from grade").fetchone()[0] > 0


def test_a_deleted_judge_gives_no_points_even_with_the_challenge(course_of, a1):
    """Our Execute alone: evidence is recorded, and nobody looks at it."""
    course = course_of({"style_reference": a1.students["style_reference"].notebook}, "no_judge")
    config = (course.root / "nbgrader_config.py").read_text()
    (course.root / "nbgrader_config.py").unlink()
    (course.root / "nbgrader_config.py").write_text(
        f"{config}\nc.Autograde.autograde_preprocessors.remove(nbgrader_plugins.Judge)\n"
    )
    nbgrader(course, "autograde", A1)
    assert automatic(course, "style_reference") == 0
