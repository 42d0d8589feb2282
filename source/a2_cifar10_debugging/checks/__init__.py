"""CIFAR-10 debugging: its checks, their cases, and the oracles that confirm them.

`beside/best_net.safetensors` is the net of the reference solution, as the source notebook's
own cells train and save it on the drawn images (seed 0): run the notebook, and copy the file.
"""

from collections.abc import Iterator

from autograder.checks import Check
from autograder.checks.a2_cifar10_debugging.experiments import experiment_checks
from autograder.checks.a2_cifar10_debugging.mistakes import MISTAKES
from autograder.checks.a2_cifar10_debugging.preparation import preparation_checks
from autograder.checks.a2_cifar10_debugging.search import search_checks
from autograder.checks.a2_cifar10_debugging.stories import story_checks
from autograder.checks.a2_cifar10_debugging.swish import swish_checks

__all__ = ["MISTAKES", "checks"]


def checks(seed: int, real: bool = False) -> Iterator[Check]:
    """Yield the checks of the assignment; `seed` draws the hidden cases."""
    yield from preparation_checks(seed)
    yield from experiment_checks(seed)
    yield from swish_checks(seed)
    yield from story_checks(seed)
    yield from search_checks(seed, real)
