"""Fixtures shared by the tests: courses laid out and graded once a session."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest
import requests

from autograder import assignments
from autograder.authoring.release import release
from autograder.cli import main
from autograder.grading import pipeline as grading
from autograder.grading.course import AssignmentFolders, Course, open_course
from tests import submissions, worked_example

A1 = "a1_two_layer_net"
REAL_DATA = submissions.ROOT.parent / "shared" / "data"  # of whoever develops this course


@pytest.fixture(autouse=True)
def assignments_of_this_clone() -> Iterator[None]:
    """Let no test leave the assignments of another course behind."""
    yield
    assignments.use(submissions.ROOT / "source")


@pytest.fixture(scope="session")
def course_of(tmp_path_factory):
    """Return a function that lays out and releases a course folder with given notebooks.

    `artifacts` are the files that a student handed in with the notebook.
    """

    def build(notebooks, name="course", assignment=A1, artifacts=None) -> Course:
        root = tmp_path_factory.mktemp(name)
        (root / "source").mkdir()
        (root / "source" / assignment).symlink_to(submissions.ROOT / "source" / assignment)
        (root / "nbgrader_config.py").symlink_to(submissions.ROOT / "nbgrader_config.py")
        for student, notebook in notebooks.items():
            submissions.submit(root, assignment, student, notebook, (artifacts or {}).get(student))
        course = open_course(root)
        release(course.assignment(assignment))
        return course

    return build


@pytest.fixture(scope="session")
def released_example(tmp_path_factory) -> Path:
    """A course with the worked example, which is recorded and released."""
    root = tmp_path_factory.mktemp("example")
    worked_example.released(root)
    return root


@pytest.fixture
def example(released_example, tmp_path) -> AssignmentFolders:
    """The folders of the worked example in such a course, which is the test's own."""
    shutil.copytree(released_example, tmp_path / "course")
    return open_course(tmp_path / "course").assignment(worked_example.NAME)


@pytest.fixture
def linked_course(tmp_path, monkeypatch) -> Path:
    """A course with a1, which is not released; the current folder."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / A1).symlink_to(submissions.ROOT / "source" / A1)
    (tmp_path / "nbgrader_config.py").symlink_to(submissions.ROOT / "nbgrader_config.py")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def said(capsys):
    """Return a function that runs a command which fails, and returns its sentence."""

    def run(*arguments: str) -> str:
        capsys.readouterr()
        assert main(arguments) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err

    return run


def grade_all(course: Course, assignment: str = A1) -> dict[str, str]:
    """Grade a class by our own pipeline. Returns errors by student."""
    return {graded.student: graded.error for graded in grading.grade(course.assignment(assignment))}


def scores(course: Course, assignment: str = A1) -> dict[str, dict[str, float | None]]:
    """Read every automatic score from the gradebook, by student and check."""
    with course.gradebook() as gradebook:
        return {
            submission.student.id: {
                grade.name: grade.auto_score
                for notebook in submission.notebooks
                for grade in notebook.grades
            }
            for submission in gradebook.assignment_submissions(assignment)
        }


@pytest.fixture(scope="session")
def solved():
    return submissions.source_notebook(A1)


@pytest.fixture
def scratch(tmp_path, monkeypatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path


@pytest.fixture
def deepen():
    """Return a function that puts folders in each other, deeper than Python calls functions."""
    deepened = []

    def put(folder: Path):
        deepened.append(folder / "d")
        inmost = str(folder) + (sys.getrecursionlimit() + 50) * "/d"
        subprocess.run(["mkdir", "-p", inmost], check=True)

    yield put
    subprocess.run(["rm", "-rf", *deepened], check=True)  # shutil.rmtree could not


@pytest.fixture
def small_disk(tmp_path):
    """Return a function that puts a small disk at a place, and one that makes it large."""
    mounted = []

    def put(place: Path, size: str):
        place.mkdir(parents=True, exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place]
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("only root can mount a small disk")
        mounted.append(place)

    yield put
    for place in mounted:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def no_network(monkeypatch):
    """No address answers, and no client has a registry to ask."""

    def refuse(*_, **__):
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "get", refuse)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.fixture
def client_answers():
    """Return a function that skips a test unless a command succeeds: a registry's client."""

    def require(*command: str) -> None:
        found = shutil.which(command[0])
        if not found or subprocess.run(command, capture_output=True, timeout=120).returncode:
            pytest.skip(f"{' '.join(command)} does not answer")

    return require


@pytest.fixture
def drawn(monkeypatch):
    """Collect the figures that are shown."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figures = []
    monkeypatch.setattr(plt, "show", lambda: figures.append(plt.gcf()))
    yield figures
    plt.close("all")


@pytest.fixture
def git(example):
    """Return a function that runs git in the folder of the worked example, a repository now."""

    def run(*command):
        who = "-c", "user.name=a", "-c", "user.email=a@b"
        subprocess.run(["git", "-C", example.course.root, *who, *command], check=True,
                       capture_output=True)  # fmt: skip

    run("init")
    return run
