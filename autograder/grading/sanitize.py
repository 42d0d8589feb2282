"""What students wrote and displayed, sanitized for those who see it in a browser.

Feedback and the formgrader show a submission's own HTML. Whoever opens a page of the
formgrader has the rights of an instructor, and so would a script in it. What is cleaned is
the page that Markdown has become, so that an answer looks as it does in JupyterLab.
"""

import html
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import latex2mathml.converter
import nh3
from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode
from nbgrader.utils import is_locked

from autograder.grading.notebooks import is_autograded
from autograder.grading.repair.submitted import ALL_PICTURES

PICTURES = ("image/png", "image/jpeg")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
MATH = {  # what latex2mathml writes
    "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "mroot", "mstyle",
    "msub", "msup", "msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd", "mpadded",
    "mphantom", "menclose", "mmultiscripts", "mprescripts", "none",
}  # fmt: skip
ATTRIBUTES_OF_MATH = {
    "display", "mathvariant", "stretchy", "fence", "form", "separator", "accent", "columnalign",
    "columnlines", "rowlines", "rowspacing", "columnspacing", "width", "height", "depth", "lspace",
    "rspace", "linethickness", "minsize", "maxsize", "scriptlevel", "displaystyle", "notation",
    "movablelimits",
}  # fmt: skip
OF_MATH = dict.fromkeys(MATH, ATTRIBUTES_OF_MATH)
ATTRIBUTES = {
    "*": {"title", "lang", "dir"},
    "a": {"href"}, "img": {"src", "alt", "width", "height"},
    "ol": {"start"}, "details": {"open"}, "p": {"align"},
    **{cell: {"style", "align", "colspan", "rowspan"} for cell in ("td", "th", "tr")},
    **{tag: {"class"} for tag in ("div", "span", "pre", "code", "table")},
}  # fmt: skip
VALUES = {  # of attributes that could do more than they should
    "src": re.compile(
        r"(?!data:).*|data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*", re.DOTALL
    ),
    "href": re.compile(r"(?!data:).*", re.DOTALL),
    "style": re.compile(r"text-align: ?(left|right|center);?"),
    "class": re.compile(r"highlight|dataframe|language-\w+|[a-z][a-z0-9]{0,2}"),  # code, and pandas
}
LONGEST = 2000  # characters of a formula
BEGIN, END = "\ue000", "\ue001"  # around the number of a formula, in a page without it
PLACE = re.compile(f"{BEGIN}([0-9]{{1,6}}){END}")
SCHEMES = {"http", "https", "mailto", "data"}
ATTACHED = re.compile(r"""(?i)(<img\b[^<>]*?\bsrc\s*=\s*["'])attachment:([^"'<>]+)""")
CODE = re.compile(r"(<(?:pre|code)\b.*?</(?:pre|code)>)", re.DOTALL)  # MathJax leaves it alone
TRIANGLE = "<style>summary { display: list-item }</style>"  # which Bootstrap takes away
COMMANDS = re.compile(r"\\(?=(?:href|style|class|cssId|require|def|let|newcommand)\b)")


@pass_context
def shown(context: Context, source: str) -> str:
    """Render Markdown for a page of nbconvert, in place of its filter `markdown2html`."""
    return to_html(source, context.get("cell", {}).get("attachments", {}))


class Drawn(IPythonRenderer):
    """Draws formulas as MathML, which every browser shows without MathJax and without a network.

    They are kept apart until the page has been cleaned: it has no MathML of a student's.
    """

    def __init__(self, **settings: Any) -> None:
        """Make a renderer for one text."""
        super().__init__(**settings)
        self.drawn: list[str] = []

    def inline_math(self, body: str) -> str:
        """Draw a formula in a line."""
        return self._place(body, "inline") or super().inline_math(body)

    def block_math(self, body: str) -> str:
        """Draw a formula on a line of its own."""
        return self._place(body, "block") or super().block_math(body)

    def latex_environment(self, name: str, body: str) -> str:
        """Draw an environment."""
        text = f"\\begin{{{name}}}{body}\\end{{{name}}}"
        return self._place(text, "block") or super().latex_environment(name, body)

    def _place(self, formula: str, display: str) -> str:
        """Keep the place of a formula; empty if it is none that latex2mathml knows, or too long."""
        if len(formula) > LONGEST:
            return ""
        known = re.sub(r"\\(begin|end)\{(aligned|split|gathered)\}", r"\\\1{align*}", formula)
        with suppress(Exception):  # it has many kinds
            mathml = latex2mathml.converter.convert(known, display=display)
            self.drawn.append(nh3.clean(mathml, tags=MATH, attributes=OF_MATH))
            return f"{BEGIN}{len(self.drawn) - 1}{END}"
        return ""

    def put_back(self, page: str) -> str:
        """Put the formulas into a page that has been cleaned."""
        return PLACE.sub(lambda match: dict(enumerate(self.drawn)).get(int(match[1]), ""), page)


