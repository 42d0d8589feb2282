"""The course as nbgrader sees it."""

from autograder.grading import nbgrader_plugins

c = get_config()

c.CourseDirectory.course_id = "gradient_check"
c.CourseDirectory.release_directory = "assignments"
nbgrader_plugins.configure(c)
