"""What pictures of any notebook are drawn with, as a package."""

import subprocess
import sys

from tests.submissions import ASSIGNMENTS


def test_matplotlib_is_imported_only_to_draw():
    lessons = [f"autograder.assignments.{name}.lesson.plots" for name in ASSIGNMENTS]
    code = (
        f"import sys; from importlib import import_module; [*map(import_module, {lessons})]\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
