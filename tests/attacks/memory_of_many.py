"""Many processes take memory, each of them little."""

REASON = "more memory than it may"

# %% nn_forward_pass
import os
import time

for number in range(8):
    if os.fork() == 0:
        open("/proc/self/comm", "w").write("gc-attack")
        taken = bytearray(b"x") * (100 << 20)
        time.sleep(60)
        os._exit(0)
time.sleep(60)
