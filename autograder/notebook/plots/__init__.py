"""What pictures of any notebook are drawn with; those of one notebook are in its lesson.

They are for the student to look at. While a notebook is graded nothing is drawn, and matplotlib
is not even imported: that is a quarter of the time a submission takes.
"""

from autograder.notebook.plots.accuracies import accuracies
from autograder.notebook.plots.figure import COLOURS, figure, for_people
from autograder.notebook.plots.heat_maps import heat_maps

__all__ = ["COLOURS", "accuracies", "figure", "for_people", "heat_maps"]
