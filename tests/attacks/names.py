"""Files beside the notebook have names that a tar file or a path could stumble over."""

FILES = {
    "a": "", "A": "", "-rf": "", "..hidden": "", "new\nline": "", "sp ace": "", "\x1b[31mred": "",
    ".challenge.safetensors": b"gc-attack", "é/ü/ö.txt": "", "x" * 200: "", "$(touch gc-attack)": "",
    "deep/" + "d/" * 100 + "f": "", "<script>alert(1)</script>": "", "__pycache__/x.pyc": b"",
    ".git/config": "[core]\n\tfsmonitor = touch gc-attack\n", "a1_two_layer_net.py": "", "\udcff": "",
}

# %% nn_forward_pass
import os

print(os.listdir("."))
