"""Comms with a megabyte in a buffer each, which a widget would keep."""

# %% nn_forward_pass
kernel = get_ipython().kernel
session, parent = kernel.session, kernel.get_parent("shell")

buffer = b"x" * (1 << 20)
for number in range(3000):
    data = {"state": {"_model_name": "x"}, "buffer_paths": [["value", str(number)]]}
    content = {"comm_id": "x", "data": data, "target_name": "x"}
    session.send(kernel.iopub_socket, "comm_open" if number == 0 else "comm_msg", content, parent, buffers=[buffer])
