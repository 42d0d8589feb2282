"""The two-layer net: what its exercises promise, topic by topic as in the notebook."""

TOPICS = (
    "forward", "loss", "backward", "numeric_gradient", "training",
)  # fmt: skip
