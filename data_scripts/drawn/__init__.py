"""Stand-ins for the real data sets, drawn by code, so that the course runs without a network."""
