"""The journal of an assignment: a line for each submission that was graded.

It is the log of every run, and it is how a run that was cut off knows where to go on.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from autograder.grading.course import AssignmentFolders
from autograder.grading.prepare import Prepared


@dataclass(frozen=True)
class Graded:
    """One submission that was graded or, with an `error`, could not be."""

    student: str
    error: str = ""
    notes: Mapping[str, Sequence[str]] | None = None  # what was repaired, by notebook
    seconds: float = 0.0  # in its kernel
    peak_memory: int = 0  # bytes


class Journal:
    """`logs/ASSIGNMENT.jsonl` in the course folder."""

    def __init__(self, assignment: AssignmentFolders) -> None:
        self.path = assignment.course.root / "logs" / f"{assignment.name}.jsonl"
        self._assignment = assignment
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
        there = self._assignment.autograded(prepared.student).is_dir()
        return there and self._digests.get(prepared.student) == prepared.digest

    def add(self, prepared: Prepared, graded: Graded) -> None:
        """Write a line."""
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "digest": prepared.digest}
        self.path.parent.mkdir(exist_ok=True)
        cut_off = self.path.exists() and not self.path.read_bytes().endswith(b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" * cut_off + json.dumps({**line, **asdict(graded)}) + "\n")
        self._digests[graded.student] = "" if graded.error else prepared.digest
