"""A course folder: where everything is, and one sentence for whatever is not there."""

import logging
import os
import shutil
import sys
import warnings
from pathlib import Path

import pytest
from nbformat.warnings import MissingIDFieldWarning
from sqlalchemy.exc import SAWarning

from autograder.grading.course import CourseError, errors, last_error, open_course, quiet
from tests.worked_example import NAME, hand_in


@pytest.fixture
def course(scratch):
    """A course with no settings, in the folder we are in."""
    return configured(scratch)


def configured(root, *settings):
    text = "\n".join(("c = get_config()", *settings))
    (root / "nbgrader_config.py").write_text(text)
    return open_course(root)


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def sentence(function, *arguments):
    with pytest.raises(CourseError) as caught:
        function(*arguments)
    return str(caught.value)


# Opening


def test_a_folder_without_configuration_is_no_course(tmp_path):
    said = f"{tmp_path.name}/nbgrader_config.py: no such file; run in a course folder."
    assert sentence(open_course, tmp_path) == said


def test_a_folder_that_is_not_there_is_no_course(tmp_path):
    said = "nowhere/nbgrader_config.py: no such file; run in a course folder."
    assert sentence(open_course, tmp_path / "nowhere") == said


def test_the_folder_we_are_in_is_opened_wherever_we_go_then(scratch):
    configured(scratch)
    course = open_course()
    os.chdir("/")
    assert course.root == scratch.resolve()
    assert course.source == scratch / "source"
    assert course.assignment("a0").release == scratch / "release" / "a0"


