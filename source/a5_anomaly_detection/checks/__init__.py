"""Anomaly detection: what its checks compare, topic by topic as in the notebook."""

TOPICS = (
    "reconstruction", "padim", "patchcore", "detector", "measures", "pro", "thresholds",
)  # fmt: skip
