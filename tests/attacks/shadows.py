"""Modules with the names of those that the course and the kernel import lie beside the notebook."""

_BAD = "raise SystemExit('gc-attack')\n"
_FAKE = '''
class Checker:
    def __init__(self, *arguments): pass
    def public(self, *arguments): return 7.0
    hidden = public
'''
_NAMES = ("torch", "json", "numpy", "sitecustomize", "usercustomize", "conftest", "zmq", "ipykernel",
          "IPython", "safetensors", "nbformat", "nbgrader_config", "jupyter_config", "ipython_config",
          "asyncio", "signal", "kernel", "debugpy", "psutil", "ipywidgets", "comm", "appnope", "_curses",
          "pdb", "cProfile", "resource", "jedi", "matplotlib", "trio", "curio")
FILES = {f"{name}.py": _BAD for name in _NAMES}
FILES |= {"autograder.py": _FAKE, "autograder/__init__.py": _FAKE, "autograder/check.py": _FAKE,
          ".ipython/profile_default/startup/00.py": _BAD, "ipython_kernel_config.py": _BAD,
          ".pdbrc": "import os", "pyproject.toml": "[tool.pytest", "data_scripts/__init__.py": _BAD}

# %% nn_forward_pass
import importlib
import sys

sys.modules.pop("autograder.notebook.check", None)
importlib.invalidate_caches()
from autograder.notebook.check import Checker

check = Checker("a1_two_layer_net")
