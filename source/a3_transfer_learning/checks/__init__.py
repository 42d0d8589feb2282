"""Transfer learning: what its exercises promise, topic by topic as in the notebook."""

TOPICS = (
    "preprocessing", "blocks", "freezing", "features", "probe", "fine_tuning", "domains",
    "intervals",
)  # fmt: skip
