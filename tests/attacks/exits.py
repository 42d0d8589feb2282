"""The process ends as if all were well."""

REASON = "the kernel died"

# %% nn_forward_pass
import os

os._exit(0)
