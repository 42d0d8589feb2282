"""The first lines of the process that submissions run under: shut in first, imports afterwards."""

import json
import os
import socket
import subprocess
import sys

import pytest

from autograder.sandbox import forkserver, kernel, namespaces, package, start

ORDER = {
    "sandbox": True, "paths": [sys.prefix, sys.base_prefix], "environment": {}, "preload": [],
    "course": str(package.CLONE), "source": "nowhere", "fork": True,
    "package": {name: str(file) for name, file in package.contents().items()},
}  # fmt: skip


def started(order, waits=True) -> tuple[str, int, str]:
    """Start the process as `client` does, and end it: its first line, status and complaints."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [sys.executable, "-I", start.__file__, str(theirs.fileno())]
        process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], env={}, cwd="/", stderr=subprocess.PIPE, text=True
        )
        theirs.close()
        ours.sendall(json.dumps(order).encode() + b"\n")
        line = ""
        with ours.makefile() as answers:
            if waits:
                line = answers.readline()
    _, complaints = process.communicate(timeout=30)
    return line, process.returncode, complaints


@pytest.mark.parametrize(("sandbox", "fork"), [(True, True), (False, True), (False, False)])
def test_it_says_that_it_is_ready_and_ends_when_nobody_listens(sandbox, fork):
    assert started(ORDER | {"sandbox": sandbox, "fork": fork}) == ('{"error": ""}\n', 0, "")


def test_it_ends_without_a_word_if_nobody_waited_until_it_was_ready():
    assert started(ORDER, waits=False) == ("", 0, "")


def test_what_it_imports_of_the_course_is_the_student_s_package_alone():
    lacking = {n: f for n, f in ORDER["package"].items() if n != "autograder/sandbox/forkserver.py"}
    line, status, complaints = started(ORDER | {"package": lacking})
    assert line == "" and status != 0
    assert "cannot import name 'forkserver' from 'autograder.sandbox'" in complaints
    line, status, _ = started(ORDER | {"package": lacking, "sandbox": False})
    assert (line, status) == ('{"error": ""}\n', 0)


def test_nothing_of_the_course_is_imported_before_the_sandbox_is_entered():
    code = (
        "import json, runpy, sys\n"
        "before = list(sys.path)\n"
        f"found = runpy.run_path({start.__file__!r})\n"
        "print(json.dumps([sys.path == before, [n for n in sys.modules if 'autograder' in n],\n"
        "                  callable(found['main'])]))"
    )
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True, [], True]


@pytest.fixture
def main(monkeypatch):
    """Return a function that runs `main` in this process, without a sandbox. It has the answer."""
    entered, served = [], []
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "namespaces", namespaces)
    monkeypatch.setattr(os, "chdir", lambda place: entered.append(place))
    monkeypatch.setattr(namespaces, "enter", lambda *order: entered.append(order))
    monkeypatch.setattr(kernel, "warm_up", lambda order: order["preload"])
    monkeypatch.setattr(forkserver, "threads", lambda: "")
    monkeypatch.setattr(forkserver, "serve", lambda _: served.append(("serve", sys.path[0])))
    monkeypatch.setattr(kernel, "run", lambda _: served.append(("run", sys.path[0])))

    def run(order):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(json.dumps(order).encode() + b"\n")
            start.main(theirs)
            return entered, served, json.loads(ours.recv(4096))

    return run


def test_the_order_is_carried_out_inside(main):
    entered, served, said = main(ORDER | {"preload": ""})
    assert entered == [(ORDER["paths"], ORDER["package"]), "/"]
    assert (served, said) == ([("serve", namespaces.COURSE)], {"error": ""})


@pytest.mark.parametrize(("fork", "does"), [(True, "serve"), (False, "run")])
def test_without_a_sandbox_the_course_is_the_clone(main, fork, does):
    entered, served, _ = main(ORDER | {"sandbox": False, "fork": fork, "preload": ""})
    assert (entered, served) == ([], [(does, str(package.CLONE))])


@pytest.mark.parametrize("fork", [True, False])
def test_what_cannot_be_imported_is_said_and_nothing_is_served(main, fork):
    _, served, said = main(ORDER | {"fork": fork, "preload": "json.no_such cannot be imported"})
    assert (served, said) == ([], {"error": "json.no_such cannot be imported"})


def test_where_there_is_no_sandbox_it_says_why_and_serves_nothing(main, monkeypatch):
    def refuse(*_):
        raise namespaces.NoSandbox("it needs Linux")

    monkeypatch.setattr(namespaces, "enter", refuse)
    _, served, said = main(ORDER)
    assert (served, said) == ([], {"no_sandbox": "it needs Linux"})
