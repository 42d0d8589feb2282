"""Few labels: what its checks compare, topic by topic as in the notebook."""

TOPICS = "card", "classify", "long_tail"
