"""Submissions graded as on Gradescope: what students and instructors read, and what an attack gets.

Most are graded by this process, in the sandbox; some in something like Gradescope's container,
which has none.
"""

import io
import json
import shutil
import tempfile
import zipfile
from pathlib import Path

import nbformat
import pytest
from traitlets.config import Config

from autograder.authoring import gradescope as authoring
from autograder.authoring.solutions import with_cells, with_mistake
from autograder.errors import SandboxError
from autograder.grading.course import CourseError
from autograder.lms import gradescope
from autograder.notebook.hand_in import ABOUT
from autograder.reports.results import CheckResult
from tests import attacks, container, submissions
from tests.fixtures import A1

AUTOMATIC = 85.0
NAME = f"{A1}.ipynb"
WRITTEN = {"question_initial_loss": 5, "question_zero_weights": 5, "question_loss_as_prediction": 5}


@pytest.fixture(scope="module")
def course(course_of):
    return course_of({}, "gradescope")


@pytest.fixture(scope="module")
def zipped(course, tmp_path_factory):
    path = tmp_path_factory.mktemp("zip") / "a1.zip"
    authoring.write(course.assignment(A1), path)
    return path


@pytest.fixture(scope="module")
def image(zipped, tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def solved_text():
    return nbformat.writes(submissions.in_release(A1, submissions.source_notebook(A1)))


@pytest.fixture
def hand_in(image, tmp_path):
    """Return a function that lays out Gradescope's folder with files that were handed in."""

    def lay_out(files) -> Path:
        shutil.copytree(image / "course", tmp_path / gradescope.COURSE)
        for folder in ("results", "submission"):
            (tmp_path / folder).mkdir()
        for name, content in files.items():
            path = tmp_path / "submission" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path

    return lay_out


def by_check(results):
    return {test["name"].split(":")[0]: test for test in results["tests"]}


def points(results):
    return sum(test["score"] for test in results["tests"])


def test_a_right_submission_has_all_points_of_its_checks(hand_in, solved_text):
    root = hand_in({NAME: solved_text})
    (root / "submission_metadata.json").write_text('{"id": 123456, "users": [{"id": 1}]}')
    results = gradescope.grade(root, 0)
    assert points(results) == AUTOMATIC and len(results["tests"]) == 18
    assert {test["status"] for test in results["tests"]} == {"passed"}
    assert by_check(results)["gradient_W1"] == {
        "name": "gradient_W1: gradient of the loss with respect to W1", "score": 8.0,
        "max_score": 8.0, "status": "passed", "output": "correct",
    }  # fmt: skip
    assert results["output"].splitlines() == [
        "85 of 85 points from 18 checks.",
        "A person marks these answers, with their points: question_initial_loss (5), "
        "question_zero_weights (5), question_loss_as_prediction (5).",
    ]
    assert results["visibility"] == "visible"
    assert results["extra_data"]["wall"] == "namespaces"
    assert results["extra_data"]["submission"] == 123456
    assert len(results["extra_data"]["questions"]) == 16


def test_a_known_mistake_has_its_reason_and_its_hint(hand_in):
    mistake = {one.name: one for one in submissions.known(A1).mistakes}["relu_mask_missing"]
    wrong = submissions.in_release(A1, with_mistake(submissions.source_notebook(A1), mistake))
    results = gradescope.grade(hand_in({NAME: nbformat.writes(wrong)}), 0)
    check = by_check(results)["gradient_W1"]
    assert check["status"] == "failed" and check["score"] < check["max_score"]
    reason, hint = check["output"].splitlines()
    assert reason and hint == f"Looks like: {mistake.hint}"
    assert by_check(results)["forward_scores"]["status"] == "passed"


@pytest.mark.parametrize(
    "files, said",
    [
        ({NAME: "{"}, "the notebook could not be read: the file is not JSON (line 1, column 2)"),
        ({}, f"submission/{A1}: there is no notebook {NAME}."),
        ({"notes.txt": "hello"}, f"submission/{A1}: there is no notebook {NAME}."),
    ],
)
def test_what_cannot_be_graded_has_no_points_and_a_sentence(hand_in, files, said):
    results = gradescope.grade(hand_in(files), 0)
    assert points(results) == 0 and len(results["tests"]) == 18
    assert said in results["output"]
    for test in results["tests"]:
        assert test["status"] == "failed" and said.rstrip(".") in test["output"]


@pytest.mark.slow
def test_the_notebook_of_another_assignment_is_called_that(hand_in):
    other = nbformat.writes(submissions.released_notebook("a2_cifar10_debugging"))
    results = gradescope.grade(hand_in({"net.ipynb": other}), 0)
    assert points(results) == 0
    assert results["output"].splitlines()[0] == (
        f"net.ipynb is a notebook of a2_cifar10_debugging, and this is {A1}: please hand in {NAME}."
    )


def test_a_notebook_of_another_assignment_beside_the_right_one_is_not_mentioned(tmp_path):
    other = nbformat.writes(submissions.released_notebook("a2_cifar10_debugging"))
    (tmp_path / "a.ipynb").write_text(other)
    assert "a2_cifar10_debugging" in gradescope.of_another(tmp_path, A1)
    (tmp_path / "broken.ipynb").write_text("{")
    assert "a2_cifar10_debugging" in gradescope.of_another(tmp_path, A1)
    assert gradescope.of_another(tmp_path, "a2_cifar10_debugging") == ""
    (tmp_path / "b.ipynb").write_text(nbformat.writes(submissions.released_notebook(A1)))
    assert gradescope.of_another(tmp_path, A1) == ""


@pytest.mark.slow
def test_the_zip_of_hand_in_is_unpacked_and_so_is_what_gradescope_unpacked(hand_in, solved_text):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(NAME, solved_text)
        archive.writestr(ABOUT, "{}")
    results = gradescope.grade(hand_in({f"{A1}.zip": held.getvalue()}), 0)
    assert points(results) == AUTOMATIC
    assert f"What was handed in was unpacked from {A1}.zip." in results["output"]


@pytest.mark.slow
def test_what_gradescope_unpacked_into_a_folder_is_found(hand_in, solved_text):
    root = hand_in({f"hand in/{NAME}": solved_text, f"hand in/{ABOUT}": "{}"})
    assert points(gradescope.grade(root, 0)) == AUTOMATIC


@pytest.mark.slow
def test_settings_of_the_course_hold_and_its_due_dates_do_not(hand_in, solved_text):
    root = hand_in({NAME: solved_text, "timestamp.txt": "2026-12-24 12:00 UTC"})
    config = root / gradescope.COURSE / "nbgrader_config.py"
    config.write_text(
        f'c = get_config()\nc.Late.due = {{"{A1}": "2026-01-01 12:00 UTC"}}\nc.Late.per_day = 0.5\n'
        f'c.Grading.drop = ["{A1}/gradient_W1"]\nc.Grading.bonus = ["{A1}/gradient_b1"]\n'
        'c.Gradescope.visibility = "after_due_date"\n' + config.read_text()
    )
    results = gradescope.grade(root, 0)
    checks = by_check(results)
    assert results["visibility"] == "after_due_date"
    assert (checks["gradient_W1"]["score"], checks["gradient_W1"]["max_score"]) == (0, 0)
    assert "does not count" in checks["gradient_W1"]["output"]
    assert checks["gradient_b1"]["score"] > checks["gradient_b1"]["max_score"] == 0
    assert {test["status"] for test in checks.values()} == {"passed"}
    assert points(results) == AUTOMATIC - 8


# Whatever happens, there are results


@pytest.mark.parametrize(
    "error, printed",
    [
        (CourseError("source/x: no such file; make it."), "source/x: no such file; make it."),
        (ZeroDivisionError("secret"), "Traceback"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_an_error_is_one_sentence_for_students_and_all_of_it_for_instructors(
    tmp_path, monkeypatch, capsys, error, printed
):
    def fail(*_):
        raise error

    monkeypatch.setattr(gradescope, "grade", fail)
    (tmp_path / "results").mkdir()
    assert gradescope.main([str(tmp_path), "1000"]) == 0
    results = json.loads((tmp_path / "results/results.json").read_text())
    assert results.pop("execution_time") > 0
    assert results == {
        "score": 0, "output": gradescope.FAILED, "tests": [], "output_format": "text",
        "test_output_format": "text", "stdout_visibility": "hidden",
    }  # fmt: skip
    shown = capsys.readouterr()
    assert printed in shown.out and shown.err == ""
    assert len(list((tmp_path / "results").iterdir())) == 1


def test_what_students_read_is_the_same_if_nothing_starts():
    script = (authoring.IMAGE / "run_autograder").read_text()
    written = json.loads(script.split("<<'END'\n")[1].split("\nEND\n")[0])
    assert written == {
        "score": 0, "output": gradescope.FAILED, "output_format": "text",
        "stdout_visibility": "hidden", "tests": [],
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "{", "[1]", '"id"', "\udcff"])
def test_metadata_that_cannot_be_read_is_none(tmp_path, text):
    path = tmp_path / "submission_metadata.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert gradescope._metadata(path) == {}
    assert gradescope._metadata(tmp_path / "nowhere") == {}


def test_a_wrong_visibility_is_said_before_anything_is_written():
    with pytest.raises(CourseError, match=r"c\.Gradescope\.visibility: 'later' is none of visible"):
        gradescope.visibility(Config({"Gradescope": {"visibility": "later"}}))


@pytest.mark.parametrize(
    "result, output, status",
    [
        (CheckResult(2, 2, "", "", ""), "All hidden cases passed.", "passed"),
        (CheckResult(1, 2, "why", "m", "how", False), "why\nMay be: how", "failed"),
        (CheckResult(1, 2, "why", "m", "how"), "why\nLooks like: how", "failed"),
        (CheckResult(0, 2, "why", "", ""), "why", "failed"),
    ],
)
def test_a_check_is_told_by_its_reason_and_hint(result, output, status):
    told = gradescope._test("loss: the loss", result, 2)
    assert (told["output"], told["status"]) == (output, status)


def test_what_a_person_marks_is_listed_with_its_points(course):
    assert gradescope.written_answers(course.assignment(A1)) == WRITTEN


# Without a sandbox


@pytest.mark.parametrize("user", [0, -1])
def test_there_is_no_grading_without_a_wall(course, monkeypatch, user):
    class Refused:
        def wait_until_warm(self):
            raise SandboxError("there is no sandbox: x.")

    monkeypatch.setattr(gradescope.client, "begin", lambda settings: Refused())
    with pytest.raises(SandboxError, match="no user `student`"):
        gradescope.raise_wall(course, user)
    assert course.config.Execute.get("sandbox", True) is True


@pytest.fixture(scope="module")
def contained(zipped):
    container.require()
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)  # what everybody could read but for run_autograder
        yield container.Container(Path(place), zipped)


LOOKS = f"""
def nn_forward_pass(params, X):
    import os
    open_to_all = ["/tmp", "/etc/passwd", "."]
    closed = ["", "/source", "/source/course/gradebook.db", "/results/results.json",
              "/source/course/source/{A1}/references.safetensors", "/submission", "/run_autograder"]
    seen = ""
    for place in [*open_to_all, *("@root@" + name for name in closed), "/etc/shadow"]:
        try:
            os.listdir(place) if os.path.isdir(place) else open(place, "rb").read()
            seen += "R"
        except OSError as error:
            seen += "-" if isinstance(error, PermissionError) else "?"
    raise RuntimeError(seen + f" {{os.getuid()}} {{os.environ.get('SECRET')}}")
"""


@pytest.mark.slow
def test_in_a_container_a_right_submission_has_its_points_too(contained, solved_text):
    run = contained.run({NAME: solved_text}, metadata='{"id": 7}')
    assert run.points == AUTOMATIC
    extra = run.results["extra_data"]
    assert (extra["wall"], extra["submission"]) == ("another user", 7)
    assert 0 < run.results["execution_time"] < 300
    assert run.stdout == f"{gradescope.NO_SANDBOX}\n"


@pytest.mark.slow
def test_in_a_container_a_submission_is_another_user_who_finds_nothing(contained):
    """Everybody could read all of it but for run_autograder, and can read what is beside it."""
    looks = with_cells(submissions.released_notebook(A1), {"nn_forward_pass": LOOKS})
    run = contained.run({NAME: nbformat.writes(looks)})
    said = run.tests["forward_scores"]["output"]
    assert f"raised RuntimeError: RRR-------- {container.STUDENT} None" in said
    assert run.points == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reads_files", "network"])
def test_in_a_container_an_attack_gains_nothing(contained, name):
    places = {"package": contained.place / "site", "port": 9, "course": contained.place}
    attack = {one.name: one for one in attacks.read_all(places)}[name]
    files = {NAME: nbformat.writes(attack.notebook(A1))}
    run = contained.run({**files, **attack.files})
    assert run.points == attack.points
    assert len(run.tests) == 18 and "FOUND" not in json.dumps(run.results)


@pytest.mark.slow
def test_a_container_with_a_sandbox_uses_it(contained, solved_text):
    run = contained.run({NAME: solved_text}, sandbox=True)
    assert run.points == AUTOMATIC and run.results["extra_data"]["wall"] == "namespaces"


@pytest.mark.slow
def test_without_the_user_nothing_runs_and_students_read_a_sentence(contained, solved_text):
    users = contained.place / "passwd"
    before = users.read_text()
    users.write_text(before.replace("student:", "nobody_else:"))
    try:
        run = contained.run({NAME: solved_text})
    finally:
        users.write_text(before)
    assert run.results["output"] == gradescope.FAILED and run.tests == {}
    assert "no user `student`" in run.stdout and "Traceback" not in run.stdout
