"""A verdict as a small table: HTML in a notebook, plain text elsewhere.

Colours only underline what the text says. Where text is coloured, it is white on a colour, which
reads on a light and on a dark page.
"""

from collections.abc import Iterator
from dataclasses import replace
from html import escape

from autograder.notebook.grid import BAD, CELL, GOOD, PLAIN, Mark
from autograder.notebook.judge import NOT_WRITTEN, CaseVerdict, Verdict

_MEASURE = "|found - expected| / (|expected| + a little), so that it is not huge beside a 0"
_ABOUT = {"largest relative error": f' title="{_MEASURE}"'}


def bundle(verdict: Verdict) -> dict[str, str]:
    """Return the display data of a verdict: `text/html` and `text/plain`."""
    return {"text/html": html(verdict), "text/plain": text(verdict)}


def html(verdict: Verdict, heading: str = "") -> str:
    """Draw a verdict in colours that read on a light and on a dark page."""
    colour = GOOD if verdict.fraction == 1 else BAD
    parts = [
        f'<div style="border-left:4px solid {colour};padding:2px 0 2px 12px;overflow-x:auto">',
        f"<div><b>{escape(heading or _heading(verdict))}</b> &nbsp;{escape(verdict.title)}</div>",
    ]
    if verdict.cases and not _unwritten(verdict):
        labels = ["", "case", "largest relative error", "tolerance"]
        labels += ["what was found"] if any(case.reason for case in verdict.cases) else []
        head = "".join(
            f'<th scope="col" style="{CELL}"{_ABOUT.get(label, "")}>{label}</th>'
            for label in labels
        )
        rows = "".join(map(_row, _without_repeats(verdict.cases)))
        parts.append(f'<table style="margin:4px 0"><tr>{head}</tr>{rows}</table>')
    else:
        parts.append(f"<div>{escape(verdict.reason)}</div>")
    if verdict.hint:
        parts.append(f"<div><b>{_looks(verdict)}:</b> {escape(verdict.hint)}</div>")
    return "".join(parts) + "</div>"


def text(verdict: Verdict, heading: str = "") -> str:
    """Write a verdict for a terminal."""
    lines = [f"{heading or _heading(verdict)}  {verdict.title}"]
    if verdict.cases and not _unwritten(verdict):
        lines.append(f"    {'case':<44} {'error':>9}")
        for case in _without_repeats(verdict.cases):
            figures = f"{case.about:<44} {_number(case.error):>9}"
            lines.append(f"  {_mark(case)} {figures}  {case.reason}")
    else:
        lines.append(f"  {verdict.reason}")
    if verdict.hint:
        lines.append(f"  {_looks(verdict)}: {verdict.hint}")
    return "\n".join(line.rstrip() for line in lines)


def _unwritten(verdict: Verdict) -> bool:
    return all(case.reason == NOT_WRITTEN for case in verdict.cases)


def _without_repeats(cases: tuple[CaseVerdict, ...]) -> Iterator[CaseVerdict]:
    """Say a reason once, and `as above` where the next cases fail in the same way."""
    above = None
    for case in cases:
        repeated = case.reason and case.reason == above and not case.passed
        yield replace(case, reason="as above") if repeated else case
        above = case.reason


def _heading(verdict: Verdict) -> str:
    if any(0 < case.credit < 1 for case in verdict.cases):
        return f"{verdict.check}: {verdict.fraction:.0%} of the points"
    passed = sum(case.passed for case in verdict.cases)
    return f"{verdict.check}: {passed} of {len(verdict.cases)} cases passed"


def _row(case: CaseVerdict) -> str:
    colour = GOOD if case.passed else PLAIN if case.credit else BAD
    tolerance = _number(case.tolerance) if case.error is not None else ""
    cells = [Mark(_mark(case), colour).html(), escape(case.about), _number(case.error), tolerance]
    drawn = "".join(f'<td style="{CELL}">{cell}</td>' for cell in (*cells, escape(case.reason)))
    return f"<tr>{drawn}</tr>"


def _mark(case: CaseVerdict) -> str:
    return "✓" if case.passed else "✗" if not case.credit else "~"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def _looks(verdict: Verdict) -> str:
    return "Looks like" if verdict.certain else "May be"
