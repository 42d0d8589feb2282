"""A figure for the student to look at, and its colours."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from typing import Any

COLOURS = ("#0072b2", "#d55e00", "#009e73")  # told apart by colour-blind readers too


def for_people(draw: Callable[..., None]) -> Callable[..., None]:
    """Let a picture be drawn except while the notebook is graded."""

    @wraps(draw)
    def drawn(*arguments: Any, **keywords: Any) -> None:
        if os.environ.get("NBGRADER_EXECUTION") != "autograde":
            draw(*arguments, **keywords)

    return drawn


@contextmanager
def figure(width: float, height: float, columns: int = 1, rows: int = 1) -> Generator[Any]:
    """Yield the axes of a new figure, inches wide and high, and show it at the end."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained")
    yield axes
    plt.show()
