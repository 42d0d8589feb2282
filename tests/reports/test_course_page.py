"""The page of the course: a line for everybody, whatever they handed in."""

import csv

from autograder.reports import course_page
from autograder.reports.people import Person
from tests.reports.test_results import class_of, student


def report(name, *students, absent=(), names=None, maximum=10.0):
    people = {one.student: Person((names or {}).get(one.student, ""), True) for one in students}
    made = class_of(*students, maximum=maximum, people=people | {one: Person() for one in absent})
    return type(made)(name, {}, {}, students, maximum, people=made.people)


def test_everybody_has_a_line_with_what_is_there():
    first = report("a1", student("ann", 8.0, 2), student("bob", 3.0), names={"ann": "Ann Berg"})
    second = report("a2", student("ann", 9.0), absent=["bob", "kim"])
    ann, bob, kim = course_page.lines([first, second])
    assert (ann.name, ann.totals, ann.points) == ("Ann Berg", {"a1": 8, "a2": 9}, 17)
    assert (ann.waiting, ann.risk) == (2, "")
    assert (bob.totals, bob.points, bob.risk) == (
        {"a1": 3, "a2": None},
        3,
        "30 % of the points on average",
    )
    assert (kim.points, kim.risk) == (0, "no work in 2 of 2")


def test_who_falls_behind_is_named():
    reports = [report(f"a{n}", student("ann", total)) for n, total in enumerate((9.0, 9.0, 5.5))]
    (ann,) = course_page.lines(reports)
    assert ann.risk == "55 % in the last, 90 % before"


def test_the_page_links_to_those_of_the_assignments_and_the_table_is_beside_it(tmp_path):
    made = [report("a1", student("<b>ann", 8.0)), report("a2", student("<b>ann", 0.0))]
    path = course_page.write(made, tmp_path / "report")
    text = path.read_text(encoding="utf-8")
    assert path.name == "index.html" and '<a href="a1.html">a1</a>' in text
    assert "&lt;b&gt;ann" in text and "<b>ann" not in text
    with (path.parent / "course.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["student"], row["a1"], row["points"]) == ("<b>ann", "8", "8")
