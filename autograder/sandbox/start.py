"""The process that everything a student wrote runs under, from its first line.

`python -I start.py FD`, with a socket as file descriptor FD; on Windows, which cannot hand one
on, it is shared through standard input. The process shuts itself in before it imports anything
of the course, and then imports `autograder.sandbox` from the student's package: the only part
of the course inside.
"""

import json
import os
import socket
import sys


def main(control: socket.socket) -> None:
    """Do what the order on a socket says: serve warm kernels on it, or become a kernel.

    The answer to the order is a line of JSON with an `error`, which may be none, or with what
    there is `no_sandbox` for.
    """
    order = json.loads(control.makefile("rb").readline())
    course = order["course"]
    if order["sandbox"]:
        sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
        import namespaces  # by its own name: what it is a part of is not seen inside

        del sys.path[0]
        try:
            namespaces.enter(order["paths"], order["package"])
        except namespaces.NoSandbox as error:
            control.sendall(json.dumps({"no_sandbox": str(error)}).encode() + b"\n")
            return
        os.chdir("/")
        course = namespaces.COURSE
    sys.path.insert(0, course)
    from autograder.sandbox import kernel

    error = kernel.warm_up(order)
    if order["fork"] and not error:
        from autograder.sandbox import forkserver

        error = forkserver.threads()
    try:
        control.sendall(json.dumps({"error": error}).encode() + b"\n")
    except ConnectionError:  # nobody waits for it any more
        return
    if not error:
        (forkserver.serve if order["fork"] else kernel.run)(control)


if __name__ == "__main__":
    if os.name == "posix":
        main(socket.socket(fileno=int(sys.argv[1])))
    else:
        main(socket.fromshare(sys.stdin.buffer.read()))
