"""Charts are part of a page: they take its colours, name no address, and say what they show."""

import re
from xml.etree import ElementTree

from autograder.reports.charts import discriminations, distribution
from autograder.reports.statistics import Item


def bars(drawn):
    return len(re.findall(r"fill: #0072b2", drawn))


def test_a_distribution_is_a_drawing_that_says_what_it_is():
    drawn = distribution([10.0, 55.0, 60.0, 90.0], 100)
    assert drawn.startswith(
        '<svg role="img" aria-label="Histogram: 4 students, median 57.5 points; '
    )
    assert "the middle half has 43.8 to 67.5" in drawn
    assert "currentColor" in drawn and "#010203" not in drawn
    assert not re.search(r"https?:|<image|url\((?!#)|<metadata", drawn)
    ElementTree.fromstring(drawn.replace("xlink:href", "href"))
    assert bars(drawn) == 20


def test_the_same_class_is_drawn_the_same_way():
    assert distribution([1.0, 2.0], 5) == distribution([1.0, 2.0], 5)


def test_bonus_points_and_an_assignment_without_points_can_be_drawn():
    assert "Histogram: 1 students" in distribution([110.0], 100)
    assert "Histogram" in distribution([0.0], 0)


def item(check, share, discrimination):
    return Item(check, 5, share, discrimination, 1, 1, 1)


def test_checks_to_look_at_are_named():
    drawn = discriminations(
        [item("a_$odd_", 0.5, -0.2), item("usual", 0.5, 0.6), item("c", 0, None)]
    )
    assert "a_$odd_" in drawn and "usual" not in drawn and "Scatter plot of 2 checks" in drawn


def test_nothing_is_drawn_of_a_small_class():
    assert discriminations([item("a", 0.5, None)]) == ""
