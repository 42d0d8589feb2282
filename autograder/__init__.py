"""Gradient Check: deep-learning notebooks that grade themselves.

A notebook needs one name: ``from autograder import Checker``.
"""

from autograder.check import Checker

__all__ = ["Checker"]
__version__ = "0.1.0"
