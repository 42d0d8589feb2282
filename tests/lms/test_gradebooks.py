"""Grades in the files that Canvas, Moodle and Blackboard import: only what they let one change."""

import csv
import io

import pytest

from autograder.cli import main
from autograder.lms.gradebooks import Grades, fill
from autograder.lms.roster import RosterUnreadable
from tests import worked_example
from tests.lms.test_roster import CANVAS, MOODLE
from tests.worked_example import MISTAKEN, NAME, RIGHT

BLACKBOARD = (
    '"Last Name"\t"First Name"\t"Username"\t"Student ID"\t"a1 [Total Pts: 50 Score] |77"\n'
    '"Doe"\t"Jane"\t"jdoe"\t"u1001"\t""\n"Díaz"\t"José"\t"jdiaz"\t"u1002"\t"12"\n'
)
OF_CANVAS = Grades("a1", 100.0, {"jdoe": 87.5, "late": 3.0})


@pytest.fixture
def filled(tmp_path):
    def run(text, grades, encoding="utf-8-sig", **how):
        path = tmp_path / "export.csv"
        path.write_bytes(text.encode(encoding))
        return fill(path, grades, **how)

    return run


def rows(done, delimiter=","):
    return list(csv.DictReader(io.StringIO(done.text), delimiter=delimiter))


def test_canvas_gets_its_own_columns_the_maximum_and_the_points_and_nothing_it_would_refuse(filled):
    done = filled(CANVAS, OF_CANVAS)
    assert (done.system, done.column, done.filled) == ("canvas", "a1 (771)", ["jdoe"])
    found = rows(done)
    assert list(found[0]) == [
        "Student", "ID", "SIS User ID", "SIS Login ID", "Section", "a1 (771)",
    ]  # fmt: skip
    by_login = {row["SIS Login ID"]: row["a1 (771)"] for row in found if row["ID"]}
    assert by_login == {"jdoe": "87.5", "jdiaz": "", "3f2a": ""}
    assert next(r for r in found if "Points Possible" in r["Student"])["a1 (771)"] == "100"
    assert done.without_grade == ["jdiaz", "3f2a"] and done.not_there == ["late"]
    assert found[2]["Student"] == "Doe, Jane" and found[2]["Section"] == "Monday"


def test_a_column_that_canvas_does_not_know_becomes_an_assignment(filled):
    done = filled(CANVAS, Grades("a2", 10.0, {"jdoe": 9.0}))
    assert done.column == "a2" and rows(done)[2]["a2"] == "9"
    assert "a1 (771)" not in rows(done)[0]


def test_moodle_s_worksheet_is_whole_and_the_grade_is_of_moodle_s_maximum(filled):
    text = MOODLE.replace(",Grade,", ",Grade,Maximum Grade,").replace(",,", ",,20.00,", 2)
    done = filled(text, Grades("a1", 100.0, {"u1001": 87.5}))
    jane, jose = rows(done)
    assert list(jane) == text.splitlines()[0].split(",")
    assert jane["Identifier"] == "Participant 657737" and jane["Grade"] == "17.5"
    assert jane["Last modified (submission)"] == "Friday, 27 November 2026, 10:21 PM"
    assert jose["Grade"] == "" and done.without_grade == ["u1002"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_blackboard_s_tabs_stay_tabs_and_a_grade_that_nobody_changed_stays(filled, encoding):
    done = filled(BLACKBOARD, Grades("a1", 50.0, {"jdoe": 40.0}), encoding=encoding)
    assert done.system == "blackboard"
    assert [row["a1 [Total Pts: 50 Score] |77"] for row in rows(done, "\t")] == ["40", "12"]


def test_filling_again_changes_nothing(filled):
    once = filled(CANVAS, OF_CANVAS).text
    assert filled(once, OF_CANVAS).text == once


@pytest.mark.parametrize(("text", "how", "said"), [
    ("a,b\n1,2\n", {}, "neither Canvas's gradebook, nor Moodle's"),
    (BLACKBOARD, {"grades": Grades("a9", 1.0, {})}, "no columns begin with a9; name the one"),
    (CANVAS.replace("Current Score", "a1 again"), {}, "2 columns begin with a1"),
    (CANVAS, {"named": "matriculation"}, "name one with --id"),
])  # fmt: skip
def test_what_cannot_be_filled_is_a_sentence(filled, text, how, said):
    with pytest.raises(RosterUnreadable, match=said):
        filled(text, how.pop("grades", OF_CANVAS), **how)


def test_the_command_writes_a_file_beside_and_says_who_is_missing(
    example, tmp_path, capsys, monkeypatch
):
    for student, solution in (("jdoe", MISTAKEN), ("eve", RIGHT)):
        worked_example.hand_in(example, student, solution)
    assert set(worked_example.grade(example).values()) == {""}
    monkeypatch.chdir(example.course.root)
    (tmp_path / "canvas.csv").write_text(CANVAS)
    assert main(["export", NAME, str(tmp_path / "canvas.csv"), "--column", "a1 (771)"]) == 0
    said = capsys.readouterr()
    path = tmp_path / "canvas-grades.csv"
    assert said.out == f"wrote {path}: 1 grades for canvas, column a1 (771)\n"
    assert said.err == "no grade: jdiaz, 3f2a\nnot in the file: eve\n"
    assert "2.5" in path.read_text() and (tmp_path / "canvas.csv").read_text() == CANVAS


def test_a_line_with_too_many_fields_is_no_obstacle(filled):
    text = CANVAS.replace(
        '"Doe, Jane",48213,s-1001,jdoe,Monday,,', '"Doe, Jane",48213,s-1001,jdoe,Monday,,,x'
    )
    assert filled(text, OF_CANVAS).filled == ["jdoe"]


def test_a_file_that_cannot_be_written_is_a_sentence(example, tmp_path, said, monkeypatch):
    monkeypatch.chdir(example.course.root)
    worked_example.hand_in(example, "jdoe", RIGHT)
    worked_example.grade(example)
    (tmp_path / "c.csv").write_text(CANVAS)
    gone = str(tmp_path / "gone" / "x.csv")
    assert said("export", NAME, str(tmp_path / "c.csv"), "--output", gone) == (
        f"autograder: {gone}: No such file or directory; name another file with --output.\n"
    )
