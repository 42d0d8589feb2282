"""nbgrader as a judge's court: what it releases, what it reads, what it shows."""

import json
import logging
import os
import shutil
import subprocess
import sys
import warnings
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader import preprocessors as nbgrader
from nbgrader.plugins import FileNameCollectorPlugin
from nbgrader.server_extensions.formgrader.apihandlers import AssignHandler
from nbgrader.server_extensions.formgrader.formgrader import FormgradeExtension
from traitlets.config import Config

from autograder.authoring.release import release
from autograder.grading.course import open_course, quiet
from autograder.grading.execute import Execute
from autograder.grading.nbgrader_plugins import Judge, SaveGrades, configure
from autograder.grading.notebooks import VERDICT_MIME, grade_id
from autograder.grading.prepare import load_assignment
from autograder.grading.sanitize import SanitizeSubmission
from autograder.notebook.cases import CasesNotFound
from autograder.reports.results import collect
from tests.fixtures import scores
from tests.worked_example import CHECK, MISTAKEN, NAME, RIGHT, executed, grade, hand_in

STRAY = (
    "notes.txt", "Untitled.ipynb", "data/b.ipynb", "submissions/kim.ipynb", "references (1).pt",
    "figures/draft.svg", ".hidden", ".ipynb_checkpoints/a.txt", "tests/test_it.py", "a[0].txt",
)  # fmt: skip
NAMED = {"helpers.py", "figures/net.png"}
SHOWS_ALL_FILES = """
import os
for parent, _, names in os.walk("."):
    for name in names:
        print(f"saw {os.path.relpath(os.path.join(parent, name))}")
"""


@pytest.fixture
def strewn(example):
    """The folders of the example, in which its author left files, and named two of them."""
    for name in (*STRAY, *NAMED):
        (example.source / name).parent.mkdir(parents=True, exist_ok=True)
        (example.source / name).write_text("{}" if name.endswith(".ipynb") else name)
    (example.source / "link.txt").symlink_to(example.source / "references.safetensors")
    (example.source / "linked").symlink_to(example.source / "checks")
    return named(example, *NAMED, "figures/*.png")


def named(folders, *patterns):
    """Name files to be released. Returns the folders in the course as it is then."""
    with (folders.course.root / "nbgrader_config.py").open("a") as file:
        file.write(f"\nc.Release.include = {list(patterns)}\n")
    return open_course(folders.course.root).assignment(NAME)


def inside(folder):
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {path.relative_to(folder).as_posix() for path in found}


