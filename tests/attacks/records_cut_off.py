"""The kernel stops in the middle of a record, and lives."""

REASON = "ran longer than 3 s and could not be interrupted"

# %% nn_forward_pass
import time

from autograder.sandbox.kernel import LINE
from autograder.sandbox.records import HEADER

LINE._socket.sendall(HEADER.pack(100, LINE._cell, 1, b"D")[:7])
while True:
    try:
        time.sleep(100)
    except BaseException:
        pass
