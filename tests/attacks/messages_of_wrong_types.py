"""Well-formed messages in which every field has the type that nobody expects."""

# %% nn_forward_pass
kernel = get_ipython().kernel
session, parent = kernel.session, kernel.get_parent("shell")

ODD = (None, 7, "x", [], {}, [None], {"x": None}, [[7]], True)
CONTENTS = [{"data": {kind: odd}, "metadata": {}, "transient": {}} for odd in ODD
            for kind in ("text/html", "text/plain", "image/png", "application/javascript", "text/latex",
                         "image/svg+xml", "application/json", "text/markdown")]
for content in CONTENTS:
    session.send(kernel.iopub_socket, "display_data", content, parent)
    session.send(kernel.iopub_socket, "execute_result", {**content, "execution_count": [7]}, parent)

# %% nn_loss
kernel = get_ipython().kernel
session, parent = kernel.session, kernel.get_parent("shell")

for odd in ODD:
    session.send(kernel.iopub_socket, "stream", {"name": odd, "text": odd}, parent)

# %% nn_forward_backward
kernel = get_ipython().kernel
session, parent = kernel.session, kernel.get_parent("shell")

for odd in ODD:
    content = {"ename": odd, "evalue": odd, "traceback": odd}
    session.send(kernel.iopub_socket, "error", content, parent)

# %% numeric_gradient
kernel = get_ipython().kernel
session, parent = kernel.session, kernel.get_parent("shell")

for odd in ODD:
    session.send(kernel.iopub_socket, "stream", {"name": "stdout", "text": "x"}, parent, metadata={"x": odd})
    session.send(kernel.iopub_socket, "display_data", {"data": {}, "metadata": odd}, parent)
    session.send(kernel.iopub_socket, "display_data", {"data": odd, "metadata": {}}, parent)
