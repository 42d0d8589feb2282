"""Stand-ins for the real data sets, drawn by code: offline, in seconds, with the same lessons."""
