"""A folder like Gradescope's /autograder, and something like its container to run it in.

The container is made of namespaces: it has a user `student`, only the capabilities that Docker
gives, and allows no user namespace inside, as Docker's filter does not either. Only root can make
it.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.submissions import ROOT

STUDENT = 61007  # nobody's number here
CAPABILITIES = (
    "chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "net_bind_service", "net_raw", "sys_chroot", "mknod", "audit_write", "setfcap",
)  # fmt: skip
LAUNCH = """
import os, sys
from autograder.sandbox import namespaces
process = os.getpid()
ready, go = os.pipe()
if (outside := os.fork()) == 0:
    os.close(go)
    os.read(ready, 1)
    for kind in ("uid", "gid"):
        with open(f"/proc/{process}/{kind}_map", "w") as file:
            file.write("0 0 65536")
    os._exit(0)
namespaces.call("unshare", namespaces.NEW_USER)
os.close(go)
assert os.waitpid(outside, 0)[1] == 0
namespaces.call("unshare", namespaces.NEW_NS)
namespaces.mount("none", "/", None, namespaces.MS_REC | namespaces.MS_PRIVATE)
os.execvp(sys.argv[1], sys.argv[1:])
"""
WITHOUT = (sys.executable, "-c", LAUNCH)  # with no sandbox inside
WITH = ("unshare", "--mount")
INSIDE = ("setpriv", "--bounding-set", "-all" + "".join(f",+{name}" for name in CAPABILITIES))


class Container:
    """An image made from an autograder's zip, of which each submission gets a copy."""

    def __init__(self, place: Path, zipped: Path) -> None:
        """Unpack the zip; its wheel is importable by the Python in /opt, as setup.sh has it."""
        self.place, self.image = place, place / "image"
        with zipfile.ZipFile(zipped) as archive:
            archive.extractall(self.image)
        (wheel,) = self.image.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(place / "site")
        python = place / "opt/gradient-check/bin/python"
        python.parent.mkdir(parents=True)
        python.write_text(
            f'#!/bin/sh\nPYTHONPATH={place}/site exec {sys.executable} -W ignore "$@"\n'
        )
        python.chmod(0o755)
        users = Path("/etc/passwd").read_text()
        (place / "passwd").write_text(f"{users}student:x:{STUDENT}:{STUDENT}::/:/bin/sh\n")

    def run(
        self,
        files: Mapping[str, bytes | str],
        sandbox: bool = False,
        metadata: str = "",
    ) -> "Run":
        """Hand files in, and let `run_autograder` grade them, where a `sandbox` is possible or not.

        In a text, `@root@` stands for the folder that is Gradescope's /autograder.
        """
        root = Path(tempfile.mkdtemp(dir=self.place))
        root.chmod(0o755)  # as Gradescope's: what closes it is run_autograder
        shutil.copytree(self.image, root / "source")
        for name, content in files.items():
            path = root / "submission" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            text = content.replace("@root@", str(root)) if isinstance(content, str) else ""
            path.write_bytes(text.encode() if isinstance(content, str) else content)
        (root / "submission").mkdir(exist_ok=True)
        if metadata:
            (root / "submission_metadata.json").write_text(metadata)
        script = shutil.copy(root / "source/run_autograder", root)
        os.chmod(script, 0o755)
        around = WITH if sandbox else WITHOUT
        done = subprocess.run(
            [*around, "bash", "-euc", self._script(script, sandbox)],
            cwd=root,
            env={
                "AUTOGRADER_ROOT": str(root),
                "PATH": os.environ["PATH"],
                "SECRET": "canary",
                "PYTHONPATH": str(ROOT),
            },
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return Run(root, done.stdout, json.loads((root / "results/results.json").read_text()))

    def _script(self, script: str, sandbox: bool) -> str:
        base, hold = Path(sys.base_prefix), self.place / "python"
        hold.mkdir(exist_ok=True)
        closed = [p for p in reversed(base.parents) if not p.stat().st_mode & 1]
        lines = [f"mount --bind {self.place}/opt /opt",
                 f"mount --bind {self.place}/passwd /etc/passwd"]  # fmt: skip
        if closed:  # Python lies in a home: let others in, but to nothing else there
            lines += [f"mount --bind {base} {hold}",
                      f"mount -t tmpfs -o mode=755 none {closed[0]}",
                      f"mkdir -p {base}", f"mount --bind {hold} {base}"]  # fmt: skip
        inside = () if sandbox else INSIDE
        if not sandbox:
            lines.append("echo 0 >/proc/sys/user/max_user_namespaces")
        return "\n".join([*lines, f"exec {shlex.join([*inside, script])}"])


class Run:
    """What came of a submission: stdout, which instructors read, and the results."""

    def __init__(self, root: Path, stdout: str, results: dict[str, Any]) -> None:
        self.root, self.stdout, self.results = root, stdout, results
        self.tests = {test["name"].split(":")[0]: test for test in results["tests"]}

    @property
    def points(self) -> float:
        """The sum of the checks' points, as Gradescope adds them up."""
        return sum(test["score"] for test in self.tests.values())


def require() -> None:
    """Skip a test unless a container can be made here."""
    made = subprocess.run([*WITHOUT, *INSIDE, "true"], capture_output=True, cwd=ROOT)
    if os.geteuid() != 0 or made.returncode:
        pytest.skip("only root can make a container here")
