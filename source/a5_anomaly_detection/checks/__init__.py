"""Anomaly detection: what its checks compare, topic by topic as in the notebook."""

TOPICS = (
    "reconstruction", "padim", "patchcore", "detector",
    "measures", "pro", "places", "formats", "unet", "cutpaste",
)  # fmt: skip
