"""Gradient Check: deep-learning notebooks that grade themselves.

A notebook needs one name: ``from autograder import Checker``.
"""

from typing import Any

__all__ = ["Checker"]
__version__ = "0.2.0"

CHALLENGE_FILE = ".challenge.safetensors"  # where a kernel finds the hidden inputs
NOT_GRADED = "# not run when graded"  # the first line of a cell that the grader skips


def __getattr__(name: str) -> Any:
    """Import torch, which takes seconds, only for those who need a Checker."""
    if name == "Checker":
        from autograder.notebook.check import Checker

        return Checker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
