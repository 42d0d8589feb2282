"""The page of a class: all is on it, no markup of others, no network; for a large class, too."""

import re
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from autograder.reports import page, results
from autograder.reports.people import Person
from tests import lab
from tests.reports.test_results import class_of, graded, result, student

__all__ = ["graded"]  # a fixture


def test_a_page_has_every_student_check_and_mistake():
    halved = result(2.5, 5, "r", "halved", "Double it.")
    ann, bob = (student(name, 2.5, 1, {"nn_loss": 2.5}, loss=halved) for name in ("ann", "bob"))
    kim = student("kim", 5.0, 0, {"nn_loss": 5}, loss=result(5, 5, "correct"))
    found = class_of(
        ann, bob, kim, exercises={"nn_loss": 5}, checks={"loss": 5}, maximum=8,
        sections={"1 · Loss": 5}, section_of={"loss": "1 · Loss"}, exercise_of={"loss": "nn_loss"},
    )  # fmt: skip
    drawn = page.html(found)
    assert "<h1>a0</h1>" in drawn and "<b>3</b> graded" in drawn and "<b>2.5</b> median" in drawn
    for name in ("ann", "bob", "kim"):
        assert f'<th scope="row">{name}</th>' in drawn
    assert "+1?" in drawn and "67 %" in drawn and "<b>2 ×</b> halved" in drawn
    assert re.search(r"<b>2</b></td><td class=\"n\">5</td><td>halved .*<td>Double it\.", drawn)


def test_a_page_says_who_is_absent_late_repaired_and_not_graded():
    people = {
        "ann": Person("Ann Berg"),
        "bob": Person(handed_in=True, late=timedelta(days=2)),
        "kim": Person(handed_in=True, error="KernelDied: it died"),
        "lea": Person(handed_in=True, repaired=("a cell that was deleted is back",), seconds=3.0),
    }
    drawn = page.html(class_of(student("bob", 10.0), student("lea", 10.0), people=people))
    assert "<b>1</b> handed in nothing" in drawn and "Ann Berg" in drawn
    assert "2 d" in drawn and "KernelDied: it died" in drawn and "a cell that was deleted" in drawn
    assert "The slowest: lea 3.0 s" in drawn
    assert drawn.count('<th scope="row">') == 4


def test_what_one_student_did_is_not_for_the_class():
    alone = student("ann", a=result(1, reason="r", mistake="halved", hint="Double it."))
    assert "No two students lost points in the same way." in page.html(
        class_of(alone, student("b"))
    )


def test_a_page_needs_no_other_file_and_no_network():
    drawn = page.html(class_of(student()), {"the course": "index.html"})
    assert not re.search(r"https?:|<script src|<link|<img|@import|url\((?!#)", drawn)
    assert drawn.count("<script>") == 1 and '<a href="index.html">the course</a>' in drawn


def test_markup_in_a_name_or_a_reason_is_no_markup_in_a_page():
    attack = "<script>attack</script>"
    reason = result(0, 5, attack, attack, attack)
    made = [student(f"{attack}{n}", exercises={attack: 0}, loss=reason) for n in range(2)]
    found = class_of(*made, exercises={attack: 5}, checks={"loss": 5})
    drawn = page.html(replace(found, assignment=attack))
    assert drawn.count("<script") == 1 and drawn.count("&lt;script&gt;attack") >= 5


def test_a_check_without_points_is_no_obstacle():
    """nbgrader lets an author give a check 0 points."""
    found = class_of(student(a=result(0, 0.0, "wrong")), checks={"a": 0.0}, sections={"": 0.0},
                     section_of={"a": ""}, exercise_of={"a": "x"})  # fmt: skip
    assert "<td>a</td>" in page.html(found) and "Before the first section" in page.html(found)


def test_a_report_is_written_with_its_tables_and_over_the_one_before(graded):
    found = results.collect(graded)
    for _ in range(2):
        path = page.write(found, graded.course.root / "report")
        assert path.read_text(encoding="utf-8") == page.html(found)
    assert len([*path.parent.glob("*.csv")]) == 4


def test_a_name_of_any_letters_can_be_written(tmp_path):
    assert "ä\u2028" in page.write(class_of(student("ä\u2028")), tmp_path / "r").read_text("utf-8")


def test_two_thousand_students_make_a_page_that_a_browser_opens(tmp_path):
    checks = {f"check_{n}": 5.0 for n in range(25)}
    lost = result(2.0, 5.0, "mean of 0.25 instead of 0.5 in case 3", "halved", "Double it. " * 8)
    made = [
        student(f"student{n:05}", 80.0, 3, dict.fromkeys(checks, 5.0),
                **{c: lost if (n + i) % 5 == 0 else result(5.0) for i, c in enumerate(checks)})
        for n in range(2000)
    ]  # fmt: skip
    found = class_of(*made, exercises=checks, checks=checks, maximum=125.0)
    start = time.perf_counter()
    path = page.write(found, tmp_path / "report")
    assert path.stat().st_size < 5e6
    assert time.perf_counter() - start < 20


@pytest.mark.slow
@pytest.mark.skipif(lab.BROWSER is None, reason="needs Chromium")
def test_in_a_browser_the_table_is_sorted_and_filtered_and_fits_a_phone(tmp_path):
    people = {name: Person(handed_in=True) for name in ("ann", "bob", "kim")}
    people["bob"] = replace(people["bob"], late=timedelta(days=1))
    checks = {f"a_long_name_of_a_check_{n}": 5.0 for n in range(30)}
    made = [
        student(name, total, 0, dict.fromkeys(checks, 1.0), **dict.fromkeys(checks, result(1.0)))
        for name, total in (("ann", 9.5), ("bob", 10.0), ("kim", 2.0))
    ]
    path = page.write(class_of(*made, exercises=checks, checks=checks, people=people), tmp_path)
    with lab.page_at(path.as_uri()) as opened:

        def shown():
            rows = opened.locator(".class tbody tr:visible th").all_inner_texts()
            return [text.strip() for text in rows]

        opened.get_by_role("button", name="total").click()
        assert shown() == ["kim", "ann", "bob"]
        opened.get_by_role("button", name="total").click()
        assert shown() == ["bob", "ann", "kim"]
        opened.get_by_role("searchbox").fill("late")
        assert shown() == ["bob"]
        for width in (390, 1280):
            opened.set_viewport_size({"width": width, "height": 800})
            assert opened.evaluate("document.documentElement.scrollWidth") <= width
