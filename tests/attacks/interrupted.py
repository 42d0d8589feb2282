"""Every cell runs to its time limit, and gives way to the interrupt."""

REASON = "this cell ran longer than"

# %% nn_forward_pass
import time

time.sleep(100)
