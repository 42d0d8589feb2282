"""No cell is ever done: the kernel does not say so."""

REASON = "ran longer than"

# %% nn_forward_pass
from autograder.sandbox.kernel import LINE
from autograder.sandbox.records import DONE

send = LINE.send
LINE.send = lambda kind, **content: kind == DONE or send(kind, **content)
