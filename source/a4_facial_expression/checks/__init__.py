"""Facial expressions: what its exercises promise, topic by topic as in the notebook."""

TOPICS = (
    "networks", "augmentation", "training", "predictions", "measures", "imbalance", "opinions",
    "attention",
)  # fmt: skip
