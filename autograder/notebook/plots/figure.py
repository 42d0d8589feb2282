"""A figure for the student to look at, and its colours."""

import base64
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from html import escape
from typing import Any

from IPython import get_ipython
from IPython.core.pylabtools import print_figure
from IPython.display import display

# Told apart by colour-blind readers too: Okabe and Ito, Color Universal Design (2008).
COLOURS = ("#0072b2", "#d55e00", "#009e73")
MORE = ("#cc79a7", "#56b4e9", "#e69f00", "#000000")
HIDDEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"  # but read


def for_people(draw: Callable[..., None]) -> Callable[..., None]:
    """Let a picture be drawn except while the notebook is graded."""

    @wraps(draw)
    def drawn(*arguments: Any, **keywords: Any) -> None:
        if os.environ.get("NBGRADER_EXECUTION") != "autograde":
            draw(*arguments, **keywords)

    return drawn


@contextmanager
def figure(width: float, height: float, columns: int = 1, rows: int = 1) -> Generator[Any]:
    """Yield the axes of a new figure, inches wide and high, and show it at the end.

    It is shown with a sentence that says what is drawn, for those who cannot see it.
    """
    import matplotlib.pyplot as plt

    drawn, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained")
    for one in drawn.axes:
        one.set_prop_cycle(color=[*COLOURS, *MORE])
    yield axes
    if get_ipython() is None:
        plt.show()
        return
    alt = describe(drawn)
    picture = base64.b64encode(print_figure(drawn, "png", bbox_inches="tight")).decode()
    bundle = {"image/png": picture, "text/plain": alt}
    display(bundle, metadata={"image/png": {"alt": alt}}, raw=True)
    if "JPY_SESSION_NAME" in os.environ:  # JupyterLab, which gives a picture no alt text
        display({"text/html": f'<div style="{HIDDEN}">{escape(alt)}</div>'}, raw=True)
    plt.close(drawn)


def describe(drawn: Any) -> str:
    """Say what a matplotlib figure shows: the titles, axes and legends of its pictures."""
    found = []
    for axes in drawn.axes:
        kind = "image" if axes.images else "plot"
        named = [axes.get_title(), _against(axes.get_ylabel(), axes.get_xlabel())]
        _, labels = axes.get_legend_handles_labels()
        text = ", ".join([*filter(None, named), *labels])
        if axes.axison or axes.images or axes.lines:
            found.append(f"{kind}: {text}" if text else kind)
    counted = dict.fromkeys(found)
    return "; ".join(
        f"{found.count(one)} {one}s" if found.count(one) > 1 and ":" not in one else one
        for one in counted
    ).capitalize() or "A picture"  # fmt: skip


def _against(y: str, x: str) -> str:
    return f"{y} against {x}" if x and y else x or y
