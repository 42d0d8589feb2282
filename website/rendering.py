"""From the Markdown of GitHub and JupyterLab to Markdown that no site generator misreads.

Generators have a dialect of their own, in which lists, tables and formulas are written otherwise.
So everything but the headings is rendered here, as JupyterLab does it, with formulas as MathML,
which needs no script and no network. The headings stay Markdown: from them the generator makes the
table of contents and the index of its search. Their anchors are GitHub's.
"""

import html
import re
from collections.abc import Callable, Iterator

from nbconvert.filters.markdown_mistune import MarkdownWithMath
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from autograder.grading.sanitize import Drawn

Link = Callable[[str], str]  # from an address as it is written to one that holds on the site

HEADING = re.compile(r"(#{1,6}) +(.*?) *#* *$")
FENCE = re.compile(r" *(`{3,}|~{3,})")
ADDRESS = re.compile(r'(?<=\s)(href|src)="([^"]*)"')


class Rendered(Drawn):
    """Formulas as MathML, code with the classes that the theme colours."""

    def __init__(self) -> None:
        super().__init__(escape=False, attachments={}, exclude_anchor_links=True)

    def block_code(self, code: str, info: str | None = None) -> str:
        """Colour a block of code, if its language is known."""
        try:
            lexer = get_lexer_by_name((info or "").split(" ")[0])
        except ClassNotFound:
            inner, kind = html.escape(code), "text"
        else:
            inner, kind = highlight(code, lexer, HtmlFormatter(nowrap=True)), lexer.aliases[0]
        return f'<div class="language-{kind} highlight"><pre><code>{inner}</code></pre></div>\n'


def to_site(text: str, link: Link) -> str:
    """Return a text with its headings as they are, with anchors, and everything else as HTML."""
    return "\n\n".join(
        f"{'#' * level} {title} {{ #{anchor} }}" if level else block(title, link)
        for level, title, anchor in parts(text)
    )


def block(text: str, link: Link = str) -> str:
    """Render Markdown without headings as one block of HTML."""
    renderer = Rendered()
    page = renderer.put_back(MarkdownWithMath(renderer=renderer).render(text))

    def led(found: re.Match[str]) -> str:
        return f'{found[1]}="{link(found[2])}"'

    return f"<div>{ADDRESS.sub(led, page)}</div>"


def addresses(text: str) -> list[str]:
    """Return where a text links to, pictures included, as it is written."""
    pages = (block(part) for _, part, _ in parts(text))
    return [html.unescape(address) for page in pages for _, address in ADDRESS.findall(page)]


def anchors(text: str) -> set[str]:
    """Return the anchors of a text's headings."""
    return {anchor for level, _, anchor in parts(text) if level}


def parts(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield headings as (level, title, anchor), and what is between them as (0, text, "")."""
    lines: list[str] = []
    taken: dict[str, int] = {}
    fence = ""
    for line in text.splitlines():
        if mark := FENCE.match(line):
            if not fence:
                fence = mark[1]
            elif line.strip().startswith(fence):
                fence = ""
        heading = None if fence else HEADING.match(line)
        if not heading:
            lines.append(line)
            continue
        if "".join(lines).strip():
            yield 0, "\n".join(lines), ""
        lines = []
        yield len(heading[1]), heading[2], anchor(heading[2], taken)
    if "".join(lines).strip():
        yield 0, "\n".join(lines), ""


def anchor(title: str, taken: dict[str, int]) -> str:
    """Return the anchor that GitHub gives a heading, and count it among those taken."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
    name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
    number = taken.get(name, 0)
    taken[name] = number + 1
    return f"{name}-{number}" if number else name
