"""The gradebook has one writer, which records a submission completely or not at all."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbformat.v4 import new_notebook
from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    InvalidEntry,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    new_uuid,
)  # fmt: skip
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.utils import compute_checksum, determine_grade, is_grade, is_task
from sqlalchemy import insert, select, update
from sqlalchemy.exc import DatabaseError

from autograder.grading.course import AssignmentFolders, Course, CourseError, quiet
from autograder.grading.notebooks import answers, grade_id
from autograder.grading.rules import Rules

BROKEN = "not a database", "malformed"  # in what SQLite says
NEW_ONE = "restore a copy of it; or move it away, then release and grade again."
LATER = "nothing is lost: when it can be used, continue with `autograder grade --resume`."
PATIENCE = 120  # seconds to wait for a gradebook that someone else is writing

KINDS = {  # which cells of a notebook have a grade, and which a comment
    Grade: (attrgetter("grade_cells"), attrgetter("task_cells")),
    Comment: (attrgetter("solution_cells"), attrgetter("task_cells")),
}

Result = TypeVar("Result")


class GradebookWriter:
    """Writes the grades of one assignment, as nbgrader's `SaveAutoGrades` would."""

    def __init__(self, course: Course, assignment: str, gradebook: Gradebook) -> None:
        self.assignment, self.gradebook = assignment, gradebook
        self.url, self.config = course.coursedir.db_url, course.config
        found = gradebook.find_assignment(assignment)
        self._assignment_id = found.id
        self._notebooks = {notebook.id: notebook.name for notebook in found.notebooks}
        self._cells = {
            model: [
                (c.id, c.name, n.id) for n in found.notebooks for kind in kinds for c in kind(n)
            ]
            for model, kinds in KINDS.items()
        }

    def save(
        self,
        student: str,
        notebooks: Mapping[str, NotebookNode],
        timestamp: Any,
        earlier: Callable[[str], Mapping[str, str]],
    ) -> None:
        """Write the grades and comments of a judged submission. Raises CourseError.

        A score that a person gave stays. Its cell is marked for another look if its automatic score
        or the answer has changed; `earlier` returns what was answered in a notebook that was graded
        before (`notebooks.answers`).
        """
        patiently(
            lambda: self._save(student, notebooks, timestamp, cache(earlier)),
            self.gradebook.db.rollback,
        )

    def _save(
        self, student: str, notebooks: Mapping[str, NotebookNode], timestamp: Any, earlier: Callable
    ) -> None:
        db = self.gradebook.db
        when = {"timestamp": timestamp} if timestamp else {}
        cells = {(n, grade_id(c)): c for n, nb in notebooks.items() for c in nb.cells}
        now = cache(lambda name: answers(notebooks[name]))
        if (submission := self._submission(student)) is None:
            submission = self._add(student, cells, when)
        else:
            if when:
                mine = SubmittedAssignment.id == submission
                db.execute(update(SubmittedAssignment).where(mine).values(**when))
            for model, values in ((Grade, self._grade), (Comment, self._comment)):
                changes = []
                for row in db.execute(_rows(model, submission)).all():
                    if (cell := cells.get((row.notebook, row.cell))) is None:
                        continue
                    change = {"id": row.id, **values(cell)}
                    if model is Grade and row.manual is not None:
                        same = earlier(row.notebook).get(row.cell) == now(row.notebook)[row.cell]
                        same = same and change["auto_score"] == row.auto_score
                        change["needs_manual_grade"] = row.needs_manual_grade or not same
                    changes.append(change)
                if changes:
                    db.execute(update(model), changes)
        before = db.scalars(  # there may be one from before the date was changed
            select(SubmittedNotebook.late_submission_penalty).where(
                SubmittedNotebook.assignment_id == submission
            )
        ).all()
        due = db.scalar(select(Assignment.duedate).where(Assignment.id == self._assignment_id))
        db.commit()
        if due is not None or any(one is not None for one in before):
            self.assign_late_penalties(student)

    def _submission(self, student: str) -> str | None:
        """Return the id of a student's submission, if there is one."""
        return self.gradebook.db.scalar(
            select(SubmittedAssignment.id).where(
                SubmittedAssignment.assignment_id == self._assignment_id,
                SubmittedAssignment.student_id == student,
            )
        )

    def _add(self, student: str, cells: Mapping, when: Mapping) -> str:
        """Add a submission with its grades and comments, a statement a table. Returns its id.

        `Gradebook.add_submission` adds empty ones, a row at a time, to be changed later.
        """
        db, submission = self.gradebook.db, new_uuid()
        if db.scalar(select(Student.id).where(Student.id == student)) is None:
            db.execute(insert(Student), [{"id": student}])
        row = {"id": submission, "assignment_id": self._assignment_id, "student_id": student}
        db.execute(insert(SubmittedAssignment), [{**row, **when}])
        own = {notebook: new_uuid() for notebook in self._notebooks}
        db.execute(
            insert(SubmittedNotebook),
            [{"id": own[n], "notebook_id": n, "assignment_id": submission} for n in own],
        )
        for model, values in ((Grade, self._grade), (Comment, self._comment)):
            rows = []
            for cell_id, name, notebook in self._cells[model]:
                cell = cells.get((self._notebooks[notebook], name))
                filled = values(cell) if cell is not None else {}
                rows.append({"cell_id": cell_id, "notebook_id": own[notebook], **filled})
            if rows:
                db.execute(insert(model), rows)
        return submission

    def _grade(self, cell: NotebookNode) -> dict[str, Any]:
        score = determine_grade(cell)[0] if is_grade(cell) else None
        return {"auto_score": score, "needs_manual_grade": score is None}

    def _comment(self, cell: NotebookNode) -> dict[str, Any]:
        untouched = cell.metadata.nbgrader.get("checksum") == compute_checksum(cell)
        return {"auto_comment": "No response." if untouched and not is_task(cell) else None}

    def assign_late_penalties(self, student: str) -> None:
        """Let nbgrader's step take off what late work costs."""
        for name in self._notebooks.values():
            resources = ResourcesDict(nbgrader={
                "notebook": name, "assignment": self.assignment, "student": student,
                "db_url": self.url,
            })  # fmt: skip
            AssignLatePenalties(config=self.config).preprocess(new_notebook(), resources)


