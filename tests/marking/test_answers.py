"""What a marker sees of an answer: no name, nothing that runs, the same order every time."""

from html.parser import HTMLParser

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from autograder.grading.notebooks import grade_id, to_file_bytes
from autograder.marking import answers
from autograder.marking.answers import Answer, anonymous, cards
from tests.grading.test_exercises import GRADED, cell
from tests.marking.test_questions import TASK, answer, asked, handed_in
from tests.worked_example import NAME

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


class Live(HTMLParser):
    """Collects what of a page a browser would run, fetch without being asked, or obey."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "iframe", "meta", "object", "svg", "form", "style", "link", "base"):
            self.found.append(tag)
        for name, value in attrs:
            if name.startswith("on") or "javascript:" in (value or ""):
                self.found.append(name)


def written(text, **fields):
    one = answer(source=text)
    one.update(fields)
    return Answer((one,))


def graded(example, *cells):
    """Write a graded notebook of kim's."""
    path = example.autograded("kim") / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(to_file_bytes(new_notebook(cells=list(cells))))
    return answers.read(example, "kim", "why")


def test_what_is_graded_is_what_is_shown(example):
    handed_in(asked(example), kim="It is $x^2$.", bob=None, ann="  \n")
    kim, bob, ann = (answers.read(example, one, "why") for one in ("kim", "bob", "ann"))
    assert "<math" in kim.page and not kim.empty
    assert bob.empty and ann.empty


def test_an_answer_that_is_not_there_is_said_and_is_not_empty(example):
    assert "Grade this student again" in answers.read(example, "kim", "why").page
    assert "Grade this student again" in graded(example, answer("other")).page
    assert not answers.read(example, "kim", "why").empty
    (example.autograded("kim") / f"{NAME}.ipynb").write_text("{")
    assert answers.read(example, "kim", "why").cells == ()


@pytest.mark.parametrize("text", [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))",
    "<iframe src=a></iframe>", '<meta http-equiv="refresh" content="0">', "$<script>$",
])  # fmt: skip
def test_nothing_in_an_answer_or_above_it_runs(example, text):
    above = new_code_cell(text, outputs=[
        new_output("stream", text=text), new_output("display_data", {"text/html": text}),
        new_output("display_data", {"image/png": f'"><script>{text}'}),
        new_output("error", ename="E", evalue=text),
        new_output("display_data", {"image/svg+xml": text}),
    ])  # fmt: skip
    found = graded(example, above, answer(source=text))
    live = Live()
    live.feed(found.page + found.page_above)
    assert live.found == []


def test_what_would_run_is_found():
    live = Live()
    live.feed("<script>1</script><a href=' javascript:x'>x</a><img src=x onerror=y><p title=x>")
    assert live.found == ["script", "href", "onerror"]


def test_pictures_are_shown(example):
    pasted = answer(source="![mine](attachment:a.png)")
    pasted.attachments = {"a.png": {"image/png": PIXEL}}
    drawn = new_code_cell("plot()", outputs=[new_output("display_data", {"image/png": PIXEL})])
    found = graded(example, drawn, pasted)
    for page in (found.page, found.page_above):
        assert f"data:image/png;base64,{PIXEL}" in page


def test_above_an_answer_is_the_code_since_the_last_graded_cell(example):
    cells = [new_code_cell("first()"), cell("loss", **GRADED), new_code_cell("mine()"),
             new_markdown_cell("text"), new_code_cell("also()"), answer(source="Yes.")]  # fmt: skip
    found = graded(example, *cells)
    assert [one.source for one in found.above] == ["mine()", "also()"]
    assert found.page_above.index("mine()") < found.page_above.index("also()")


def test_a_long_output_is_cut(example):
    lines = "\n".join(map(str, range(1000)))
    long = new_code_cell("x", outputs=[new_output("stream", text=lines)])
    assert "… 940 more lines" in graded(example, long, answer(source="Yes.")).page_above


def test_the_answer_to_a_task_is_what_stands_below_it(example):
    task = answer("why", "Draw.", **TASK)
    cells = [task, new_markdown_cell("Mine."), new_code_cell("plot()"), cell("loss", **GRADED)]
    found = graded(example, *cells)
    assert [one.source for one in found.cells] == ["Mine.", "plot()"]
    assert [grade_id(one) for one in found.cells] == ["", ""]


def test_ids_and_their_order_say_nothing_of_students_and_stay():
    students = [f"s{n}" for n in range(40)]
    found = anonymous(students, 0, "a1", "why")
    assert sorted(found.values()) == sorted(students) and list(found.values()) != students
    assert anonymous(students[::-1], 0, "a1", "why") == found
    assert list(anonymous(students[::-1], 0, "a1", "why")) == list(found)
    assert not any(student in one for one, student in found.items())
    for other in ((1, "a1", "why"), (0, "a1", "how")):
        assert list(anonymous(students, *other).values()) != list(found.values())
    later = [who for who in anonymous([*students, "new"], 0, "a1", "why").values() if who != "new"]
    assert later == list(found.values())


def test_answers_alike_to_the_letter_are_one_card_and_empty_ones_the_last():
    read = {"1": written(""), "2": written("Yes."), "3": written("yes."), "4": written("Yes."),
            "5": written(" \n"), "6": written("Yes.", attachments={"a": {}})}  # fmt: skip
    assert [card.ids for card in cards(read)] == [("2", "4"), ("3",), ("6",), ("1", "5")]
    assert [card.answer.empty for card in cards(read)] == [False, False, False, True]
