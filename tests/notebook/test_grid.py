"""Small tables: the same in a notebook and in a terminal, for every reader."""

from html.parser import HTMLParser

import pytest

from autograder.notebook.grid import BAD, GOOD, PLAIN, Grid, Mark, bar

ROWS = (("a1", Mark("passed", GOOD), "7 points"), ("a_long_name", Mark("open", BAD), "<b>3</b>"))
GRID = Grid("2 & more", ("check", "", "remark"), ROWS, "A note: x < y.")


class Page(HTMLParser):
    """The tags that are open, those that were closed out of turn, and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.wrong, self.cells, self.text = [], [], [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag in ("th", "td"):
            self.cells.append((tag, dict(attrs).get("scope")))

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.text += data


def test_a_page_and_a_terminal_get_the_same_words():
    bundle = GRID.bundle()
    assert set(bundle) == {"text/html", "text/plain"}
    page = Page(bundle["text/html"]).text
    for word in ("2 & more", "check", "remark", "passed", "7 points", "A note: x < y."):
        assert word in page and word in bundle["text/plain"], word


def test_what_others_wrote_is_text_and_no_markup():
    page = Page(Grid("<i>", ("<u>",), [["<s>"], [Mark("<script>")]], "<p>").html())
    assert page.text == "<i><u><s><script><p>"
    assert page.open == page.wrong == []


def test_a_row_begins_with_a_head_so_that_it_can_be_read_aloud():
    page = Page(GRID.html())
    row = [("th", "row"), ("td", None), ("td", None)]
    assert page.cells == [("th", "col")] * 3 + 2 * row
    assert page.open == page.wrong == []


def test_columns_of_a_terminal_stand_below_each_other():
    title, _, heads, *rows, _, note = GRID.text().splitlines()
    assert (title, note) == ("2 & more", "A note: x < y.")
    at = heads.index("remark")
    assert [row[at:] for row in rows] == ["7 points", "<b>3</b>"]
    assert [row[13:19].strip() for row in rows] == ["passed", "open"]


def test_without_rows_and_note_there_is_nothing_but_the_heads():
    assert Grid("none", ("a", "b"), []).text() == "none\n\na  b"


@pytest.mark.parametrize(
    "passed, failed, total, signs",
    [
        (0, 0, 0, "··········"),
        (0, 0, 7, "··········"),
        (7, 0, 7, "██████████"),
        (0, 7, 7, "▒▒▒▒▒▒▒▒▒▒"),
        (5, 2, 10, "█████▒▒···"),
        (22, 1, 23, "██████████"),
        (0, 1, 23, "▒·········"),
        (1, 1, 23, "▒·········"),
    ],
)
def test_a_bar_shows_what_is_passed_failed_and_open(passed, failed, total, signs):
    drawn = bar(passed, failed, total)
    assert drawn.text == signs
    assert f"{passed} passed, {failed} failed, of {total}" in drawn.html()


def luminance(colour: str) -> float:
    """Return how bright a colour is, as WCAG computes it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("colour", [GOOD, BAD, PLAIN])
def test_white_text_on_a_colour_can_be_read(colour):
    assert 1.05 / (luminance(colour) + 0.05) > 4.5
    assert f"background:{colour};color:#fff" in Mark("word", colour).html()
