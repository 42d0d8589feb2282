"""Cells for people only: what a shell that validates makes of them."""

import pytest
from IPython.core.interactiveshell import InteractiveShell

from autograder import NOT_GRADED
from autograder.notebook import mark


@pytest.fixture
def shell():
    """A shell that validates; made twice, as when a student runs the first cell again."""
    made = InteractiveShell()
    for _ in range(2):
        mark.leave_out(made)
    yield made
    made.history_manager.end_session()


@pytest.mark.parametrize(
    "source, runs",
    [
        ("x = 1", True),
        (f"{NOT_GRADED}\nx = 1", False),
        (f"%%time\n{NOT_GRADED}\nx = 1", False),
        ("#@title Training\n\n# Not run when graded.\nx = 1\ny = (", False),
        (f"x = 1\n{NOT_GRADED}", True),
    ],
)
def test_a_marked_cell_is_left_out_and_no_other(shell, source, runs):
    assert shell.run_cell(source).success
    assert ("x" in shell.user_ns) is runs
    assert len(shell.input_transformers_cleanup) == 1 + len(
        InteractiveShell().input_transformers_cleanup
    )