def program(folders, *arguments):
    """Run nbgrader's own program."""
    command = [sys.executable, "-m", "nbgrader", *arguments]
    done = subprocess.run(command, cwd=folders.course.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


class Click(SimpleNamespace):
    """What nbgrader's handler has when somebody clicks: its interface, and whom it answers."""

    api = AssignHandler.api


@pytest.fixture
def formgrader(strewn, monkeypatch):
    """Return a function that clicks on the button of a formgrader which runs all the while."""
    monkeypatch.chdir(strewn.course.root)
    extension, answers = FormgradeExtension(), []
    extension.root_dir = str(strewn.course.root)
    extension.initialize([])
    handler = Click(
        coursedir=extension.coursedir, authenticator=extension.authenticator, current_user="kim",
        xsrf_token="", settings={"nbgrader_bad_setup": False}, write=answers.append,
        log=logging.getLogger("formgrader"),
    )  # fmt: skip

    def click():
        AssignHandler.post(handler, NAME)
        assert json.loads(answers[-1])["success"], answers[-1]
        return inside(strewn.release)

    return click


# What is released


def test_our_command_releases_the_notebook_and_what_its_author_named(strewn):
    shutil.rmtree(strewn.release)
    assert inside(release(strewn)) == {f"{NAME}.ipynb", *NAMED}


def test_nbgrader_s_program_releases_the_same(strewn):
    shutil.rmtree(strewn.release)
    program(strewn, "generate_assignment", NAME)
    assert inside(strewn.release) == {f"{NAME}.ipynb", *NAMED}
    assert "BEGIN SOLUTION" not in (strewn.release / f"{NAME}.ipynb").read_text()


def test_the_formgrader_s_button_releases_the_same(strewn, formgrader):
    shutil.rmtree(strewn.release)
    assert formgrader() == {f"{NAME}.ipynb", *NAMED}


def test_the_next_click_releases_what_was_named_meanwhile_and_no_more(strewn, formgrader):
    formgrader()
    (strewn.source / "later.txt").write_text("left here between two clicks")
    named(strewn, "notes.txt", "figures/*.svg")
    assert formgrader() == {f"{NAME}.ipynb", "notes.txt", "figures/draft.svg"}


def test_a_second_notebook_is_released_if_it_is_named(example):
    second = new_notebook(cells=[new_code_cell("x = 1")])
    nbformat.write(second, example.source / "second.ipynb")
    for patterns, expected in (((), set()), (("second.ipynb",), {"second.ipynb"})):
        folders = named(example, *patterns)
        assert inside(release(folders)) == {f"{NAME}.ipynb", *expected}


def test_a_notebook_that_is_gone_is_named(example):
    example.notebook().rename(example.source / "other.ipynb")
    result = example.course.api.generate_assignment(NAME)
    assert not result["success"]
    assert f"CourseError: {NAME}/{NAME}.ipynb: no such notebook." in result["error"]


# What is read of a submission


@pytest.fixture
def autograde(monkeypatch):
    """Return a function that lets nbgrader autograde a student, without a kernel."""

    def run(folders, student="kim"):
        challenge = load_assignment(folders).challenge
        execute = lambda self, nb, resources: (executed(nb, challenge), resources)  # noqa: E731
        monkeypatch.setattr(Execute, "__call__", execute)
        with quiet():
            return folders.course.api.autograde(NAME, student)

    return run


def beside(folders, name, text="theirs"):
    path = folders.submitted("kim") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_nbgrader_gives_the_points_that_we_give(example, autograde):
    for student, solution in (("kim", RIGHT), ("bob", MISTAKEN)):
        hand_in(example, student, solution)
        assert autograde(example, student)["success"]
    theirs = scores(example.course, NAME)
    grade(example)
    assert scores(example.course, NAME) == theirs == {"kim": {CHECK: 5}, "bob": {CHECK: 2.5}}


def test_what_nobody_named_is_in_no_graded_folder_and_what_is_named_is(strewn, autograde):
    release(strewn)
    hand_in(strewn, "kim", RIGHT)
    beside(strewn, "mine.txt")
    beside(strewn, "helpers.py")
    assert autograde(strewn)["success"]
    graded = strewn.autograded("kim")
    assert inside(graded) == {f"{NAME}.ipynb", "mine.txt", *NAMED}
    assert (graded / "helpers.py").read_text() == "helpers.py"


def test_a_kernel_sees_what_was_named_and_what_was_handed_in(strewn):
    release(strewn)
    hand_in(strewn, "kim", RIGHT + SHOWS_ALL_FILES)
    beside(strewn, "mine.txt")
    program(strewn, "autograde", NAME)
    graded = nbformat.read(strewn.autograded("kim") / f"{NAME}.ipynb", 4)
    (cell,) = (one for one in graded.cells if grade_id(one) == "squared_error")
    seen = set(cell.outputs[0].text.split("saw ")[1:])
    assert {name.strip() for name in seen} == {".challenge.safetensors", "mine.txt", *NAMED}
    assert scores(strewn.course, NAME) == {"kim": {CHECK: 5}}


def test_what_a_link_points_to_is_not_copied(example, autograde, tmp_path):
    hand_in(example, "kim", RIGHT)
    folder = example.submitted("kim")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("secret")
    (folder / "link").symlink_to(example.source / "references.safetensors")
    (folder / "[a] link").symlink_to(example.source / "references.safetensors")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "broken").symlink_to("nowhere")
    os.mkfifo(folder / "fifo")
    assert autograde(example)["success"]
    assert inside(example.autograded("kim")) == {f"{NAME}.ipynb"}


