"""Records on one socket: taken only when they are due and small enough, whoever wrote them."""

import json
import socket
import threading
import time

import numpy as np
import pytest

from autograder.sandbox import records
from autograder.sandbox.records import DISPLAY, DONE, HEADER, STREAM, Malformed, TooLarge, packed


@pytest.fixture
def line():
    """Return a reader of cell 3, and the socket that its records are written to."""
    ours, theirs = socket.socketpair()
    reader = records.Reader(ours)
    reader.begin(3)
    with ours, theirs:
        yield reader, theirs


def soon():
    return time.monotonic() + 5


def at_once():
    return time.monotonic() + 0.05


def test_a_record_arrives_as_it_was_sent(line):
    reader, theirs = line
    theirs.sendall(packed(STREAM, 3, 1, {"text": "h\u00e9"}) + packed(DONE, 3, 2, {}))
    assert reader.next(soon(), 100) == (STREAM, '{"text": "h\u00e9"}'.encode())
    assert reader.next(soon(), 100) == (DONE, b"{}")


def test_what_is_no_text_and_no_number_of_python_s_is_made_one():
    content = {"text": "a\ud800b", "n": np.int64(7), "x": np.float32(0.5)}
    data = json.loads(packed(STREAM, 1, 1, content)[HEADER.size :])
    assert data == {"text": "a?b", "n": 7, "x": 0.5}


@pytest.mark.parametrize(
    ("value", "error"), [(float("nan"), ValueError), ({1, 2}, TypeError), (object(), TypeError)]
)
def test_what_is_no_json_is_an_error_where_it_is_sent(value, error):
    with pytest.raises(error):
        packed(DISPLAY, 1, 1, {"data": value})


def test_a_record_may_come_in_pieces(line):
    reader, theirs = line
    for byte in packed(STREAM, 3, 1, {"a": 1}):
        theirs.sendall(bytes([byte]))
    assert reader.next(soon(), 100).content == b'{"a": 1}'


def test_a_large_record_does_not_wait_for_the_other_side(line):
    reader, theirs = line
    data = packed(DISPLAY, 3, 1, {"data": "x" * 2**22})
    writer = threading.Thread(target=theirs.sendall, args=(data,))
    writer.start()
    assert len(reader.next(soon(), 2**23).content) == 2**22 + 12
    writer.join()


@pytest.mark.parametrize(
    "data",
    [
        HEADER.pack(2, 3, 1, b"?") + b"{}",  # no such kind
        HEADER.pack(2, 3, 1, records.RUN) + b"{}",  # not the kernel's to say
        HEADER.pack(2, 4, 1, DONE) + b"{}",  # a cell that has not begun
        HEADER.pack(2, 3, 2, DONE) + b"{}",  # one is missing
        HEADER.pack(2, 3, 0, DONE) + b"{}",
        b"\0" * HEADER.size,
        b"\xff" * HEADER.size,
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_record_that_is_due_is_malformed(line, data):
    reader, theirs = line
    theirs.sendall(data)
    with pytest.raises(Malformed):
        reader.next(soon(), 100)


def test_a_record_that_comes_twice_is_malformed(line):
    reader, theirs = line
    theirs.sendall(2 * packed(STREAM, 3, 1, {}))
    reader.next(soon(), 100)
    with pytest.raises(Malformed, match="comes twice"):
        reader.next(soon(), 100)


def test_what_an_earlier_cell_sends_later_is_empty(line):
    reader, theirs = line
    theirs.sendall(packed(STREAM, 2, 9, {"text": "late"}) + packed(DONE, 3, 1, {}))
    assert reader.next(soon(), 100) == (b"", b"")
    assert reader.next(soon(), 100).kind == DONE


@pytest.mark.parametrize("size", [101, 2**32 - 1])
def test_a_record_that_is_too_large_is_refused_before_it_is_read(line, size):
    reader, theirs = line
    theirs.sendall(HEADER.pack(size, 3, 1, DISPLAY) + b"x" * 50)
    with pytest.raises(TooLarge):
        reader.next(soon(), 100)
    assert len(reader._read) == HEADER.size + 50


def test_what_is_skipped_is_not_kept(line):
    reader, theirs = line
    data = HEADER.pack(2**22, 3, 1, DISPLAY) + b"x" * 2**22 + packed(DONE, 3, 2, {})
    writer = threading.Thread(target=theirs.sendall, args=(data,))
    writer.start()
    assert reader.skip(soon()) == DISPLAY
    assert len(reader._read) <= HEADER.size + 2
    assert reader.skip(soon()) == DONE
    writer.join()


def test_half_a_skipped_record_is_skipped_on(line):
    reader, theirs = line
    theirs.sendall(HEADER.pack(100, 3, 1, DISPLAY) + b"x" * 60)
    with pytest.raises(TimeoutError):
        reader.skip(at_once())
    theirs.sendall(b"x" * 40 + packed(DONE, 3, 2, {}))
    assert reader.skip(soon()) == DONE


@pytest.mark.parametrize("sent", [b"", b"\0\0", HEADER.pack(9, 3, 1, DONE), b"half a r"])
def test_silence_is_a_timeout_and_costs_nothing(line, sent):
    reader, theirs = line
    theirs.sendall(sent)
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        reader.next(at_once(), 100)
    assert time.monotonic() - start < 1


def test_after_a_timeout_the_record_is_read_on(line):
    reader, theirs = line
    data = packed(DONE, 3, 1, {})
    theirs.sendall(data[:14])
    with pytest.raises(TimeoutError):
        reader.next(at_once(), 100)
    theirs.sendall(data[14:])
    assert reader.next(soon(), 100).kind == DONE


def test_a_socket_that_closes_is_the_end(line):
    reader, theirs = line
    theirs.sendall(HEADER.pack(9, 3, 1, DONE) + b"half")
    theirs.close()
    with pytest.raises(EOFError):
        reader.next(soon(), 100)
    with pytest.raises(EOFError):
        reader.ask("1", soon())


def test_descriptors_that_are_sent_along_are_not_taken(line, tmp_path):
    reader, theirs = line
    with (tmp_path / "file").open("w") as file:
        socket.send_fds(theirs, [packed(DONE, 3, 1, {})], [file.fileno()] * 50)
        assert reader.next(soon(), 100).kind == DONE


def test_the_source_of_a_cell_is_a_record_too(line):
    reader, theirs = line
    reader.ask("print('h\u00e9')", soon())
    length, cell, _, kind = HEADER.unpack(theirs.recv(HEADER.size))
    assert (cell, kind) == (3, records.RUN)
    assert json.loads(theirs.recv(length)) == {"source": "print('h\u00e9')"}


def test_a_kernel_that_does_not_read_is_a_timeout(line):
    reader, _ = line
    with pytest.raises(TimeoutError):
        reader.ask("x" * 2**24, at_once())
