"""The kernel kills itself: with a signal, which the first process does not get, and with a crash."""

REASON = "the kernel died"

# %% nn_forward_pass
import ctypes
import os
import signal

os.kill(os.getpid(), signal.SIGKILL)
ctypes.string_at(0)
