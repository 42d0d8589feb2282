"""What a student gets back: points by task, reasons, answers; nothing runs, nothing is fetched."""

import re
import warnings
from dataclasses import replace
from datetime import timedelta

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from autograder.grading.notebooks import NOTES, VERDICT_MIME
from autograder.reports import feedback
from autograder.reports.feedback import Grade, Marks, html, tasks
from tests import lab
from tests.grading.test_exercises import GRADED, QUESTION, cell
from tests.worked_example import CHECK, MISTAKEN, NAME, RIGHT, grade, hand_in

SOLUTION = {"grade": False, "solution": True}
VERDICT = {
    "points": 2.0, "maximum": 5, "reason": "mean of 0.25 <b>", "mistake": "m", "hint": "Double it.",
    "certain": True, "cases": [],
}  # fmt: skip


def notebook():
    """Two sections: an exercise with two checks, and a question."""
    checked, right = cell("loss_values", **GRADED), cell("loss_extreme", **GRADED)
    drawn = {VERDICT_MIME: VERDICT, "text/html": "<div>the table</div>", "text/plain": "t"}
    checked.outputs = [new_output("execute_result", data=drawn)]
    right.outputs = [new_output("execute_result", data={**drawn, VERDICT_MIME: {**VERDICT}})]
    return new_notebook(
        cells=[
            new_markdown_cell("# Title\n\n## 1 · Loss\n\nFormula $x^2$."),
            new_markdown_cell("### Softmax"),
            cell("nn_loss", **SOLUTION), checked, right,
            new_markdown_cell("## 2 · Why?"),
            cell("question_why", new_markdown_cell, **QUESTION),
        ]
    )  # fmt: skip


GRADES = {
    "loss_values": Grade(2.0, 5), "loss_extreme": Grade(3.0, 3), "question_why": Grade(None, 4),
}  # fmt: skip
MARKS = Marks(GRADES, {"question_why": ""}, 0.0, timedelta(0))


def page(nb=None, marks=MARKS):
    nb = nb or notebook()
    return html("a0", nb, marks, nb)


def test_points_are_added_up_by_task_and_an_unmarked_answer_is_no_zero():
    loss, why = tasks(notebook(), MARKS)
    assert (loss.title, loss.section, loss.points, loss.maximum) == ("Softmax", "1 · Loss", 5, 8)
    assert (why.points, why.maximum, why.label) == (None, 4, "Why")
    assert (MARKS.points, MARKS.maximum, MARKS.waiting) == (5, 12, 4)
    text = page()
    assert "<b>5</b> of 12 points" in text
    assert "4 points are not marked yet: Why." in text
    assert "not marked yet</span> of 4" in text and "0 of 4" not in text


def test_an_answer_that_was_marked_shows_its_points_and_its_comment():
    grades = GRADES | {"question_why": Grade(0.0, 4, "Say *why*.", by_hand=True)}
    text = page(marks=replace(MARKS, grades=grades, comments={"question_why": "Say *why*."}))
    assert "0 of 4" in text and "not marked yet" not in text
    assert re.search(r"<b>Comment:</b> <p>Say <em>why</em>\.</p>", text)


def test_each_lost_point_has_a_reason_a_hint_and_a_link():
    text = page()
    card = text[text.index("Where points were lost") : text.index("Your notebook")]
    assert 'href="#loss_values"' in card and "2 of 5" in card and "loss_extreme" not in card
    assert "Mean of 0.25 &lt;b&gt;." in card and "<b>Looks like:</b> Double it." in card
    assert text.count('id="loss_values"') == 1 and "the table" in text


def test_with_all_points_nothing_is_said_to_be_lost():
    grades = {name: replace(one, points=one.maximum) for name, one in GRADES.items()}
    text = page(marks=replace(MARKS, grades=grades))
    assert "Nowhere: every check has all its points." in text and "not marked" not in text


def test_late_days_and_repairs_are_said():
    nb = notebook()
    nb.metadata[NOTES] = {"notes": ["a cell that was deleted <is> back"], "unreadable": ""}
    text = page(nb, replace(MARKS, penalty=1.5, late=timedelta(days=2)))
    assert "<b>3.5</b> of 12" in text
    assert "Handed in 2 d after the due date: <b>−1.5 points</b>." in text
    assert "<li>a cell that was deleted &lt;is&gt; back</li>" in text
    assert "which cost no points" in page(marks=replace(MARKS, late=timedelta(hours=1)))


