"""The course as nbgrader sees it."""

from autograder import plugins

c = get_config()

c.CourseDirectory.course_id = "gradient_check"
c.CourseDirectory.release_directory = "assignments"
# Beside each source notebook lies its .py, solutions included: never released.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "__pycache__", "*.pyc", "a[0-9]_*.py"]

plugins.configure(c)
