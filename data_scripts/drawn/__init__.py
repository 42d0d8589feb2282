"""The name that notebooks released with version 0.1 import: kept for one version more."""