def _rows(model: type[Grade | Comment], submission: str) -> Any:
    """Select the grades or the comments of a submission, with the names of their cells."""
    names = BaseCell.name.label("cell"), Notebook.name.label("notebook")
    grade = Grade.manual_score.label("manual"), Grade.auto_score, Grade.needs_manual_grade
    return (
        select(model.id, *names, *(grade if model is Grade else ()))
        .join(BaseCell, model.cell_id == BaseCell.id)
        .join(SubmittedNotebook, model.notebook_id == SubmittedNotebook.id)
        .join(Notebook, SubmittedNotebook.notebook_id == Notebook.id)
        .where(SubmittedNotebook.assignment_id == submission)
    )


def graded_cells(assignment: AssignmentFolders) -> dict[str, dict[str, tuple[float, bool]]]:
    """Read the score of every graded cell, and whether a person has yet to mark it, by student.

    One query for a whole class. Raises CourseError.
    """

    def read() -> Sequence[Any]:
        assignment.require_release()
        with assignment.course.gradebook() as gradebook:
            return gradebook.db.execute(
                select(SubmittedAssignment.student_id, BaseCell.name, Grade.score,
                       Grade.needs_manual_grade)
                .select_from(Grade)
                .join(BaseCell, Grade.cell_id == BaseCell.id)
                .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
                .join(
                    SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id
                )
                .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
                .where(Assignment.name == assignment.name)
            ).all()  # fmt: skip

    found: dict[str, dict[str, tuple[float, bool]]] = {}
    for student, cell, score, unmarked in patiently(read):
        found.setdefault(student, {})[cell] = score or 0.0, bool(unmarked)
    return found


