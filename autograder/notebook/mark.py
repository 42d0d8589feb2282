"""The line that says that a cell is for the student only, and not run when graded."""

import re
from typing import Any

from autograder import NOT_GRADED

# as people write it, below comments, an empty line, a title of Colab's or `%%time`
MARK = re.compile(rf"#\s*{NOT_GRADED.lstrip('# ')}\.?", re.IGNORECASE)


def for_people_only(source: str) -> bool:
    """Say whether a cell carries the mark: in its first line, or below what may come before it."""
    for line in map(str.strip, source.split("\n")):
        if MARK.fullmatch(line):
            return True
        if line and not line.startswith(("#", "%%time", "%%capture")):
            return False
    return False


def leave_out(shell: Any) -> None:
    """Let an IPython shell run nothing of the cells that carry the mark."""
    if _nothing_if_marked not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.insert(0, _nothing_if_marked)


def _nothing_if_marked(lines: list[str]) -> list[str]:
    return [] if for_people_only("".join(lines)) else lines
