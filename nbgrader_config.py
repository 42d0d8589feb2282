"""The course as nbgrader sees it."""

from pathlib import Path

from autograder import plugins

c = get_config()

c.CourseDirectory.course_id = "gradient_check"
c.CourseDirectory.release_directory = "assignments"
# Beside each source notebook lies its .py, solutions included: never released.
sources = [f"{path.parent.name}.py" for path in Path(__file__).parent.glob("source/*/*.ipynb")]
c.CourseDirectory.ignore = [".ipynb_checkpoints", "__pycache__", "*.pyc", *sources]

plugins.configure(c)
