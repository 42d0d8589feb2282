"""Displays of earlier cells are updated and cleared later, with evidence and points."""

# %% nn_forward_pass
from IPython.display import display

import autograder.notebook.check

EVIDENCE = "application/vnd.gradient-check.evidence+json"
handles = {}


def hidden(self, name, function):
    handles[name] = display({EVIDENCE: {}, "text/plain": "0"}, raw=True, display_id=name)


autograder.notebook.check.Checker.hidden = hidden

# %% nn_loss
for name in list(handles):
    for data in ({"text/plain": "7"}, {EVIDENCE: [], "text/plain": "7"}, {EVIDENCE: {"check": name}}):
        display(data, raw=True, display_id=name, update=True)

# %% nn_train
kernel = get_ipython().kernel
session, parent = kernel.session, kernel.get_parent("shell")

for name in list(handles) * 3:
    content = {"data": {"text/plain": "7"}, "metadata": {}, "transient": {"display_id": name}}
    session.send(kernel.iopub_socket, "execute_result", {**content, "execution_count": 1}, parent)
session.send(kernel.iopub_socket, "clear_output", {"wait": False}, parent)