def test_the_settings_of_the_folder_we_are_in_are_none_of_a_course(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    configured(tmp_path, "c.CourseDirectory.course_id = 'here'")
    another = "c.CourseDirectory.course_id = 'elsewhere'", "c.Limits.cell_seconds = 1"
    configured(tmp_path / "elsewhere", *another)
    monkeypatch.chdir(tmp_path / "elsewhere")
    course = open_course(tmp_path)
    assert course.config.CourseDirectory.course_id == "here"
    assert "cell_seconds" not in course.config.Limits


def test_kernels_find_the_assignments_of_the_course(course):
    assert course.config.Execute.source == str(course.root / "source") == str(course.source)


def test_a_course_may_have_its_assignments_elsewhere_and_say_where_kernels_look(tmp_path):
    settings = "c.CourseDirectory.source_directory = 'mine'", "c.Execute.source = '/theirs'"
    course = configured(tmp_path, *settings)
    assert course.source == tmp_path / "mine"
    assert course.config.Execute.source == "/theirs"


def test_what_a_course_hides_is_where_its_settings_say(tmp_path):
    course = configured(
        tmp_path,
        "c.CourseDirectory.submitted_directory = '/mnt/handed_in'",
        "c.CourseDirectory.db_url = 'sqlite:////mnt/grades.db'",
        "c.Exchange.root = '/mnt/exchange'",
        "c.Execute.hidden = ['/mnt/notes']",
    )
    root, hidden = str(tmp_path), course.config.Execute.hidden
    assert {"/mnt/handed_in", "/mnt/grades.db", "/mnt/exchange", "/mnt/notes"} < set(hidden)
    assert {f"{root}/", f"{root}/source", f"{root}/autograded", f"{root}/feedback"} < set(hidden)


def test_nbgrader_finds_the_programs_beside_the_python_that_runs(course):
    assert os.environ["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_the_gradebook_is_the_course_s_own(example):
    with example.course.gradebook() as book:
        assert [assignment.name for assignment in book.assignments] == [NAME]
        assert book.db.get_bind().url.database == str(example.course.root / "gradebook.db")


# Assignments and their folders


def test_assignments_are_folders_with_a_notebook_of_their_name(course):
    touch(course.root, "source/b1/b1.py", "source/a2/a2.ipynb", "source/a1/a1.py")
    touch(course.root, "source/a1/a1.ipynb", "source/c/other.ipynb", "source/d.ipynb")
    touch(course.root, "source/e/e.txt", "source/.hidden/notes.py")
    assert course.assignments() == ["a1", "a2", "b1"]


def test_a_course_without_a_source_folder_has_no_assignments(course):
    assert course.assignments() == []


def test_each_step_has_its_folder_whether_it_is_there_or_not(course):
    folders = course.assignment("a0")
    found = [folders.source, folders.release, folders.submitted("kim")]
    found += [folders.autograded("kim"), folders.feedback("kim")]
    assert [str(folders.named(path)) for path in found] == [
        "source/a0", "release/a0", "submitted/kim/a0", "autograded/kim/a0", "feedback/kim/a0",
    ]  # fmt: skip
    assert not any(path.exists() for path in found)


def test_folders_are_where_the_configuration_puts_them(tmp_path):
    order = "'{nbgrader_step}/{assignment_id}/{student_id}'"
    course = configured(
        tmp_path, f"c.CourseDirectory.directory_structure = {order}",
        "c.CourseDirectory.submitted_directory = 'in'",
    )  # fmt: skip
    touch(tmp_path, "in/a0/kim/a0.ipynb", "in/a0/ann/a0.ipynb", "in/a1/bob/a1.ipynb")
    folders = course.assignment("a0")
    assert folders.submitted("kim") == tmp_path / "in" / "a0" / "kim"
    assert folders.students() == ["ann", "kim"]


def test_the_instructor_s_notebook_is_found(course):
    touch(course.root, "source/a0/a0.ipynb")
    assert course.assignment("a0").notebook() == course.root / "source" / "a0" / "a0.ipynb"


@pytest.mark.parametrize(
    ("there", "known"),
    [
        ([], "none"),
        (["source/a1/a1.py", "source/a2/a2.ipynb"], "a1, a2"),
        (["source/a0/a0.py"], "a0"),
    ],
)
def test_without_its_notebook_an_assignment_is_named_among_those_there_are(there, known, course):
    touch(course.root, *there)
    said = sentence(course.assignment("a0").notebook)
    assert said == f"source/a0/a0.ipynb: no such notebook; there are {known}."


def test_students_are_those_with_a_folder_in_order(course):
    touch(course.root, "submitted/kim/a0/a0.ipynb", "submitted/kim/a1/a1.ipynb")
    touch(course.root, "submitted/ann/a0/notes.txt", "submitted/bob/a1/a1.ipynb")
    touch(course.root, "submitted/cyd/a0", "submitted/a0/a0.ipynb")
    (course.root / "submitted" / "[dan] é" / "a0").mkdir(parents=True)
    assert course.assignment("a0").students() == ["[dan] é", "ann", "kim"]


LEFT_OUT = (
    ("kim/A1_two_layer_net/a1.ipynb", "it holds A1_two_layer_net; did you mean a1_two_layer_net?"),
    ("kim/a1_two_layer_net (1)/a.ipynb", "it holds a1_two_layer_net (1); did you mean a1"),
    ("kim/a1.ipynb", "put its files into a folder a1_two_layer_net inside it"),
    ("kim/all.zip", "put its files into a folder"),
    ("kim/notes/x.txt", "no folder a1_two_layer_net inside it"),
    ("kim/.DS_Store", "an empty folder"),
    ("kim.ipynb", "not a folder"),
    ("k\udcff\udce9m/a1_two_layer_net/a.ipynb", "its name is not UTF-8; rename it"),
)


@pytest.mark.parametrize(("there", "why"), LEFT_OUT)
def test_what_lies_among_submissions_and_is_none_is_said(there, why, course):
    touch(
        course.root, f"submitted/{there}", "submitted/ann/a1_two_layer_net/a1_two_layer_net.ipynb"
    )
    touch(course.root, "source/a1_two_layer_net/a1_two_layer_net.py")
    a1 = course.assignment("a1_two_layer_net")
    assert a1.students() == ["ann"]
    assert (
        a1.left_out().startswith("submitted/: 1 entry was not graded: k") and why in a1.left_out()
    )
    shutil.rmtree(course.root / "submitted" / "ann")
    assert "there are no submissions" in sentence(a1.students) and why in sentence(a1.students)


def test_who_handed_in_another_assignment_is_not_missed(course):
    touch(course.root, "source/a0/a0.py", "source/a1/a1.py", "submitted/kim/a1/a1.ipynb")
    touch(course.root, "submitted/.DS_Store", "submitted/Thumbs.db", "submitted/__MACOSX/._kim")
    touch(course.root, "submitted/list.csv", "submitted/ann/a0/a0.ipynb")
    assert course.assignment("a0").left_out() == ""


def test_of_many_that_are_left_out_ten_are_named(course):
    touch(course.root, "source/a0/a0.py", *(f"submitted/{n:02}/x.txt" for n in range(12)))
    said = course.assignment("a0").left_out()
    assert said.startswith("submitted/: 12 entries were not graded: 00 (")
    assert said.endswith("09 (no folder a0 inside it), and 2 more.") and "\n" not in said


def test_without_submissions_it_says_where_to_put_them(course):
    assert sentence(course.assignment("a0").students) == (
        "submitted/*/a0: there are no submissions; put one folder per student there."
    )


@pytest.mark.parametrize("name", ["../source", "/etc", "..", ".", "", "a/b", "a\\b", "a\0b"])
def test_a_path_is_not_taken_for_a_name(name, course):
    for use in (course.assignment, course.assignment("a0").submitted):
        assert "is not the name of a" in sentence(lambda use=use: use(name))


def test_before_its_release_the_gradebook_does_not_know_an_assignment(example):
    assert sentence(example.course.assignment("a1").require_release) == (
        "a1: the gradebook does not know this assignment; run `autograder release a1` first."
    )


def test_after_its_release_it_does(example):
    hand_in(example, "kim")
    assert example.require_release() is None
    assert (example.name, example.students()) == (NAME, ["kim"])


# What nbgrader says


def test_warnings_that_tell_nothing_are_hidden_and_others_are_not():
    log = logging.getLogger("tornado.application")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with quiet():
            assert log.disabled
            warnings.warn("no id", MissingIDFieldWarning, stacklevel=1)
            warnings.warn("no row", SAWarning, stacklevel=1)
            warnings.warn("told", UserWarning, stacklevel=1)
        warnings.warn("after", SAWarning, stacklevel=1)
    assert [str(one.message) for one in caught] == ["told", "after"]
    assert not log.disabled


def test_an_error_is_passed_on_and_what_was_hidden_is_seen_again():
    with pytest.raises(ValueError, match="bad"), quiet():
        raise ValueError("bad")
    assert not logging.getLogger("tornado.application").disabled


LOG = """\
[INFO] Converting notebook source/a0/a0.ipynb
[ERROR] There was an error processing assignment: source/a0
[ERROR] Traceback (most recent call last):
      File "base.py", line 7, in convert
    nbformat.reader.NotJSONError: Notebook does not appear to be JSON
    Note that: this is no error
[ERROR] There was an error processing assignment 'a0' for student '.'
"""
TRACEBACK = """\
Traceback (most recent call last):
nbgrader.converters.base.NbGraderException: Please see the the above traceback
"""


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (
            {"log": LOG, "error": TRACEBACK},
            "nbformat.reader.NotJSONError: Notebook does not appear to be JSON",
        ),
        ({"log": LOG.replace("NotJSONError", "Cause")}, LOG.splitlines()[1]),
        ({"error": TRACEBACK}, TRACEBACK.splitlines()[1]),
        ({"error": "  CasesNotFound: a0"}, "CasesNotFound: a0"),
        ({"error": "AssertionError"}, "AssertionError"),
        ({"log": "[INFO] all is well\n[WARNING] nearly"}, "nbgrader failed and logged no error."),
        ({"log": "", "error": ""}, "nbgrader failed and logged no error."),
        ({"success": False}, "nbgrader failed and logged no error."),
    ],
)
def test_of_what_was_logged_the_most_telling_line_is_said(result, line):
    assert last_error(result) == line


def test_exceptions_come_before_what_only_says_that_there_was_one():
    found = list(errors({"log": LOG, "error": TRACEBACK}))
    assert [line.split(":")[0].split(".")[-1] for line in found[:2]] == [
        "NotJSONError",
        "NbGraderException",
    ]
    assert found[2:] == [line for line in LOG.splitlines() if line.startswith("[ERROR]")]
