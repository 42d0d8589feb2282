"""An instructor in nbgrader's formgrader, in a real browser: marks, and pages for students."""

import pytest
from playwright.sync_api import expect

from tests.lab import BROWSER, page_at, server
from tests.worked_example import CHECK, MISTAKEN, NAME, RIGHT, grade, hand_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium (Debian: apt-get install chromium)"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
WAIT = 60_000  # milliseconds


def test_a_mark_by_hand_reaches_the_page_that_the_student_gets(example):
    for name, solution in (("kim", RIGHT), ("bob", MISTAKEN)):
        hand_in(example, name, solution)
    assert set(grade(example).values()) == {""}
    with example.course.gradebook() as book:
        handed_in = book.find_submission_notebook(NAME, NAME, "bob").id
    with server(example.course.root) as address:
        with page_at(f"{address}/formgrader/submissions/{handed_in}") as page:
            page.get_by_text(f"{CHECK}: 2.5 of 5 points").first.wait_for(timeout=WAIT)
            page.get_by_text("the squares were averaged over the features").first.wait_for()
            points = page.locator("input.score").first
            points.fill("4")
            with page.expect_response(lambda answer: answer.request.method == "PUT"):
                points.press("Tab")
        with page_at(f"{address}/formgrader/manage_submissions/{NAME}") as page:
            row = page.get_by_role("row").filter(has_text="bob")
            expect(row).to_contain_text("4 / 5", timeout=WAIT)
            row.locator("td").nth(6).locator("a, button").first.click()
            page.get_by_text("Successfully generated feedback").first.wait_for(timeout=WAIT)
    path = example.feedback("bob") / f"{NAME}.html"
    with page_at(path.as_uri()) as page:
        expect(page.locator(".total")).to_contain_text("4 of 5 points")
        expect(page.locator(".card").first).to_contain_text("These points were given by hand.")
