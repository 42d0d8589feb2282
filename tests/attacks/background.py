"""Processes are left that should outlive the kernel: a daemon, and a program in its own session."""

# %% nn_forward_pass
import os
import shutil
import signal
import subprocess
import time

shutil.copy("/bin/sleep", "/scratch/gc-attack")
os.chmod("/scratch/gc-attack", 0o700)
subprocess.Popen(["/scratch/gc-attack", "600"], start_new_session=True)
subprocess.Popen("nohup /scratch/gc-attack 600 &", shell=True)
if os.fork() == 0:
    os.setsid()
    for number in range(1, 32):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    if os.fork() == 0:
        open("/proc/self/comm", "w").write("gc-attack")
        time.sleep(600)
    os._exit(0)
