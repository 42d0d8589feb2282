"""Which graded cells of a notebook belong together."""

import re

from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution, is_task

from autograder.grading.notebooks import grade_id

QUESTIONS = "questions"  # the exercise of all that a person marks
HEAD = re.compile(r"(?m)^(#{2,6}) +(.+)$")


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


def headings(notebook: NotebookNode) -> dict[str, tuple[str, str]]:
    """Map each of nbgrader's cells to the heading that it stands under, and to its section's."""
    title, section, found = "", "", {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and not is_solution(cell):  # an answer is no part of it
            for level, text in HEAD.findall(cell.source):
                title = text.strip()
                section = title if level == "##" else section
        if name := grade_id(cell):
            found[name] = title, section
    return found


def sections(notebook: NotebookNode) -> dict[str, str]:
    """Map each graded cell to the section of the notebook that it is in, by the section's title."""
    found = headings(notebook)
    graded = (cell for cell in notebook.cells if is_task(cell) or is_grade(cell))
    return {name: found[name][1] for name in map(grade_id, graded)}
