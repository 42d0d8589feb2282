"""CIFAR-10 debugging: what its exercises promise, topic by topic as in the notebook."""

TOPICS = (
    "preparation", "experiments", "swish", "diagnoses", "search",
)  # fmt: skip
