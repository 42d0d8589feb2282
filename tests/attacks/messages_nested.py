"""What is displayed is nested, hundreds of levels deep."""

# %% nn_forward_pass
kernel = get_ipython().kernel
session, parent = kernel.session, kernel.get_parent("shell")

for depth in (50, 150, 250, 330, 400, 490):
    nested = 7
    for _ in range(depth):
        nested = [nested] if depth % 20 else {"a": nested}
    content = {"data": {"application/json": nested, "text/plain": "x"}, "metadata": {"a": nested}, "transient": {}}
    session.send(kernel.iopub_socket, "display_data", content, parent)
