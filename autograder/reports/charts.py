"""Charts of a class as SVG for a page: they take its colours, and need no file and no network."""

import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from autograder.reports.statistics import Item, quartiles

TEXT = "#010203"  # becomes the text's colour, light or dark
BLUE, ORANGE = "#0072b2", "#d55e00"  # told apart by the colour-blind, too
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "charts", "font.family": "sans-serif", "font.size": 10,
    "text.color": TEXT, "axes.edgecolor": TEXT, "axes.labelcolor": TEXT,
    "xtick.color": TEXT, "ytick.color": TEXT, "axes.spines.top": False, "axes.spines.right": False,
}  # fmt: skip
BARS = 20


def distribution(totals: Sequence[float], maximum: float) -> str:
    """Draw how many students have how many points."""
    with rc_context(STYLE):
        figure = Figure(figsize=(7.2, 2.6))
        axes = figure.add_subplot()
        top = max([maximum, *totals])
        counts, *_ = axes.hist(totals, bins=BARS, range=(0, top or 1), color=BLUE, rwidth=0.92)
        low, middle, high = quartiles(totals)
        axes.axvline(middle, color=ORANGE, linewidth=1.5)
        axes.axvspan(low, high, color=ORANGE, alpha=0.13, linewidth=0)
        axes.set_xlim(0, top or 1)
        axes.set_xlabel("points")
        axes.set_ylabel("students")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        return _svg(figure, f"Histogram: {len(totals)} students, median {middle:.1f} points; "
                            f"the middle half has {low:.1f} to {high:.1f}.")  # fmt: skip


def discriminations(items: Sequence[Item]) -> str:
    """Draw how hard each check is, and how well it tells students apart; empty if nobody knows."""
    known = [item for item in items if item.discrimination is not None]
    if not known:
        return ""
    with rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3.4))
        axes = figure.add_subplot()
        x, y = [100 * i.share for i in known], [i.discrimination or 0.0 for i in known]
        axes.scatter(x, y, s=28, color=[ORANGE if i.remark else BLUE for i in known])
        for item, left, up in zip(known, x, y, strict=True):
            if item.remark:
                axes.annotate(item.check, (left, up), (5, 4), textcoords="offset points",
                              fontsize=8, ha="right" if left > 70 else "left")  # fmt: skip
        axes.axhline(0, color=TEXT, linewidth=0.5)
        axes.set_xlim(-2, 102)
        axes.set_xlabel("mean share of the points, in per cent")
        axes.set_ylabel("discrimination")
        return _svg(figure, f"Scatter plot of {len(known)} checks; the table has their numbers.")


def _svg(figure: Figure, said: str) -> str:
    """Write a figure as an element of a page, which says to those who cannot see it what it is."""
    figure.tight_layout()
    file = StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    drawn = file.getvalue()
    drawn = drawn[drawn.index("<svg") :].replace(TEXT, "currentColor")
    drawn = re.sub(r"\s*<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r' (width|height)="[\d.]+pt"', "", drawn, count=2)
    drawn = re.sub(r'\s*xmlns(:xlink)?="[^"]*"', "", drawn)  # a page knows them
    return drawn.replace("<svg", f'<svg role="img" aria-label="{said}"', 1)
