"""What the command says when something is missing: one sentence with the place and the remedy."""

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
