"""Display ids that cannot be one, comms that cannot be opened, states nobody knows."""

# %% nn_forward_pass
kernel = get_ipython().kernel
session, parent = kernel.session, kernel.get_parent("shell")

send = lambda kind, content: session.send(kernel.iopub_socket, kind, content, parent)
send("status", {"execution_state": ["idle"]})
send("clear_output", {"wait": []})
send("comm_open", {"comm_id": "x", "target_name": ["x"], "data": {"state": {"_model_name": 7}}})
send("comm_msg", {"comm_id": [], "data": {"state": []}})
send("display_data", {"data": {}, "metadata": {}, "transient": {"display_id": ["x"]}})
