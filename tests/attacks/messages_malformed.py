"""Messages of the kernel itself that are none: no JSON, parts missing, parts too many."""

# %% nn_forward_pass
import time

kernel = get_ipython().kernel
session, parent = kernel.session, kernel.get_parent("shell")

raw = kernel.iopub_thread.send_multipart
good = session.serialize(session.msg("stream", {"name": "stdout", "text": "x"}, parent), b"stream")
for frames in (
    [b""], [b"stream"], [b"<IDS|MSG>"], [b"<IDS|MSG>", b""], good[:4], [*good[:3], b"{", *good[4:]],
    [*good[:3], b"null", *good[4:]], [*good[:3], b"[]", b"[]", b"[]", b"[]"], [*good[:6], b"\xff\xfe"],
    [*good[:4], b"7", b"7", b"7"], [*good[:2], b"signature", *good[3:]], [*good, *[b"x"] * 1000],
    [*good[:6], b'{"name": "stdout", "text": ' + b"[" * 100_000], [*good[:6], b'{"text": NaN}'],
):
    raw(frames)
    time.sleep(0.01)
print("still here")
