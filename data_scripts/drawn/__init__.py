"""Stand-ins for the real data sets, drawn by code."""
