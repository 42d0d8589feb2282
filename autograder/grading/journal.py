"""The journal of an assignment: a line for each submission that was graded.

It is the log of every run, and it is how a run that was cut off knows where to go on.
"""

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from autograder.course import Course
from autograder.prepare import Prepared

if TYPE_CHECKING:
    from autograder.grade import Graded


class Journal:
    """`logs/ASSIGNMENT.jsonl` in the course folder."""

    def __init__(self, course: Course, assignment: str) -> None:
        self.path = course.root / "logs" / f"{assignment}.jsonl"
        self._course, self._assignment = course, assignment
        # of a student's lines the last one counts: what failed since is to be graded again
        self._digests = {
            line["student"]: "" if line["error"] else line["digest"] for line in self.lines()
        }

    def lines(self) -> list[dict]:
        """Return what was written, oldest first; a line that was cut off is not one."""
        found = []
        if self.path.exists():
            for line in self.path.read_bytes().splitlines():
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if isinstance(entry, dict) and {"student", "digest", "error"} <= entry.keys():
                    found.append(entry)
        return found

    def has(self, prepared: Prepared) -> bool:
        """Say whether this very submission was graded, and what came of it is still there."""
        folder = self._course.folder("autograded", prepared.student, self._assignment)
        return self._digests.get(prepared.student) == prepared.digest and folder.is_dir()

    def add(self, prepared: Prepared, graded: "Graded") -> None:
        """Write a line."""
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "digest": prepared.digest}
        self.path.parent.mkdir(exist_ok=True)
        cut_off = self.path.exists() and not self.path.read_bytes().endswith(b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" * cut_off + json.dumps({**line, **asdict(graded)}) + "\n")
        self._digests[graded.student] = "" if graded.error else prepared.digest