class Shown(dict):
    """Pictures by name, which may be shown again and again, but not without end."""

    left = ALL_PICTURES

    def __getitem__(self, name: str) -> Mapping[str, str]:
        """Return a picture's forms. Raises InvalidNotebook if too much has been shown."""
        forms = super().__getitem__(name)
        self.left -= sum(map(len, forms.values()))
        if self.left < 0:
            raise InvalidNotebook(f"too many pictures: {name}")
        return forms


def to_html(source: str, attachments: Mapping[str, Any] | None = None, drawn: bool = False) -> str:
    """Render Markdown as JupyterLab does, and leave out what a browser would run.

    Formulas are left to MathJax, or `drawn` as MathML.
    """
    pasted = (attachments or {}).items()
    named = Shown({key: picture for name, picture in pasted for key in (name, quote(name))})
    made = Drawn if drawn else IPythonRenderer
    renderer = made(escape=False, attachments=named, exclude_anchor_links=True)
    try:
        page = MarkdownWithMath(renderer=renderer).render(source)
        page = ATTACHED.sub(lambda match: match[1] + _data(named, match[2]), page)
    except (InvalidNotebook, RecursionError):  # a picture that is not there, or too many
        page = f"<pre>{html.escape(source)}</pre>"
    cleaned = clean(page)
    if isinstance(renderer, Drawn):
        return renderer.put_back(cleaned)
    return TRIANGLE + cleaned if "<details>" in cleaned else cleaned


def _data(attached: Mapping[str, Any], name: str) -> str:
    """Return the address of a picture that is attached: itself, if it is there."""
    for kind, data in attached[name].items() if name in attached else ():
        return f"data:{kind};base64,{data}"
    return f"attachment:{name}"


def clean(page: str) -> str:
    """Keep only what is harmless in HTML and in its formulas."""
    cleaned = nh3.clean(
        page, attributes=ATTRIBUTES, attribute_filter=_value, url_schemes=SCHEMES,
    )  # fmt: skip
    parts = CODE.split(cleaned)
    parts[::2] = [COMMANDS.sub("\\\\\u200b", part) for part in parts[::2]]
    return "".join(parts)


def _value(tag: str, attribute: str, value: str) -> str | None:
    """Return the value of an attribute, or nothing if it goes."""
    allowed = VALUES.get(attribute)
    return value if allowed is None or allowed.fullmatch(value.strip()) else None


class SanitizeSubmission(SanitizeHTML):
    """Keep text, pictures and plain HTML of each output; remove scripts from raw cells.

    Written answers are cleaned when they are rendered (`shown`). The course's own cells and
    the judge's verdicts stay as they are.
    """

    safe_output_keys = frozenset({"text/plain"})
    sanitized_output_types = frozenset({"text/html", "text/latex"})

    def preprocess_cell(  # ty: ignore[lost-keyword-for-regular-parameter]: given by position
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Sanitize one cell."""
        if is_autograded(cell):
            return cell, resources
        if cell.cell_type == "code":
            return super().preprocess_cell(cell, resources, index)
        if cell.cell_type == "raw" and not is_locked(cell):
            cell.source = clean(cell.source)
        return cell, resources

    def sanitize_html_tags(self, html_str: str) -> str:
        """Clean an output of HTML or LaTeX."""
        return clean(html_str)

    def sanitize_code_outputs(self, outputs: list[NotebookNode]) -> list[NotebookNode]:
        """Sanitize outputs; a picture is one only if it is nothing but base64."""
        pictures = [
            {kind: text for kind, text in output.get("data", {}).items()
             if kind in PICTURES and isinstance(text, str) and BASE64.fullmatch(text)}
            for output in outputs
        ]  # fmt: skip
        outputs = super().sanitize_code_outputs(outputs)
        for output, found in zip(outputs, pictures, strict=True):
            if found:
                output.data.update(found)
        return outputs
