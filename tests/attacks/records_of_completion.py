"""The kernel says it is done before it is, with cells that were not asked yet."""

REASON = "left no evidence"

# %% nn_forward_pass
import time

from autograder.sandbox.kernel import LINE
from autograder.sandbox.records import DONE

for _ in range(3):
    LINE.send(DONE, count=7)
for _ in range(40):
    LINE.begin(LINE._cell + 1)
    LINE.send(DONE, count=7)
time.sleep(1)

# %% nn_loss
from autograder.sandbox.kernel import LINE
from autograder.sandbox.records import DONE

LINE.send(DONE, count=None)
