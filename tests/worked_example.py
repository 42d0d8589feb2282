"""The worked example of docs/authors.md, as files of a course."""

import re
import sys
from pathlib import Path

import jupytext
from nbformat import NotebookNode

from autograder import checks
from autograder.course import KERNEL
from tests.submissions import ROOT

NAME = "a0_squared_error"


def code(path: str) -> str:
    """Join the blocks of code in docs/authors.md that begin with `# path`."""
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "authors.md").read_text(), re.DOTALL
    )
    return "\n".join(block for block in blocks if block.startswith(f"# {path}\n"))


def notebook() -> NotebookNode:
    """Build the example's source notebook."""
    text = code(f"source/{NAME}/{NAME}.py").split("\n", 1)[1]
    built = jupytext.reads(text, "py:percent")
    built.metadata["kernelspec"] = KERNEL
    return built


def install(folder: Path, monkeypatch) -> None:
    """Write the example's source and checks into a folder, and make both findable."""
    source = folder / "source" / NAME
    source.mkdir(parents=True)
    (source / f"{NAME}.py").write_text(code(f"source/{NAME}/{NAME}.py"))
    (folder / "nbgrader_config.py").symlink_to(ROOT / "nbgrader_config.py")
    (folder / "checks").mkdir()
    (folder / "checks" / f"{NAME}.py").write_text(code(f"autograder/checks/{NAME}.py"))
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(folder / "checks")])
    monkeypatch.delitem(sys.modules, f"autograder.checks.{NAME}", raising=False)
