"""Another Unix user as the wall around kernels, where a container allows no namespaces.

What only root may read is out of a kernel's reach: the answers, the gradebook, the grader's own
processes. The filter of system calls leaves it no network. All kernels of a machine share this
user, so one may run at a time. The warm process stays root's: it runs nothing that a student wrote.
"""

import os
import signal
import tempfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path

from autograder.errors import SandboxError
from autograder.sandbox import calls, namespaces


def enter(user: int) -> None:
    """Become another user for good, without capabilities and network. Raises OSError."""
    os.setgroups([])
    os.setresgid(*[namespaces.NOBODY] * 3)
    os.setresuid(user, user, user)
    namespaces.drop_privileges()
    namespaces.call("prctl", namespaces.PR_SET_DUMPABLE, 1, 0, 0, 0)  # its /proc is its own again
    namespaces.call("prctl", namespaces.PR_SET_PDEATHSIG, signal.SIGKILL)
    calls.allow_only_these(calls.LOCAL)


def end_all(user: int) -> None:
    """End every process of a user: what a kernel started may have left it."""
    child = os.fork()
    if child == 0:
        try:
            os.setresuid(user, user, user)
            if user > 0 and os.getresuid() == (user,) * 3:  # as root, it would end the machine
                os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def require(user: int, hidden: Iterable[str], needed: Iterable[str] = ()) -> None:
    """Raise SandboxError unless kernels can run as this user.

    The user can read nothing `hidden`, and all that is `needed`.
    """
    if not hasattr(os, "pidfd_open") or os.geteuid() != 0:
        raise SandboxError("submissions can run as another user only if root grades, on Linux.")
    if open_to := _first(user, list(hidden), readable=True):
        raise SandboxError(
            f"{open_to} must be hidden from submissions, but the user they run as (number {user}) "
            f"can read it; run `chmod go-rwx {open_to}`."
        )
    if closed := _first(user, list(needed), readable=False):
        raise SandboxError(
            f"submissions run as the user number {user}, who cannot read {closed}; install Python "
            "and its packages where everybody can read them."
        )


def _first(user: int, paths: list[str], *, readable: bool) -> str:
    """Return the first path that a user can read or pass through, or cannot, or nothing."""
    child = os.fork()
    if child == 0:
        found = len(paths)  # not even asked: as if none was as it should be
        try:
            os.setgroups([])
            os.setresgid(*[namespaces.NOBODY] * 3)
            os.setresuid(user, user, user)
            ways, enough = (os.R_OK, os.X_OK), any if readable else all
            can = [enough(os.access(path, way) for way in ways) for path in paths]
            found = can.index(readable) if readable in can else 255
        finally:
            os._exit(found)
    found = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return "" if found == 255 else paths[min(found, len(paths) - 1)]


def folder_in(folder: str, user: int) -> str:
    """Make a user's own folder in one of root's, where no link can be put in its place."""
    own = os.path.join(folder, "submission")
    os.chmod(folder, 0o711)
    os.mkdir(own, 0o700)
    os.chown(own, user, namespaces.NOBODY)
    return own


@contextmanager
def readable(package: Mapping[str, str]) -> Generator[str]:
    """Give a folder that everybody can read, with the files of the student's package by name."""
    with tempfile.TemporaryDirectory("-course") as folder:
        for name, file in package.items():
            copy = Path(folder, name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(Path(file).read_bytes())
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder
