"""What an instructor decides about checks once a class is graded: left out, given, or a bonus."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

import nbformat
from traitlets import List, Unicode
from traitlets.config import Config, LoggingConfigurable

from autograder.grading.course import CourseError
from autograder.grading.exercises import exercises
from autograder.grading.notebooks import grade_id, is_autograded
from autograder.notebook.judge import Verdict

LEFT_OUT, GIVEN, BONUS = "left out", "given", "bonus"
SAID = {
    LEFT_OUT: "this check does not count, for anybody",
    GIVEN: "everybody has full marks for this check",
}


class Grading(LoggingConfigurable):
    """Exercises or checks that count otherwise, as `assignment/name`."""

    drop = List(Unicode(), help="left out: neither points nor maximum").tag(config=True)
    full_marks = List(Unicode(), help="full marks for everybody").tag(config=True)
    bonus = List(Unicode(), help="points beyond the maximum").tag(config=True)


@dataclass(frozen=True)
class Rules:
    """The rule of each check that has one, and the points of every check without it."""

    of: Mapping[str, str] = field(default_factory=dict)
    points: Mapping[str, float] = field(default_factory=dict)

    def maximum(self, check: str) -> float:
        """Return what a check adds to the points that one can have."""
        return 0.0 if self.of.get(check) in (LEFT_OUT, BONUS) else self.points[check]

    def worth(self, check: str, otherwise: float) -> float:
        """Return the points of a check that is right; `otherwise` if no rule is known for it."""
        rule = self.of.get(check)
        return 0.0 if rule == LEFT_OUT else self.points[check] if rule else otherwise

    def applied(self, verdict: Verdict) -> Verdict:
        """Return a verdict with the rule of its check."""
        rule = self.of.get(verdict.check)
        if rule not in SAID:
            return verdict
        reason = verdict.reason if verdict.fraction < 1 else ""
        said = f"{SAID[rule]}; without that: {reason}" if reason else SAID[rule]
        return replace(verdict, fraction=1.0 if rule == GIVEN else verdict.fraction, reason=said)


NO_RULES = Rules()


def rules_of(notebook: Path, config: Config) -> Rules:
    """Read the rules for an instructor's notebook from a configuration. Raises CourseError."""
    nb = nbformat.read(notebook, 4)
    points = {
        grade_id(cell): float(cell.metadata.nbgrader.points)
        for cell in nb.cells
        if is_autograded(cell)
    }
    exercise_of, grading, of = exercises(nb), Grading(config=config), {}
    for rule, names in ((LEFT_OUT, grading.drop), (GIVEN, grading.full_marks),
                        (BONUS, grading.bonus)):  # fmt: skip
        for name in names:
            where, _, what = name.partition("/")
            if where != notebook.stem:
                continue
            found = [check for check in points if what in (check, exercise_of[check])]
            if not found:
                raise CourseError(_unknown(name, what, {*points, *exercise_of.values()}))
            of.update(dict.fromkeys(found, rule))
    return Rules(of, points)


def _unknown(name: str, what: str, known: Set[str]) -> str:
    alike = get_close_matches(what, known, 1)
    meant = f"did you mean {alike[0]}?" if alike else f"there are {', '.join(sorted(known))}."
    return (
        f"nbgrader_config.py, c.Grading: {name} is not an exercise, nor one of its checks; {meant} "
        "(Written answers are marked in formgrader.)"
    )
