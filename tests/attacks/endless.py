"""A loop that no interrupt ends."""

REASON = "could not be interrupted|took longer"

# %% nn_forward_pass
import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
