"""The folder of a new assignment: one exercise that works, to be turned into one's own."""

import re
from collections.abc import Iterator
from pathlib import Path

from autograder.authoring.wheel import of_project
from autograder.errors import UserError

TEMPLATE = Path(__file__).parent / "template"
EXAMPLE = "a0_squared_error"  # the assignment that the template is


class NotMade(UserError):
    """A new assignment cannot be made here."""


def new(course: Path, assignment: str) -> Iterator[Path]:
    """Write a new assignment into a course folder; in an empty folder, a course around it.

    Yields the paths it writes, from the course folder on. Raises NotMade.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", assignment):
        raise NotMade(f"{assignment}: a name is lower-case letters, digits and _: a6_my_topic.")
    folder = course / "source" / assignment
    if folder.exists():
        raise NotMade(f"source/{assignment}: this folder is there already; choose another name.")
    config = course / "nbgrader_config.py"
    if not config.exists():
        course.mkdir(parents=True, exist_ok=True)
        config.write_text(of_project(config.name).read_text())
        yield config.relative_to(course)
    for file in sorted(path for path in TEMPLATE.rglob("*") if path.suffix in (".py", ".diff")):
        name = str(file.relative_to(TEMPLATE)).replace(EXAMPLE, assignment)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.read_text().replace(EXAMPLE, assignment))
        yield path.relative_to(course)
