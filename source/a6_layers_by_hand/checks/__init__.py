"""Layers by hand: what its exercises promise, topic by topic as in the notebook."""

TOPICS = ("sizes", "convolution", "batchnorm", "softmax", "optimisers")
