"""Marking written answers: a page on this machine, question by question."""
