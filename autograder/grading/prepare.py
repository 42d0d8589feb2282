"""Prepare submissions: what was handed in, made ready to run.

A submission is repaired by the student version it started from, and gets back what is
not the student's: the text of locked cells, hidden tests among it, and the course's
own files. What comes out can be run anywhere; it is notebooks and files, as bytes.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.api import SourceCell
from nbgrader.converters import Autograde

from autograder import CHALLENGE_FILE, assignments
from autograder.grading import files, kept, notebooks, released, repair
from autograder.grading.course import AssignmentFolders, Course, CourseError
from autograder.grading.notebooks import NOTES, grade_id
from autograder.grading.repair import NotebookNotFound, Repaired, beside
from autograder.grading.repair.submitted import time_of
from autograder.grading.rules import Rules, rules_of
from autograder.notebook import cases
from autograder.notebook.artifacts import REAL, trained_on
from autograder.notebook.cases import RecordedCheck
from autograder.sandbox.limits import Limits

# repair and restore; run; judge; the gradebook's writer
DONE_HERE = {
    "ClearOutput", "DeduplicateIds", "OverwriteKernelspec", "OverwriteCells", "CheckCellMetadata",
    "Execute", "Judge", "SaveGrades", "AssignLatePenalties",
}  # fmt: skip


@dataclass(frozen=True)
class Original:
    """One notebook of an assignment: the released one, and the cells as the gradebook has them."""

    released: NotebookNode
    cells: Mapping[str, NotebookNode]

    def restore(self, notebook: NotebookNode) -> None:
        """Give a repaired notebook what is not the student's, as nbgrader's OverwriteCells does."""
        for cell in notebook.cells:
            if original := self.cells.get(grade_id(cell)):
                cell.metadata.nbgrader.checksum = original.checksum
                if cell.metadata.nbgrader.get("grade"):
                    cell.metadata.nbgrader.points = original.points
                if original.locked:
                    cell.source = original.source


@dataclass(frozen=True)
class Assignment:
    """An assignment, read once for a whole class."""

    folders: AssignmentFolders
    notebooks: Mapping[str, Original]
    files: Mapping[str, Path]  # the course's own, beside the notebook
    references: Mapping[str, RecordedCheck]
    challenge: bytes
    rules: Rules
    digest: str  # changes when a submission would run otherwise
    answers: str  # a digest of what it is judged by
    beside: tuple[int, int]  # bytes and number of files that may lie beside a notebook
    before: Sequence[Preprocessor]  # what an instructor added to nbgrader's own steps
    after: Sequence[Preprocessor]

    @cached_property
    def digests(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """What each check asks, and what it is judged by; see `kept`."""
        return kept.asked(self.references), kept.by(self.references)

    def evidence(self, student: str, notebook: str) -> Path:
        """Return where the evidence of a submission is kept."""
        return kept.place(self.folders.course.root, student, self.folders.name, notebook)


@dataclass(frozen=True)
class Prepared:
    """A submission that is ready to run: notebooks by name as JSON, files packed."""

    student: str
    notebooks: Mapping[str, bytes]
    files: bytes
    notes: Mapping[str, Sequence[str]]
    digest: str


def load_assignment(folders: AssignmentFolders) -> Assignment:
    """Read an assignment. Raises CourseError, CasesNotFound."""
    folders.require_release()
    course = folders.course
    rules = rules_of(folders.notebook(), course.config)
    with course.gradebook() as gradebook:
        originals = {
            recorded.name: Original(
                released_notebook(folders.release / f"{recorded.name}.ipynb"),
                {cell.name: _cell(cell, rules) for cell in recorded.source_cells},
            )
            for recorded in gradebook.find_assignment(folders.name).notebooks
        }
    own = released.files(folders.source, course.config)
    own = {name: path for name, path in own.items() if not name.endswith(".ipynb")}
    references = cases.load_references(folders.source)
    texts = [repr(sorted(o.cells.items())).encode() for o in originals.values()]
    recorded = (folders.source / cases.REFERENCES).read_bytes()
    challenge = cases.challenge(references)
    digest = _digest([challenge, *texts, *(path.read_bytes() for path in own.values())])
    answers = _digest([recorded, repr(rules).encode()])
    beside = Limits(config=course.config).beside
    steps = _steps(course, "sanitize_preprocessors"), _steps(course, "autograde_preprocessors")
    digests = digest, answers
    return Assignment(
        folders, originals, own, references, challenge, rules, *digests, beside, *steps
    )


def released_notebook(path: Path) -> NotebookNode:
    """Read a student version. Raises CourseError."""
    try:
        return nbformat.read(path, 4)
    except FileNotFoundError:
        raise CourseError(
            f"{'/'.join(path.parts[-3:])}: there is no student version; "
            f"run `autograder release {path.parent.name}`."
        ) from None
    except (ValueError, AttributeError, TypeError, KeyError, nbformat.ValidationError) as error:
        raise CourseError(
            f"{'/'.join(path.parts[-3:])}: this student version is not a notebook "
            f"({type(error).__name__}); run `autograder release {path.parent.name}`."
        ) from None


def prepare(assignment: Assignment, student: str) -> Prepared:
    """Prepare one submission. Never fails for what a student handed in."""
    handed_in = assignment.folders.submitted(student)
    needs = beside.wanted(assignment.folders.source)
    with beside.unpacked(handed_in, *assignment.beside, needs) as (submitted, unpacked):
        return _prepared(assignment, student, submitted, unpacked)


def _prepared(
    assignment: Assignment, student: str, submitted: Path, unpacked: Sequence[str]
) -> Prepared:
    found, prepared, notes, read = _files(assignment.folders.course, submitted), {}, {}, []
    place = assignment.folders.submitted(student)  # as it is named, even if it was in an archive
    moved = dict[str, Path]()
    for name, original in assignment.notebooks.items():
        repaired, path, others = read_submission(
            submitted,
            name,
            original.released,
            beside.wanted(assignment.folders.source),
            unpacked,
            place,
            partial(on_wrong_data, assignment.folders.source, assignment.references),
        )
        moved |= others
        read.append(path)
        original.restore(repaired.notebook)
        for step in assignment.before:
            step(repaired.notebook, {})
        prepared[name] = notebooks.to_bytes(repaired.notebook)
        notes[name] = _sentences(repaired)
    others = {name: path for name, path in {**moved, **found}.items() if path not in read}
    packed, note = _pack(others, assignment)
    more = [sentence for sentence in (note, time_of(place)[1]) if sentence]
    notes = {name: (*sentences, *more) for name, sentences in notes.items()}
    digest = _digest([assignment.digest.encode(), packed, *prepared.values()])
    return Prepared(student, prepared, packed, notes, digest)


def read_submission(
    folder: Path,
    name: str,
    original: NotebookNode,
    needs: Sequence[str] = (),
    notes: Sequence[str] = (),
    named: Path | None = None,
    wrong_data: Callable[[Path], bool] = lambda path: False,
) -> tuple[Repaired, Path | None, dict[str, Path]]:
    """Read and repair a submitted notebook; what was repaired is said in its first cell.

    `needs` are files that it reads, `notes` what was said before, `named` the folder as people
    know it, and `wrong_data` says whether a file was trained on other data than is graded.
    Returns the notebook, the file it was read from, and files by the paths where it looks for
    them. If there is no notebook, that is what it says.
    """
    moved = dict[str, Path]()
    try:
        path, renamed = repair.find_notebook(folder, name, original, named or folder)
        place = path.parent.relative_to(folder).as_posix().removeprefix(".")
        if place or not all((folder / need).is_file() for need in needs):
            moved, said = beside.moved(files.in_folder(folder), place, needs)
            renamed = (*renamed, *said)
        trained = beside.notes_on_data({n: moved.get(n, folder / n) for n in needs}, wrong_data)
        renamed = (*notes, *renamed, *trained)
    except NotebookNotFound as error:
        path, renamed = None, ()
        why = " ".join([str(error), *notes]).rstrip(".")
        repaired = Repaired(deepcopy(original), (), why)
    else:
        repaired = repair.read(path, original)
        if repaired.unreadable:
            why = f"the notebook could not be read: {repaired.unreadable}"
            repaired = Repaired(repaired.notebook, (), why)
        else:
            repaired = Repaired(repaired.notebook, (*renamed, *repaired.notes))
    if sentences := _sentences(repaired):
        text = "**Noted before grading**\n\n" + "\n".join(f"- {line}" for line in sentences)
        repaired.notebook.cells.insert(0, new_markdown_cell(text, id="repaired"))
        repaired.notebook.metadata[NOTES] = {
            "notes": list(sentences), "unreadable": repaired.unreadable,
        }  # fmt: skip
    return repaired, path, moved


def on_wrong_data(source: Path, references: Mapping[str, RecordedCheck], path: Path) -> bool:
    """Say whether a file was trained on real data, and no check of its assignment has such cases.

    (`autograder reference --real` records cases of real data.)
    """
    if any(case.name == REAL for check in references.values() for case in check.cases):
        return False
    assignments.use(source.parent)
    return trained_on(path, source.name) == REAL


def _steps(course: Course, which: str) -> list[Preprocessor]:
    """Return the preprocessors of a configured list but for those whose work is done here."""
    converter = Autograde(coursedir=course.coursedir, parent=course.api)
    exporter = NotebookExporter(config=converter.config)
    exporter._preprocessors = []
    for step in getattr(converter, which):
        if step.__name__ not in DONE_HERE:
            exporter.register_preprocessor(step)
    return exporter._preprocessors


def _sentences(repaired: Repaired) -> tuple[str, ...]:
    return (f"{repaired.unreadable}.",) if repaired.unreadable else repaired.notes


def _cell(cell: SourceCell, rules: Rules) -> NotebookNode:
    """Copy a cell out of the gradebook, with the points that it has without a rule."""
    graded = {g.name: g.max_score for g in cell.notebook.grade_cells}
    name = str(cell.name)
    points = rules.points[name] if name in rules.of else graded.get(name)
    return NotebookNode(
        source=cell.source, locked=cell.locked, checksum=cell.checksum, points=points
    )


def _files(course: Course, root: Path) -> dict[str, Path]:
    """Return what lies in a folder and is not ignored, by relative path, notebooks included."""
    return files.in_folder(root, course.coursedir.ignore)


def _pack(submitted: Mapping[str, Path], assignment: Assignment) -> tuple[bytes, str]:
    own = {**assignment.files, CHALLENGE_FILE: assignment.challenge}
    others = {name: file for name, file in submitted.items() if not name.endswith(".ipynb")}
    try:
        return files.pack(files.merge(others, own), *assignment.beside), ""
    except files.FolderTooLarge as error:
        return files.pack(own, *assignment.beside), f"Run without them: {error}"


def _digest(parts: Sequence[bytes] | Iterator[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()