def test_a_notebook_by_another_name_is_graded_and_others_are_not_copied(example, autograde):
    path = hand_in(example, "kim", RIGHT)
    path.rename(path.with_name("mine.ipynb"))
    beside(example, "deep/other.ipynb", "{}")
    assert autograde(example)["success"]
    assert inside(example.autograded("kim")) == {f"{NAME}.ipynb"}
    text = (example.autograded("kim") / f"{NAME}.ipynb").read_text()
    assert "handed in as mine.ipynb, the most like the release of 2 notebooks; it is" in text
    assert scores(example.course, NAME) == {"kim": {CHECK: 5}}


def test_without_a_student_version_nbgrader_s_log_says_what_to_do(example):
    hand_in(example, "kim", RIGHT)
    (example.release / f"{NAME}.ipynb").unlink()
    with quiet():
        result = example.course.api.autograde(NAME, "kim")
    assert not result["success"]
    assert (
        f"CourseError: assignments/{NAME}/{NAME}.ipynb: there is no student version; "
        f"run `autograder release {NAME}`."
    ) in result["log"]


# Graded again


def again(folders):
    """Autograde as formgrader's button does."""
    with quiet():
        return folders.course.api.autograde(NAME, "kim", force=True)


def test_a_graded_version_that_cannot_be_replaced_stays(example, autograde, monkeypatch):
    hand_in(example, "kim", RIGHT)
    assert autograde(example)["success"]
    graded = example.autograded("kim")
    before = {path.name: path.read_bytes() for path in graded.iterdir()}

    def fails(self, nb, resources):
        raise RuntimeError("no kernel today")

    monkeypatch.setattr(Execute, "__call__", fails)
    assert not again(example)["success"]
    assert {path.name: path.read_bytes() for path in graded.iterdir()} == before
    assert [path.name for path in graded.parent.iterdir()] == [NAME]


@pytest.mark.parametrize("half_made", [False, True])
def test_a_version_that_a_killed_run_put_aside_is_back(example, autograde, half_made):
    hand_in(example, "kim", RIGHT)
    assert autograde(example)["success"]
    graded = example.autograded("kim")
    before = {path.name: path.read_bytes() for path in graded.iterdir()}
    graded.rename(graded.with_name(f".{NAME}.before"))
    if half_made:
        graded.mkdir()
        (graded / f"{NAME}.ipynb").write_text("{}")
        graded.with_name(f".{NAME}.copying").mkdir()
    with quiet():
        assert example.course.api.autograde(NAME, "kim", force=False)["success"]
    assert [path.name for path in graded.parent.iterdir()] == [NAME]
    assert {path.name: path.read_bytes() for path in graded.iterdir()} == before


OTHER_WAY = RIGHT.replace("sum(1)", "sum(dim=1)")  # another answer of the same score


@pytest.mark.parametrize(
    "submission, flagged", [(RIGHT, False), (MISTAKEN, True), (OTHER_WAY, True)]
)
def test_a_score_given_by_hand_is_flagged_if_what_it_was_given_for_changed(
    example, autograde, submission, flagged
):
    hand_in(example, "kim", RIGHT)
    assert autograde(example)["success"]
    with example.course.gradebook() as book:
        book.find_grade(CHECK, NAME, NAME, "kim").manual_score = 4.0
        book.db.commit()
    hand_in(example, "kim", submission)
    assert again(example)["success"]
    with example.course.gradebook() as book:
        found = book.find_grade(CHECK, NAME, NAME, "kim")
        assert (found.score, found.needs_manual_grade) == (4.0, flagged)


# The judge


