"""Well-formed records in which every field has the type that nobody expects."""

# %% nn_forward_pass
from autograder.sandbox.kernel import LINE
from autograder.sandbox.records import CLEAR, DISPLAY, ERROR, RESULT, UPDATE

ODD = (None, 7, "x", [], {}, [None], {"x": None}, [[7]], True)
for odd in ODD:
    for kind in ("text/html", "text/plain", "image/png", "application/javascript", "text/latex",
                 "image/svg+xml", "application/json", "text/markdown"):
        LINE.send(DISPLAY, data={kind: odd}, id=None, metadata=odd)
        LINE.send(RESULT, data={kind: odd}, count=7, metadata={"x": odd}, output_type=odd)
    LINE.send(CLEAR, wait=odd)
    LINE.send(UPDATE, data={}, id="x")

# %% nn_loss
from autograder.sandbox.kernel import LINE
from autograder.sandbox.records import ERROR

LINE.send(ERROR, ename=7, evalue=[], traceback={})
