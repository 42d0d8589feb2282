"""A small table: HTML in a notebook, plain text elsewhere.

Colours are backgrounds with white text on them, so that they read on a light and on a dark page.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

GOOD, BAD, PLAIN = "#1a7f37", "#cf222e", "#59636e"  # white text on them has a contrast above 5
CELL = "text-align:left;padding:2px 14px 2px 0;vertical-align:top"
BAR = 10  # characters


@dataclass(frozen=True)
class Mark:
    """A word or a sign on a colour."""

    text: str
    colour: str = PLAIN

    def html(self) -> str:
        """Draw it."""
        style = f"background:{self.colour};color:#fff;border-radius:3px;padding:0 5px"
        return f'<b style="{style}">{escape(self.text)}</b>'


@dataclass(frozen=True)
class Bar:
    """A bar of what is passed, failed and open."""

    passed: int
    failed: int
    total: int

    @property
    def text(self) -> str:
        """The bar in signs, so that it needs no colour."""
        good = round(BAR * self.passed / max(self.total, 1))
        bad = min(BAR - good, -(-BAR * self.failed // max(self.total, 1)))
        return "█" * good + "▒" * bad + "·" * (BAR - good - bad)

    def html(self) -> str:
        """Draw it."""
        about = f"{self.passed} passed, {self.failed} failed, of {self.total}"
        parts = "".join(
            f'<span style="display:inline-block;height:0.8em;background:{colour};'
            f'width:{8 * number / max(self.total, 1):.2f}em"></span>'
            for number, colour in ((self.passed, GOOD), (self.failed, BAD))
        )
        style = f"display:inline-block;width:8em;line-height:0;border:1px solid {PLAIN}"
        named = f'role="img" aria-label="{about}" title="{about}"'
        return f'<span {named} style="{style}">{parts}</span>'


Entry = str | Mark | Bar


def bar(passed: int, failed: int, total: int) -> Bar:
    """Return a bar of what is passed, failed and open."""
    return Bar(passed, failed, total)


@dataclass(frozen=True)
class Grid:
    """A table with a heading, and a sentence below it."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Entry]]
    note: str = ""

    def bundle(self) -> dict[str, str]:
        """Return its display data: `text/html` and `text/plain`."""
        return {"text/html": self.html(), "text/plain": self.text()}

    def html(self) -> str:
        """Draw it; on a narrow page it scrolls by itself."""
        head = "".join(f'<th scope="col" style="{CELL}">{escape(one)}</th>' for one in self.heads)
        rows = "".join(f"<tr>{''.join(_cells(row))}</tr>" for row in self.rows)
        note = f"<div>{escape(self.note)}</div>" if self.note else ""
        return (
            f'<div style="border-left:4px solid {PLAIN};padding:2px 0 2px 12px;overflow-x:auto">'
            f"<div><b>{escape(self.title)}</b></div>"
            f'<table style="margin:4px 0"><tr>{head}</tr>{rows}</table>{note}</div>'
        )

    def text(self) -> str:
        """Write it for a terminal."""
        rows = [self.heads, *([_plain(entry) for entry in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(f"{one:<{w}}" for one, w in zip(row, widths, strict=True)).rstrip()
                 for row in rows]  # fmt: skip
        return "\n".join([self.title, "", *lines, *(["", self.note] if self.note else [])])


def _cells(row: Sequence[Entry]) -> Iterator[str]:
    for number, entry in enumerate(row):
        drawn = escape(entry) if isinstance(entry, str) else entry.html()
        name, scope = ("td", "") if number else ("th", ' scope="row"')
        weight = "" if number else ";font-weight:normal"
        yield f'<{name}{scope} style="{CELL}{weight}">{drawn}</{name}>'


def _plain(entry: Entry) -> str:
    return entry if isinstance(entry, str) else entry.text
