"""Stand-ins for the data sets, drawn by code: at once, without a network."""
