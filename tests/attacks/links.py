"""Symbolic and hard links beside the notebook point to what a submission must not have."""

from pathlib import Path

FILES = {
    "gradebook.txt": Path("@course@/gradebook.db"),
    "source": Path("@course@/source"),
    "data/solution.py": Path("@course@/source/a1_two_layer_net/a1_two_layer_net.py"),
    "references": Path("@package@/references"),
    "environ": Path("/proc/self/environ"),
    "up": Path(".."),
    "loop": Path("loop"),
    "root": Path("/"),
    "zero": Path("/dev/zero"),
    "fd": Path("/proc/self/fd/0"),
}

# %% nn_forward_pass
import os

for folder, folders, names in os.walk(".", followlinks=True):
    for name in [*folders, *names]:
        path = os.path.join(folder, name)
        print(path, os.path.islink(path))
        if os.path.isfile(path):
            print(open(path, "rb").read(2000))
