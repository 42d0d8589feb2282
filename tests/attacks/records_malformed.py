"""Records that are none: of kinds nobody knows, no JSON, parts missing."""

REASON = "what the kernel sent cannot be read"

# %% nn_forward_pass
from autograder.sandbox.kernel import LINE
from autograder.sandbox.records import HEADER

for number, (kind, content) in enumerate((
    (b"S", b'{"name": "stdout"}'), (b"Z", b"{}"), (b"D", b"{"), (b"O", b"null"), (b"E", b"[]"), (b"D", b"\xff\xfe"),
    (b"S", b'{"name": "stdout", "text": ' + b"[" * 100_000), (b"O", b'{"count": NaN}'), (b".", b""),
), start=1):
    LINE._socket.sendall(HEADER.pack(len(content), LINE._cell, number, kind) + content)
