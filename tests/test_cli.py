"""What the command says when something is missing: one sentence with the place and the remedy."""

import shutil

import pytest

from autograder.cli import main
from autograder.grading import cluster
from autograder.grading import pipeline as grading
from tests import submissions
from tests.fixtures import A1


@pytest.fixture
def course(tmp_path, monkeypatch):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / A1).symlink_to(submissions.ROOT / "source" / A1)
    (tmp_path / "nbgrader_config.py").symlink_to(submissions.ROOT / "nbgrader_config.py")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys, *arguments) -> str:
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_a_folder_that_is_no_course(scratch, capsys):
    assert said(capsys, "release") == (
        f"autograder: {scratch.name}/nbgrader_config.py: no such file; run in a course folder.\n"
    )


def test_an_unknown_assignment(course, capsys):
    assert said(capsys, "release", "a0_nothing") == (
        f"autograder: source/a0_nothing/a0_nothing.ipynb: no such notebook; there are {A1}.\n"
    )


def test_grading_without_submissions(course, capsys):
    assert said(capsys, "grade", A1) == (
        f"autograder: submitted/*/{A1}: there are no submissions; put one folder a student there.\n"
    )


def test_grading_before_the_release(course, capsys):
    submissions.submit(course, A1, "kim", submissions.released_notebook(A1))
    assert said(capsys, "grade", A1).startswith(
        f"autograder: {A1}: the gradebook does not know this assignment; run `autograder release"
    )


def test_a_report_before_anything_is_graded(course, capsys):
    assert main(["release"]) == 0
    capsys.readouterr()
    assert said(capsys, "report", A1) == (
        f"autograder: {A1}: nothing is graded yet; run `autograder grade {A1}` first.\n"
    )


def test_a_broken_source_notebook_is_named(course, capsys):
    folder = course / "source" / A1
    folder.unlink()
    folder.mkdir()
    text = (submissions.ROOT / "source" / A1 / f"{A1}.ipynb").read_text()
    (folder / f"{A1}.ipynb").write_text(text.replace("    ### END SOLUTION", "", 1))
    assert said(capsys, "release") == (
        f"autograder: source/{A1}/{A1}.ipynb, cell 9 (nn_forward_pass): "
        "BEGIN SOLUTION and END SOLUTION do not match.\n"
    )


def test_a_broken_submission_is_reported_and_the_others_are_graded(course, capsys):
    assert main(["release"]) == 0
    path = submissions.submit(course, A1, "broken", submissions.released_notebook(A1))
    path.write_text("{")
    submissions.submit(course, A1, "empty", submissions.released_notebook(A1))
    assert main(["grade", A1, "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert "broken: the notebook could not be read: the file is not JSON" in out
    table = out.split("2 graded in ")[1]
    assert "the notebook could not be read" in " ".join(table.split())
    assert "not written yet" in table


def test_several_assignments_share_their_workers(course, capsys, monkeypatch):
    other, connected = "a2_cifar10_debugging", []
    (course / "source" / other).symlink_to(submissions.ROOT / "source" / other)
    assert main(["release"]) == 0
    for name in (A1, other):
        submissions.submit(course, name, "anna", submissions.released_notebook(name))
    connect, never = cluster.connect, pytest.fail
    monkeypatch.setattr(cluster, "connect", lambda *how: connected.append(how) or connect(*how))
    monkeypatch.setattr(grading, "connect", never)
    assert main(["grade", A1, other, "--workers", "1"]) == 0
    assert len(connected) == 1
    assert capsys.readouterr().out.count("1 graded in ") == 2
    assert main(["report", A1, other]) == 0
    assert {path.stem for path in (course / "report").glob("*.html")} == {A1, other}


def test_sync_writes_the_notebook_from_its_py(course):
    folder = course / "source" / A1
    folder.unlink()
    shutil.copytree(submissions.ROOT / "source" / A1, folder)
    before = (folder / f"{A1}.ipynb").read_bytes()
    assert main(["sync"]) == 0
    assert (folder / f"{A1}.ipynb").read_bytes() == before


def test_no_solution_is_released_whatever_the_assignment_is_called(course):
    """What nobody named stays at home; what an author names goes along."""
    folder = course / "source" / "cnn_basics"
    shutil.copytree(submissions.ROOT / "source" / A1, folder)
    for end in ("py", "ipynb"):
        (folder / f"{A1}.{end}").rename(folder / f"cnn_basics.{end}")
    for name in ("helpers.py", "notes.txt", "figures/net.png", "figures/draft.svg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("")
    config = course / "nbgrader_config.py"
    text = config.read_text() + 'c.Release.include = ["helpers.py", "figures/*.png"]\n'
    config.unlink()
    config.write_text(text)
    assert main(["release", "cnn_basics"]) == 0
    target = course / "assignments" / "cnn_basics"
    released = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert released == {"cnn_basics.ipynb", "helpers.py", "figures/net.png"}


def test_markup_in_a_reason_is_no_markup(course, capsys):
    assert main(["release"]) == 0
    path = submissions.submit(course, A1, "markup", submissions.released_notebook(A1))
    path.rename(path.with_name("[red] markup.ipynb"))
    assert main(["grade", A1, "--workers", "1"]) == 0
    assert "handed in as [red] markup.ipynb" in capsys.readouterr().out


def test_a_broken_student_version_is_named(course, capsys):
    assert main(["release"]) == 0
    submissions.submit(course, A1, "anna", submissions.released_notebook(A1))
    (course / "assignments" / A1 / f"{A1}.ipynb").write_text("{")
    capsys.readouterr()
    assert said(capsys, "grade", A1) == (
        f"autograder: assignments/{A1}/{A1}.ipynb: this student version is not a notebook "
        f"(NotJSONError); run `autograder release {A1}`.\n"
    )


@pytest.mark.parametrize("arguments", [[], ["--no-sandbox"]])
def test_references_are_recorded_without_a_sandbox_only_if_that_is_asked_for(
    arguments, course, capsys, monkeypatch
):
    seen = []

    def outcomes_of(notebook, challenge, config, artifacts):
        seen.append(config.Execute.get("sandbox", True))
        raise KeyboardInterrupt

    monkeypatch.setattr("autograder.authoring.record.outcomes_of", outcomes_of)
    assert main(["reference", A1, *arguments]) == 130
    assert seen == [not arguments]


def test_references_of_an_assignment_without_real_data_are_not_recorded_with_it(course, capsys):
    assert said(capsys, "reference", A1, "--real") == (
        f"autograder: {A1} has no cases of real data; leave out --real.\n"
    )
