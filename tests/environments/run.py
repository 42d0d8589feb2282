"""Run a notebook to its end in the environment that this Python is of.

python run.py NOTEBOOK: writes what its cells show into it, and prints the errors.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

path = Path(sys.argv[1])
notebook = nbformat.read(path, 4)
place = {"metadata": {"path": str(path.parent)}}
NotebookClient(
    notebook, timeout=900, kernel_name="python3", resources=place, allow_errors=True
).execute()
nbformat.write(notebook, path)
for cell in notebook.cells:
    for output in cell.get("outputs", ()):
        if output.output_type == "error":
            print(f"{cell.source.splitlines()[0]}: {output.ename}: {output.evalue}")
