"""Where the hidden cases are put lies a folder."""

FILES = {".challenge.safetensors/file": "x"}

# %% nn_forward_pass
import os

print("a folder:", os.path.isdir(".challenge.safetensors"))
