"""The data of the course: one module a data set."""
