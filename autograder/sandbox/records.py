"""What a kernel and the grader say to each other: records on one socket.

A record is a header and a JSON document. The grader sends the source of a cell; the kernel answers
with what the cell shows, and at last with `DONE`. The grader trusts none of it: a record is taken
from the socket only when its header says that it belongs to the cell, is the next one, and is small
enough.
"""

import json
import socket
import struct
import time
from numbers import Integral, Real
from typing import Any, NamedTuple

HEADER = struct.Struct("!IIIc")  # bytes that follow, number of the cell, of the record in it, kind
RUN, DONE = b"R", b"."
STREAM, DISPLAY, UPDATE, RESULT, ERROR, CLEAR = b"S", b"D", b"U", b"O", b"E", b"C"
SHOWN = frozenset((STREAM, DISPLAY, UPDATE, RESULT, ERROR, CLEAR, DONE))
CHUNK = 1 << 18


class Malformed(Exception):
    """What a kernel sent is not a record, or not the one that is due."""


class TooLarge(Exception):
    """The next record is larger than what may be read."""


class Record(NamedTuple):
    """One record, not parsed yet: nothing is known of its content but its size in bytes."""

    kind: bytes
    content: bytes


def packed(kind: bytes, cell: int, number: int, content: dict[str, Any]) -> bytes:
    """Write a record.

    Half a surrogate pair, which is no text, becomes a question mark. Raises TypeError and
    ValueError for what is no JSON.
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, default=_plain)
    data = text.encode("utf-8", "replace")
    return HEADER.pack(len(data), cell, number, kind) + data


def _plain(value: Any) -> Any:
    """Write a number of NumPy's as one of Python's. Raises TypeError for anything else."""
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise TypeError(f"an object of type {type(value).__name__} cannot be displayed as JSON")


class Reader:
    """The grader's end of a line to a kernel, for one cell after the other."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._read = bytearray()
        self._skip = 0  # bytes that are still to be thrown away
        self.begin(0)

    def begin(self, cell: int) -> None:
        """Expect the records of a cell."""
        self._cell, self._number = cell, 0

    def ask(self, source: str, until: float) -> None:
        """Send the source of this cell. Raises TimeoutError and EOFError."""
        self._line.settimeout(max(0.001, until - time.monotonic()))
        try:
            self._line.sendall(packed(RUN, self._cell, 0, {"source": source}))
        except ConnectionError:
            raise EOFError from None

    def next(self, until: float, most: int) -> Record:
        """Return the next record of this cell, of at most `most` bytes.

        One of an earlier cell is returned as an empty one: a thread may write on when its cell
        is done. Raises TimeoutError at `until` (of the monotonic clock); EOFError if the other
        side has closed the socket; Malformed; TooLarge, and then takes nothing.
        """
        length, cell, number, kind = self._header(until)
        if kind not in SHOWN or cell > self._cell:
            raise Malformed("no such kind of record, or of a cell that has not begun")
        if length > most:
            raise TooLarge
        if cell == self._cell and number != self._number + 1:
            raise Malformed("a record is missing, or comes twice")
        self._fill(HEADER.size + length, until)
        content = bytes(self._read[HEADER.size : HEADER.size + length])
        del self._read[: HEADER.size + length]
        if cell != self._cell:
            return Record(b"", b"")
        self._number = number
        return Record(kind, content)

    def skip(self, until: float) -> bytes:
        """Throw the next record away, whatever its size. Returns its kind, if of this cell.

        Raises TimeoutError and EOFError.
        """
        length, cell, _, kind = self._header(until)
        del self._read[: HEADER.size]
        self._skip = length
        self._fill(0, until)
        return kind if cell == self._cell else b""

    def _header(self, until: float) -> tuple[int, int, int, bytes]:
        self._fill(HEADER.size, until)
        return HEADER.unpack_from(self._read)

    def _fill(self, size: int, until: float) -> None:
        """Receive what was to be skipped, and then until `size` bytes are here."""
        while self._skip or len(self._read) < size:
            skipped = min(self._skip, len(self._read))
            del self._read[:skipped]
            self._skip -= skipped
            if self._skip or len(self._read) < size:
                self._read += self._receive(until)

    def _receive(self, until: float) -> bytes:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._line.settimeout(left)
        try:
            data = self._line.recv(CHUNK)
        except ConnectionError:
            data = b""
        if not data:
            raise EOFError
        return data
