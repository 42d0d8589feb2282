"""The tables hold what the page shows, and a spreadsheet computes nothing of them."""

import csv
from dataclasses import replace

from autograder.reports import tables
from autograder.reports.people import Person
from tests.reports.test_results import class_of, result, student


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_is_there_and_nobody_is_missing(tmp_path):
    ann = student("ann", 2.5, 1, {"nn_loss": 2.5}, loss=result(2.5, 5, "r", "halved", "Double it."))
    found = class_of(
        ann, exercises={"nn_loss": 5.0}, checks={"loss": 5.0}, maximum=8.0, questions={"why": 3.0},
        people={"ann": Person("Ann Berg", True), "li": Person("Li Wei")},
    )  # fmt: skip
    paths = tables.write(found, tmp_path)
    assert [path.name for path in paths] == [
        "a0-students.csv", "a0-checks.csv", "a0-mistakes.csv", "a0-reasons.csv",
    ]  # fmt: skip
    students, checks, mistakes, reasons = map(rows, paths)
    assert [(s["student"], s["name"], s["total"], s["handed in"]) for s in students] == [
        ("ann", "Ann Berg", "2.5", "yes"), ("li", "Li Wei", "", "no"),
    ]  # fmt: skip
    assert (students[0]["check: loss"], students[0]["answers to be marked"]) == ("2.5", "1")
    assert students[0]["where most points were lost"] == "loss: Double it."
    assert (checks[0]["mean share"], checks[0]["some points"]) == ("0.5", "1")
    (mistake,) = mistakes
    assert [*mistake.values()] == ["halved", "1", "2.5", "loss", "Double it.", "ann"]
    assert (reasons[0]["student"], reasons[0]["reason"], reasons[0]["certain"]) == (
        "ann",
        "r",
        "True",
    )


def test_a_name_that_looks_like_a_formula_is_text(tmp_path):
    found = class_of(student('=HYPERLINK("x")', -1.5))
    (row,) = rows(tables.write(replace(found, people={}), tmp_path)[0])
    assert row["student"] == '\'=HYPERLINK("x")'
    assert row["total"] == "-1.5"


def test_a_class_without_lost_points_has_empty_tables(tmp_path):
    *_, mistakes, reasons = tables.write(class_of(student("ann")), tmp_path)
    assert rows(mistakes) == rows(reasons) == []
