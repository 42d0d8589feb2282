"""What the pages show, and what they save."""

import json
import re
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from autograder.grading import marks
from autograder.grading.gradebook import enrol
from autograder.grading.marks import Mark, OutOfDate
from autograder.marking.desk import Desk, Refused, progress
from tests.marking.test_questions import asked, handed_in


@pytest.fixture
def desk(example):
    """A question that kim and lee answered alike, zoe otherwise, and bob not at all."""
    enrol(example.course, {"kim": ("Kim Lopez", "")})
    return Desk(handed_in(asked(example), kim="Yes.", lee="Yes.", zoe="No, $x$!", bob=None))


def state_of(page):
    return json.loads(re.search(r'id="state"[^>]*>(.*?)</script>', page)[1])


def asks(desk, *students, points=2, comment=""):
    """Return what a page asks for that has just been loaded."""
    state, ids = state_of(desk.page("why")), ids_of(desk)
    digests = dict(pair for card in state["cards"] for pair in card["members"])
    answers = {i: [digests[i], state["marks"][i]["seen"]] for i in (ids[one] for one in students)}
    return {"answers": answers, "points": points, "comment": comment}


def ids_of(desk):
    page = desk.page("why", named=True)
    found = {}
    for card, who in zip(
        state_of(page)["cards"], re.findall(r'"who">(.*?)</p>', page), strict=True
    ):
        names = [one.split(" (")[0] for one in who.split(", ")]
        found |= {name: one for name, (one, _) in zip(names, card["members"], strict=True)}
    return found


def test_the_start_lists_what_waits(desk):
    page = desk.start(token="t", nonce="n")
    assert 'href="question/why?token=t"' in page
    cells = re.findall(r'<td class="n">(.*?)</td>', page)
    assert cells == ["3", "3", "1", "0"]  # points, waiting, marked (bob's), mean
    assert "3 wait for a mark" in page


def test_the_question_its_scheme_and_its_answers_are_on_one_page(desk):
    page = desk.page("why", token="t", nonce="n")
    assert "Why?" in page and "Marking scheme" in page and "Because." in page
    assert page.count("<article") == 3
    assert "of 2 students, to the letter" in page and "1 left it empty" in page
    assert page.count("<math") == 3  # the scheme, its line, zoe's answer
    assert [len(card["members"]) for card in state_of(page)["cards"]].count(2) == 1
    assert state_of(page)["parts"] == [2, 1]


def test_nobody_is_named_unless_it_is_wanted(desk):
    page = desk.page("why", token="t", nonce="n")
    assert [who for who in ("kim", "Kim", "Lopez", "lee", "zoe") if who in page] == []
    assert "kim (Kim Lopez)" in desk.page("why", named=True)


def test_the_order_is_the_same_after_reloading_and_each_marker_s_own(desk):
    def order(one):
        return list(state_of(one.page("why"))["marks"])

    assert order(desk) == order(replace(desk)) != order(replace(desk, seed=1))
    assert order(desk) != order(replace(desk, marker="ann"))


def test_a_mark_is_saved_at_once_and_the_state_comes_back(desk):
    state = desk.save("why", asks(desk, "zoe", points=1.5, comment=" Say why.\n"))
    assert marks.read(desk.assignment, ["why"])["why"]["zoe"] == Mark(1.5, None, False, "Say why.")
    assert state["progress"] == {"waiting": 2, "marked": 2, "mean": 0.75}
    assert state["comments"] == [("Say why.", 1)]
    assert state["marks"][ids_of(desk)["zoe"]]["points"] == 1.5


def test_alike_answers_are_marked_together(desk):
    desk.save("why", asks(desk, "kim", "lee", points=3, comment="Good.\n\nShort."))
    found = marks.read(desk.assignment, ["why"])["why"]
    assert found["kim"] == found["lee"] == Mark(3.0, None, False, "Good.\n\nShort.")
    assert desk.state("why")["comments"] == [("Good.", 2), ("Short.", 2)]


def test_a_page_that_is_out_of_date_overwrites_nothing(desk):
    early = asks(desk, "zoe", points=1)
    desk.save("why", asks(desk, "zoe", points=2))
    with pytest.raises(OutOfDate, match="has changed since the page showed it; look"):
        desk.save("why", early)
    assert marks.read(desk.assignment, ["why"])["why"]["zoe"].points == 2


def test_an_answer_that_was_graded_again_is_not_marked_unread(desk):
    early = asks(desk, "zoe")
    handed_in(desk.assignment, zoe="Something else.")
    with pytest.raises(OutOfDate):
        desk.save("why", early)
    assert marks.read(desk.assignment, ["why"])["why"]["zoe"].counts is None


@pytest.mark.parametrize("points", [-1, 3.5, "2", True, float("nan"), float("inf"), [], {}])
def test_points_that_there_are_not_are_refused(desk, points):
    with pytest.raises(Refused, match="points are a number from 0 to 3; correct them"):
        desk.save("why", asks(desk, "zoe", points=points))
    assert marks.read(desk.assignment, ["why"])["why"]["zoe"].counts is None


@pytest.mark.parametrize("wrong", [
    {"answers": {}}, {"answers": []}, {"answers": {"0": ["", ""]}}, {"comment": None},
    {"comment": "x" * 10_001},
])  # fmt: skip
def test_what_no_page_would_ask_for_is_refused(desk, wrong):
    with pytest.raises(Refused):
        desk.save("why", {**asks(desk, "zoe"), **wrong})
    assert marks.read(desk.assignment, ["why"])["why"]["zoe"].counts is None


def test_progress_counts_what_is_marked():
    found = progress({"a": Mark(2.0, None, False, ""), "b": Mark(None, 0.0, False, ""),
                      "c": Mark(None, None, True, ""), "d": Mark(1.0, None, True, "")})  # fmt: skip
    assert (found.waiting, found.marked, found.mean, found.share) == (2, 2, 1.0, 0.5)
    assert progress({}).mean is None


def test_before_anybody_is_graded_the_page_says_so(example):
    assert "Nobody has been graded yet" in Desk(asked(example)).page("why", token="t", nonce="n")


def test_addresses_of_the_page_are_relative(desk):
    page = desk.page("why", token="t", nonce="n")
    assert all(not urlsplit(one).netloc for one in re.findall(r'(?:href|src)="([^"]*)"', page))