def auto_scores(assignment: AssignmentFolders) -> dict[str, dict[str, float]]:
    """Read what every check was worth when it was judged last, by student. Raises CourseError."""
    assignment.require_release()
    with assignment.course.gradebook() as gradebook:
        rows = gradebook.db.execute(
            select(SubmittedAssignment.student_id, BaseCell.name, Grade.auto_score)
            .select_from(SubmittedAssignment)
            .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
            .join(BaseCell, Grade.cell_id == BaseCell.id)
            .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
            .where(Assignment.name == assignment.name)
            .order_by(SubmittedAssignment.student_id)
        ).all()
    found: dict[str, dict[str, float]] = {}
    for student, cell, score in rows:
        found.setdefault(student, {})[cell] = score or 0.0
    return found


def penalties(assignment: AssignmentFolders) -> dict[str, float]:
    """Read the points that late work has cost, by student."""
    with assignment.course.gradebook() as gradebook:
        rows = gradebook.db.execute(
            select(SubmittedAssignment.student_id, SubmittedNotebook.late_submission_penalty)
            .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
            .where(Assignment.name == assignment.name)
        ).all()
    found: dict[str, float] = {}
    for student, penalty in rows:
        found[student] = found.get(student, 0.0) + (penalty or 0.0)
    return found


@dataclass(frozen=True)
class Totals:
    """What students have in an assignment, late penalties taken off, and what one can have.

    `unmarked` is the number of submissions with a written answer that nobody has marked.
    """

    maximum: float
    points: Mapping[str, float]
    unmarked: int


def totals(assignment: AssignmentFolders) -> Totals:
    """Read the points of everybody who handed in. Raises CourseError."""
    assignment.require_release()
    with assignment.course.gradebook() as gradebook:
        found = gradebook.assignment_submissions(assignment.name)
        points = {
            str(one.student.id): max(0.0, (one.score or 0.0) - (one.late_submission_penalty or 0.0))
            for one in found
        }
        maximum = gradebook.find_assignment(assignment.name).max_score or 0.0
        return Totals(maximum, points, sum(bool(one.needs_manual_grade) for one in found))


def set_maxima(assignment: AssignmentFolders, rules: Rules) -> None:
    """Let the gradebook know what each check adds to the points that one can have."""
    with assignment.course.gradebook() as gradebook:
        write_maxima(gradebook, assignment.name, rules)


def write_maxima(gradebook: Gradebook, assignment: str, rules: Rules) -> None:
    """Do so in a gradebook that is open."""
    for notebook in gradebook.find_assignment(assignment).notebooks:
        for cell in notebook.grade_cells:
            if cell.name in rules.points and cell.max_score != rules.maximum(cell.name):
                cell.max_score = rules.maximum(cell.name)
    gradebook.db.commit()


def enrol(course: Course, people: Mapping[str, tuple[str, str]]) -> None:
    """Let the gradebook know who is in the class: name and address by student."""
    with course.gradebook() as gradebook:
        for name, (full_name, email) in people.items():
            last, comma, first = (part.strip() for part in full_name.partition(","))
            if not comma:
                first, _, last = full_name.strip().rpartition(" ")
            said: dict[str, Any] = {"first_name": first, "last_name": last, "email": email}
            gradebook.update_or_create_student(name, **{k: v for k, v in said.items() if v})


@contextmanager
def open_writer(assignment: AssignmentFolders) -> Generator[GradebookWriter]:
    """Open the gradebook for the time of a run."""
    with patiently(assignment.course.gradebook) as gradebook:
        # what was read stays valid after a commit: nobody else writes what this writes
        gradebook.db.session_factory.configure(expire_on_commit=False)
        yield GradebookWriter(assignment.course, assignment.name, gradebook)


def patiently(use: Callable[[], Result], undo: Callable[[], None] = lambda: None) -> Result:
    """Use a gradebook that others may lock for a while. Raises CourseError.

    The waiting is done here and not in SQLite, so that Ctrl-C ends it.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with quiet():
                return use()
        except (DatabaseError, InvalidEntry) as error:
            undo()
            if isinstance(error, InvalidEntry):  # nbgrader's name for what the database said
                error = error.__context__
            reason = str(getattr(error, "orig", error))
            if "locked" not in reason or time.monotonic() > deadline:
                what = NEW_ONE if any(sign in reason for sign in BROKEN) else LATER
                raise CourseError(f"the gradebook cannot be used ({reason}); {what}") from error
            time.sleep(0.5)
