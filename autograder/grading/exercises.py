"""Which graded cells of a notebook belong together."""

import re

from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution, is_task

from autograder.grading.notebooks import grade_id

QUESTIONS = "questions"  # the exercise of all that a person marks
HEAD = re.compile(r"(?m)^## +(.+)$")


def exercises(notebook: NotebookNode) -> dict[str, str]:
    """Map each graded cell to its exercise: the solution cell it follows, or `QUESTIONS`."""
    exercise, found = "", {}
    for cell in notebook.cells:
        if is_task(cell) or (is_grade(cell) and is_solution(cell)):
            found[grade_id(cell)] = QUESTIONS
        elif is_grade(cell):
            found[grade_id(cell)] = exercise
        elif is_solution(cell):
            exercise = grade_id(cell)
    return found


def sections(notebook: NotebookNode) -> dict[str, str]:
    """Map each graded cell to the section of the notebook that it is in, by the section's title."""
    title, found = "", {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (heads := HEAD.findall(cell.source)):
            title = heads[-1].strip()
        if is_task(cell) or is_grade(cell):
            found[grade_id(cell)] = title
    return found