def run_cells(example):
    return executed(nbformat.read(example.notebook(), 4), load_assignment(example).challenge)


def test_the_judge_replaces_what_a_check_shows_by_a_verdict(example):
    notebook, _ = Judge().preprocess(run_cells(example), {"source": example.source})
    (output,) = next(cell for cell in notebook.cells if grade_id(cell) == CHECK).outputs
    assert output.data[VERDICT_MIME]["points"] == 5


def test_a_judge_without_references_stops_the_grading(example, tmp_path):
    notebook = run_cells(example)
    with pytest.raises(CasesNotFound, match=r"nowhere/references\.safetensors: no such file; rec"):
        Judge().preprocess(notebook, {"source": tmp_path / "nowhere"})


# Where they stand


@pytest.fixture
def configured():
    c = Config()
    configure(c)
    return c


def test_the_judge_stands_between_execution_and_the_gradebook(configured):
    steps = configured.Autograde.autograde_preprocessors
    assert steps[:2] == [Execute, Judge]
    assert steps.index(SaveGrades) < steps.index(nbgrader.AssignLatePenalties)
    assert nbgrader.Execute not in steps


def test_pages_are_sanitized_and_hidden_tests_cleared_from_feedback(configured):
    assert configured.HTMLExporter.preprocessors == [SanitizeSubmission]
    assert nbgrader.ClearHiddenTests in configured.GenerateFeedback.preprocessors


@pytest.mark.parametrize("directory", [None, "handouts"])
def test_nbgrader_asks_for_the_released_notebooks_whatever_was_handed_in(directory, scratch):
    c = Config()
    if directory:
        c.CourseDirectory.release_directory = directory
    configure(c)
    released = scratch / (directory or "release") / "a0"
    found = ["/in/kim/a0/mine.ipynb", "/in/kim/a0/scratch.ipynb"]
    c.Autograde.pre_convert_hook(assignment="a0", student="kim", notebooks=found)
    assert len(found) == 2  # nothing is released: what was handed in is all there is
    released.mkdir(parents=True)
    for name in ("second.ipynb", "a0.ipynb", "helpers.py"):
        (released / name).touch()
    c.Autograde.pre_convert_hook(assignment="a0", student="kim", notebooks=found)
    assert found == ["/in/kim/a0/a0.ipynb", "/in/kim/a0/second.ipynb"]


def test_feedback_has_the_verdicts_and_no_hidden_test(example):
    hand_in(example, "bob", MISTAKEN)
    grade(example)
    with warnings.catch_warnings(action="ignore"):  # nbconvert's
        assert example.course.api.generate_feedback(NAME)["success"]
    page = (example.feedback("bob") / f"{NAME}.html").read_text()
    ((bob,),) = (collect(example).students,)
    assert bob.checks[CHECK].hint in page
    assert f"{CHECK}: 2.5 of 5 points" in page
    assert "check.hidden" not in page
    assert "HIDDEN TESTS" not in page


# nbgrader's own way of collecting


@pytest.mark.parametrize(("path", "student", "file"), [
    ("/d/Jane Doe_657737_assignsubmission_file/a1.ipynb", "Jane Doe", "a1"),
    ("/d/Jane Doe_657737_assignsubmission_file_/a1.ipynb", "Jane Doe", "a1"),
    ("/d/Jane Doe_657737_assignsubmission_file_net_1.safetensors", "Jane Doe", "net_1"),
    ("/d/doejane_LATE_48213_771_a1-1.ipynb", "doejane", "a1-1"),
    ("/d/doejane_48213_771_faces_net.safetensors", "doejane", "faces_net"),
    ("/d/a1.ipynb", None, None),
])  # fmt: skip
def test_nbgrader_zip_collect_knows_moodle_and_canvas(path, student, file):
    configure(config := Config())
    found = FileNameCollectorPlugin(config=config).collect(path) or {}
    assert (found.get("student_id"), found.get("file_id")) == (student, file)
