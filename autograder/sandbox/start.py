"""The process that everything a student wrote runs under, from its first line.

`python -I start.py FD`, with a socket as file descriptor FD. It shuts itself in before it
imports anything of the course, and then imports `autograder.sandbox.forkserver` from the
student's package: the only part of the course inside.
"""

import json
import os
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import namespaces  # by its own name: what it is a part of is not seen inside

del sys.path[0]


def main(control: socket.socket) -> None:
    """Enter the sandbox as told over a socket, and serve warm kernels on it.

    The answer to the first message is a line of JSON with an `error`, or with none.
    """
    order = json.loads(control.makefile("rb").readline())
    try:
        if order["sandbox"]:
            namespaces.enter(order["paths"], order["package"])
            os.chdir("/")
        sys.path.insert(0, namespaces.COURSE if order["sandbox"] else order["course"])
    except namespaces.NoSandbox as error:
        control.sendall(json.dumps({"error": str(error)}).encode() + b"\n")
        return
    from autograder.sandbox import forkserver

    forkserver.serve(control, order)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
