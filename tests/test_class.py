"""The sample class, graded by `autograder grade` and by plain `nbgrader autograde`."""

import sqlite3
import subprocess
import sys

import nbformat
import pytest

from autograder import CHALLENGE_FILE, report
from autograder.plugins import VERDICT_MIME
from autograder.solutions import grade_id
from tests import submissions
from tests.conftest import A1, grade_all, scores

AUTOMATIC = 85.0
STYLES = ("style_reference", "style_loops", "style_einsum", "style_one_hot", "style_in_place")


def nbgrader(course, *arguments, check=True):
    command = [sys.executable, "-m", "nbgrader", *arguments]
    return subprocess.run(command, cwd=course.root, check=check, capture_output=True, text=True)


@pytest.fixture(scope="module")
def students():
    return {student.name: student.notebook for student in submissions.sample_class(A1)}


@pytest.fixture(scope="module")
def graded(course_of, students):
    course = course_of(students, "graded")
    assert set(grade_all(course).values()) == {""}
    return course


@pytest.fixture(scope="module")
def autograded(course_of, students):
    course = course_of(students, "autograded")
    nbgrader(course, "autograde", A1)
    return course


@pytest.fixture(scope="module")
def results(graded):
    return {student.student: student for student in report.collect(graded, A1).students}


def automatic(course, student):
    return sum(score for score in scores(course)[student].values() if score is not None)


def test_nbgrader_autograde_gives_the_same_scores(graded, autograded):
    assert scores(graded) == scores(autograded)


def test_the_challenge_does_not_stay_with_a_graded_notebook(autograded):
    assert list(autograded.root.glob("autograded/*/*/*.ipynb"))
    assert not list(autograded.root.glob(f"autograded/*/*/{CHALLENGE_FILE}"))


def test_the_class_has_every_kind_of_student(students):
    assert len(students) >= 25
    assert set(STYLES) < set(students)
    assert sum(name.startswith("mistake_") for name in students) >= 10


@pytest.mark.parametrize("student", STYLES)
def test_every_right_style_has_full_marks(graded, results, student):
    wrong = {n: c.reason for n, c in results[student].checks.items() if c.points < c.maximum}
    assert wrong == {}
    assert automatic(graded, student) == AUTOMATIC


def test_blank_has_nothing_and_says_why(graded, results):
    assert automatic(graded, "blank") == 0
    assert results["blank"].checks["forward_scores"].reason.startswith("not written yet")


def test_each_mistake_loses_points_with_its_own_hint(results):
    for student, result in results.items():
        if student.startswith("mistake_"):
            named = {check.mistake for check in result.checks.values()}
            assert student.removeprefix("mistake_") in named
            assert sum(check.points for check in result.checks.values()) < AUTOMATIC


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


REAL = sorted(path.parent.name for path in (submissions.HERE / A1).glob("*/*.ipynb"))


def test_at_least_five_notebooks_come_from_a_real_front_end():
    assert len(REAL) >= 5


def test_a_verdict_replaces_every_output_and_quotes_no_expected_value(graded):
    path = graded.folder("autograded", "mistake_no_relu", A1) / f"{A1}.ipynb"
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade"):
            (output,) = cell.outputs
            assert set(output.data) == {"text/plain", "text/html", VERDICT_MIME}
            assert "expected" not in output.data["text/html"].split("Looks like")[0]


def test_feedback_has_the_verdicts_and_no_hidden_test(graded):
    nbgrader(graded, "generate_feedback", A1, "--student", "mistake_no_relu")
    page = (graded.folder("feedback", "mistake_no_relu", A1) / f"{A1}.html").read_text()
    assert "the hidden layer has no ReLU" in page
    assert "forward_scores: 2.8 of 7 points" in page
    assert "check.hidden" not in page
    assert "HIDDEN TESTS" not in page


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


def test_the_report_is_one_page_with_every_student_and_the_common_mistakes(graded):
    page = report.html(report.collect(graded, A1))
    assert all(f"<td>{student}</td>" in page for student in scores(graded))
    assert "relu_mask_missing" in page
    assert "http" not in page


def test_the_terminal_table_names_the_reason_that_cost_most(results):
    assert results["mistake_argmin"].main_reason.startswith(
        "predictions: the class with the smallest"
    )
    assert results["style_loops"].main_reason == ""


def test_a_second_run_changes_nothing(graded):
    before = scores(graded)
    from autograder.grade import grade

    assert [g.error for g in grade(graded, A1, ["style_loops", "mistake_argmin"])] == ["", ""]
    assert scores(graded) == before


def test_stock_nbgrader_without_the_judge_gives_no_points(course_of, students):
    course = course_of({"style_reference": students["style_reference"]}, "stock")
    (course.root / "nbgrader_config.py").unlink()
    (course.root / "nbgrader_config.py").write_text(
        'c = get_config()\nc.CourseDirectory.course_id = "gradient_check"\n'
    )
    nbgrader(course, "autograde", A1)
    assert automatic(course, "style_reference") == 0
    with sqlite3.connect(course.root / "gradebook.db") as gradebook:
        assert gradebook.execute("select count(*) from grade").fetchone()[0] > 0


def test_a_deleted_judge_gives_no_points_even_with_the_challenge(course_of, students):
    """Our Execute alone: evidence is recorded, and nobody looks at it."""
    course = course_of({"style_reference": students["style_reference"]}, "no_judge")
    config = (course.root / "nbgrader_config.py").read_text()
    (course.root / "nbgrader_config.py").unlink()
    (course.root / "nbgrader_config.py").write_text(
        f"{config}\nsteps = c.Autograde.autograde_preprocessors\nsteps.remove(plugins.Judge)\n"
    )
    nbgrader(course, "autograde", A1)
    assert automatic(course, "style_reference") == 0


def test_grade_ids_of_the_class_are_those_of_the_release(students):
    wanted = {grade_id(c) for c in submissions.released_notebook(A1).cells} - {""}
    for name, notebook in students.items():
        assert {grade_id(cell) for cell in notebook.cells} - {""} == wanted, name
