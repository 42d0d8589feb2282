"""The kernel says it is done before it is, and answers what was not asked yet."""

# %% nn_forward_pass
kernel = get_ipython().kernel
session, parent = kernel.session, kernel.get_parent("shell")

for _ in range(3):
    session.send(kernel.iopub_socket, "status", {"execution_state": "idle"}, parent)
    session.send(kernel.iopub_socket, "status", {"execution_state": "restarting"}, parent)
replies = [
    {"status": "ok", "execution_count": 7, "user_expressions": {}, "payload": []},
    {"status": "error"}, {}, {"status": "error", "ename": 7, "evalue": [], "traceback": 7},
]
for content in replies:
    for header in (parent, {}, {"header": {"msg_id": "x"}}):
        session.send(kernel.shell_stream if hasattr(kernel, "shell_stream") else kernel.shell_socket,
                     "execute_reply", content, header, ident=session.session.encode())

# %% nn_loss
kernel = get_ipython().kernel
session, parent = kernel.session, kernel.get_parent("shell")

kernel.iopub_thread.schedule(lambda: None)
for frames in ([b"x"], [b"", b"<IDS|MSG>", b"", b"{", b"{", b"{", b"{"]):
    for channel in kernel.shell_streams if hasattr(kernel, "shell_streams") else []:
        channel.send_multipart(frames)