def test_code_is_folded_and_its_output_is_text_of_a_few_lines():
    code = new_code_cell("print(1)\nx", metadata={})
    code.outputs = [
        new_output("stream", name="stdout", text="\n".join(map(str, range(40)))),
        new_output(
            "display_data", data={"text/html": "<script>attack()</script>", "text/plain": "y"}
        ),
        new_output("error", ename="ValueError", evalue="\x1b[31mbad\x1b[0m", traceback=[]),
    ]
    nb = notebook()
    nb.cells += [code, new_raw_cell("<script>attack()</script>")]
    text = page(nb)
    assert "… and 28 lines more" in text and "\n12\n" not in text
    assert "attack()&lt;/script" in text and "<script>attack" not in text
    assert "ValueError: bad" in text
    assert re.search(r"<details><summary[^>]*>code, 2 lines</summary>", text)


@pytest.mark.parametrize("source", [
    "![my plot](attachment:a.png)", f"![my plot](data:image/png;base64,{'A' * 500_000})",
    f'<img alt="x" src="data:image/png;base64,{"A" * 500_000}">',
])  # fmt: skip
def test_a_picture_of_the_student_s_is_named_and_pages_stay_small(source):
    nb = notebook()
    nb.cells.append(new_markdown_cell(f"See: {source}", attachments={"a.png": {"image/png": "A"}}))
    text = page(nb)
    assert "(your picture" in text and len(text) < 40_000


def test_formulas_are_drawn_without_a_script_and_nothing_is_fetched():
    text = page()
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in text and "$x^2$" not in text
    assert not re.search(r"https?:|<script src|<link|<img|@import|url\(", text)


def test_headings_of_a_student_s_answer_are_no_tasks():
    nb = notebook()
    nb.cells[-1].source = "## 3 · Mine\n\n### More"
    (_, why) = tasks(nb, MARKS)
    assert (why.section, why.title) == ("2 · Why?", "2 · Why?")


# Through nbgrader


@pytest.fixture
def returned(example):
    """A class of two that got its feedback."""
    for name, solution in (("kim", RIGHT), ("bob", MISTAKEN)):
        hand_in(example, name, solution)
    assert set(grade(example).values()) == {""}
    with warnings.catch_warnings(action="ignore"):  # nbconvert's
        assert example.course.api.generate_feedback(NAME)["success"]
    return example


def test_nbgrader_writes_this_page(returned):
    bob, kim = ((returned.feedback(n) / f"{NAME}.html").read_text() for n in ("bob", "kim"))
    assert "<b>2.5</b> of 5 points" in bob and f"<b>{CHECK}</b>: 2.5 of 5" in bob
    assert "<b>5</b> of 5 points" in kim and "Nowhere:" in kim
    assert "check.hidden" not in bob and "HIDDEN TESTS" not in bob


def test_points_given_by_hand_are_told_as_such(returned):
    with returned.course.gradebook() as book:
        given = book.find_grade(CHECK, NAME, NAME, "bob")
        given.manual_score = 4.0
        book.db.commit()
        url = returned.course.coursedir.db_url
    marks = feedback.read(url, NAME, NAME, "bob")
    assert marks.grades[CHECK] == Grade(4.0, 5.0, by_hand=True)
    nb = nbformat.read(returned.autograded("bob") / f"{NAME}.ipynb", 4)
    assert "These points were given by hand." in html(NAME, nb, marks, nb)


@pytest.mark.slow
@pytest.mark.skipif(lab.BROWSER is None, reason="needs Chromium")
def test_on_a_phone_a_link_leads_to_the_check_and_opens_a_folded_solution(returned):
    path = returned.feedback("bob") / f"{NAME}.html"
    with lab.page_at(path.as_uri(), width=390) as opened:
        assert opened.evaluate("document.documentElement.scrollWidth") <= 390
        opened.get_by_role("link", name="the cell").click()
        assert opened.locator(f"#{CHECK}").is_visible()
        opened.goto(f"{path.as_uri()}#squared_error")
        assert opened.get_by_text("return ((prediction").is_visible()
