"""What an instructor types."""

import webbrowser

import pytest

from autograder.cli import main
from autograder.grading import cluster
from autograder.grading import pipeline as grading
from autograder.marking import server
from tests import submissions
from tests.fixtures import A1


def test_a_report_before_anything_is_graded(linked_course, capsys, said):
    assert main(["release"]) == 0
    capsys.readouterr()
    assert said("report", A1) == (
        f"autograder: {A1}: nothing is graded yet; run `autograder grade {A1}` first.\n"
    )


def test_a_broken_submission_is_reported_and_the_others_are_graded(linked_course, capsys):
    assert main(["release"]) == 0
    path = submissions.submit(linked_course, A1, "broken", submissions.released_notebook(A1))
    path.write_text("{")
    submissions.submit(linked_course, A1, "empty", submissions.released_notebook(A1))
    assert main(["grade", A1, "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert "broken: the notebook could not be read: the file is not JSON" in out
    table = out.split("2 graded in ")[1]
    assert "the notebook could not be read" in " ".join(table.split())
    assert "not written yet" in table


def test_several_assignments_share_their_workers(linked_course, capsys, monkeypatch):
    other, connected = "a2_cifar10_debugging", []
    (linked_course / "source" / other).symlink_to(submissions.ROOT / "source" / other)
    assert main(["release"]) == 0
    for name in (A1, other):
        submissions.submit(linked_course, name, "anna", submissions.released_notebook(name))
    connect, never = cluster.connect, pytest.fail
    monkeypatch.setattr(cluster, "connect", lambda *how: connected.append(how) or connect(*how))
    monkeypatch.setattr(grading, "connect", never)
    assert main(["grade", A1, other, "--workers", "1"]) == 0
    assert len(connected) == 1
    assert capsys.readouterr().out.count("1 graded in ") == 2
    assert main(["report", A1, other]) == 0
    assert {path.stem for path in (linked_course / "report").glob("*.html")} == {A1, other}


@pytest.mark.parametrize("ends", [[], ["--no-browser"]])
def test_marking_shows_its_address_until_ctrl_c(linked_course, capsys, monkeypatch, ends):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)

    async def serve(desk, port, ready):
        assert (desk.seed, desk.marker, port) == (3, "ann", 0) and len(desk.questions) == 3
        ready("http://127.0.0.1:1/?token=t")
        raise KeyboardInterrupt

    monkeypatch.setattr(server, "serve", serve)
    assert main(["mark", A1, "--seed", "3", "--marker", "ann", *ends]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"marking {A1}: http://127.0.0.1:1/?token=t\nCtrl-C ends it.\n")
    assert out.endswith("ended; every mark is in the gradebook.\n")
    assert opened == ([] if ends else ["http://127.0.0.1:1/?token=t"])


def test_marking_an_assignment_that_is_not_there_is_said(linked_course, said):
    assert "did you mean" in said("mark", "a1_two_layer_nets", "--no-browser")
