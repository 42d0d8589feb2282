"""A record says that it is larger than all memory, and is not; or ends in the middle."""

REASON = "displayed more than"

# %% nn_forward_pass
import time

from autograder.sandbox.kernel import LINE
from autograder.sandbox.records import HEADER

LINE._socket.sendall(HEADER.pack(2**32 - 1, LINE._cell, 1, b"D") + b"{")
time.sleep(100)
