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
        self._last = {line["student"]: line for line in self.lines()}

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

    def has(self, prepared: Prepared, answers: str) -> bool:
        """Say whether this very submission was judged by these answers, and is still there.

        `answers` is the digest of an assignment's.
        """
        there = self._assignment.autograded(prepared.student).is_dir()
        last = self._last.get(prepared.student, {})
        same = last.get("digest") == prepared.digest and last.get("answers") == answers
        return there and same and not last["error"]

    def add(self, prepared: Prepared, graded: Graded, answers: str) -> None:
        """Write a line for a submission that ran."""
        self._write({"digest": prepared.digest, **asdict(graded), "answers": answers})

    def judged_again(self, student: str, answers: str) -> None:
        """Write a line for a submission whose evidence was judged by other answers."""
        last = self._last.get(student)
        if last and last.get("answers") != answers:
            self._write({**last, "answers": answers})

    def _write(self, line: dict) -> None:
        line["time"] = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self.path.parent.mkdir(exist_ok=True)
        cut_off = self.path.exists() and not self.path.read_bytes().endswith(b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" * cut_off + json.dumps(line) + "\n")
        self._last[line["student"]] = line
