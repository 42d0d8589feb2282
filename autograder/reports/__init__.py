"""A graded class as its readers see it: in a terminal, as pages, as tables."""
