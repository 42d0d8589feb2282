"""The judge as part of nbgrader: preprocessors and exporters, and where they go.

`configure` is called from `nbgrader_config.py`. The judge comes between execution and
`SaveAutoGrades`: it replaces the outputs of every autograded cell by its verdict.
"""

import glob
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbconvert.exporters import NotebookExporter
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbformat import NotebookNode
from nbgrader import preprocessors as nbgrader
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets.config import Config

from autograder.grading import kept, notebooks, released
from autograder.grading.course import CourseError, places
from autograder.grading.execute import Execute
from autograder.grading.export import QuotedCsv
from autograder.grading.gradebook import write_maxima
from autograder.grading.kept import Evidence
from autograder.grading.late import Late
from autograder.grading.prepare import on_wrong_data, read_submission, released_notebook
from autograder.grading.repair import beside
from autograder.grading.rules import rules_of
from autograder.grading.sanitize import SanitizeSubmission, shown
from autograder.grading.verdicts import judge_notebook
from autograder.notebook import progress
from autograder.notebook.cases import load_references

FILE_NAMES = (
    r".*/(?P<student_id>[^/]+?)(?:_LATE)?_\d+_(?:assignsubmission_file(?:_/?|/)|\d+_)"
    r"(?P<file_id>[^/]+)\.\w+$"
)


class Judge(NbGraderPreprocessor):
    """Replace the outputs of each autograded cell by the verdict on its evidence."""

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Judge a notebook that `Execute` has run. Raises CasesNotFound."""
        source = resources["source"]
        references, executed = load_references(source), notebooks.to_bytes(nb)
        rules = rules_of(_of_instructor(resources), self.config)
        verdicts = judge_notebook(nb, references, rules)
        if path := resources.get("kept"):
            digests = kept.asked(references), kept.by(references)
            kept.write(path, Evidence(executed, *digests, verdicts, kept.shown(nb)))
        return nb, resources


class OverwriteCells(nbgrader.OverwriteCells):
    """Restore cells as released: with the points that a check has without any rule.

    nbgrader takes them from the gradebook, and the checksum of a cell covers them. Afterwards,
    the gradebook holds the maxima under the rules again.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Restore the cells of a notebook."""
        rules = rules_of(_of_instructor(resources), self.config)
        assignment = resources["nbgrader"]["assignment"]
        with Gradebook(resources["nbgrader"]["db_url"]) as gradebook:
            write_maxima(gradebook, assignment, replace(rules, of={}))
            try:
                return super().preprocess(nb, resources)
            finally:
                write_maxima(gradebook, assignment, rules)


class SaveGrades(nbgrader.SaveAutoGrades):
    """Save grades; what a person marked is marked for another look only if it changed."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Save the grades of a notebook."""
        self._answers = notebooks.answers(nb)
        return super().preprocess(nb, resources)

    def _add_score(self, cell: NotebookNode, resources: Any) -> None:
        name = cell.metadata.nbgrader.grade_id
        place = name, self.notebook_id, self.assignment_id, self.student_id
        grade = self.gradebook.find_grade(*place)
        before = grade.auto_score, resources["earlier"].get(name), grade.needs_manual_grade
        super()._add_score(cell, resources)
        now = grade.auto_score, self._answers[name]
        if grade.manual_score is not None and before[:2] == now:
            grade.needs_manual_grade = before[2]
            self.gradebook.db.commit()


def _of_instructor(resources: dict[str, Any]) -> Path:
    source = resources["source"]
    return source / f"{source.name}.ipynb"


class Kept:
    """What a converter of nbgrader deletes before it makes the next, put back if that fails."""

    def __init__(self, converter: Any) -> None:
        """Stand between the converter and its folders. It has not started yet."""
        self._converter = converter
        self._made = {
            name: getattr(converter, name)
            for name in ("init_destination", "set_permissions", "convert_notebooks")
        }
        self._copies: dict[Path, Path] = {}
        for name in self._made:
            setattr(converter, name, getattr(self, f"_{name}"))

    def text(self, assignment: str, student: str, notebook: str) -> bytes:
        """Return a notebook as it was before, empty if there was none."""
        copy = self._copies.get(self._folder(assignment, student), Path())
        path = copy / f"{notebook}.ipynb"
        return path.read_bytes() if path.is_file() else b""

    def _folder(self, assignment: str, student: str) -> Path:
        return Path(os.path.normpath(self._converter._format_dest(assignment, student)))

    def _init_destination(self, assignment: str, student: str) -> bool:
        folder = self._folder(assignment, student)
        copy, half = (folder.with_name(f".{folder.name}.{end}") for end in ("before", "copying"))
        if copy.is_dir():  # a run was killed: what it made is not whole, and the copy is
            shutil.rmtree(folder, ignore_errors=True)
            copy.rename(folder)
        shutil.rmtree(half, ignore_errors=True)
        if folder.is_dir():
            shutil.copytree(folder, half, symlinks=True)
            half.rename(copy)
            self._copies[folder] = copy
        if not (chosen := self._made["init_destination"](assignment, student)):
            self._drop(folder)
        return chosen

    def _set_permissions(self, assignment: str, student: str) -> None:
        """Take the new folder for the old one: nbgrader does this last."""
        self._made["set_permissions"](assignment, student)
        self._drop(self._folder(assignment, student))

    def _drop(self, folder: Path) -> None:
        if copy := self._copies.pop(folder, None):
            shutil.rmtree(copy, ignore_errors=True)

    def _convert_notebooks(self) -> None:
        try:
            self._made["convert_notebooks"]()
        finally:
            for folder, copy in self._copies.items():
                shutil.rmtree(folder, ignore_errors=True)
                copy.rename(folder)


class ReleasingExporter(NotebookExporter):
    """Lets nbgrader release the notebook and what an author named, and nothing else."""

    parent: Any  # the converter it works for

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        """Keep nbgrader from all else in the folders of the assignments. Raises CourseError."""
        super().__init__(*arguments, **keywords)
        Kept(self.parent)
        found = self.parent.assignments
        for folder, inside in found.items():
            source = Path(folder)
            keep_home(self.parent.coursedir, folder, self.config)
            own = released.files(source, self.config).values()
            found[folder] = [path for path in inside if Path(path) in own]
            if not found[folder]:
                raise CourseError(f"{source.name}/{source.name}.ipynb: no such notebook.")

    def from_notebook_node(
        self, nb: NotebookNode, resources: Any = None, **kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Process a notebook: without what only its author needs, and with what is graded in it."""
        nb.metadata.pop(notebooks.SYNCED, None)
        nb.metadata[progress.GRADED] = {
            about["grade_id"]: about["points"]
            for cell in nb.cells
            if (about := cell.metadata.get("nbgrader", {})).get("grade")
        }
        return super().from_notebook_node(nb, resources, **kwargs)


class RepairingExporter(NotebookExporter):
    """Reads a submission through `repair` when nbgrader autogrades it."""

    parent: Any  # the converter it works for

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        """Keep nbgrader from copying what links point to, and what of ours is not released."""
        super().__init__(*arguments, **keywords)
        self._kept, coursedir = Kept(self.parent), self.parent.coursedir
        found = (path for folder in self.parent.assignments for path in Path(folder).rglob("*"))
        special = (p for p in found if p.is_symlink() or not (p.is_file() or p.is_dir()))
        coursedir.ignore = [*coursedir.ignore, *(glob.escape(str(path)) for path in special)]
        for folder in glob.glob(self._source(coursedir.assignment_id)):
            keep_home(coursedir, folder, self.config)

    def from_filename(
        self, filename: str, resources: Any = None, **kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Read and process a notebook; one that was handed in is repaired first."""
        assignment = resources["nbgrader"]["assignment"]
        resources["source"] = Path(self._source(assignment))
        resources["hidden"] = places(self.parent.coursedir, self.config)
        of = resources["nbgrader"]
        before = self._kept.text(assignment, of["student"], of["notebook"])
        resources["earlier"] = notebooks.answers_in(before)
        place = of["student"], assignment, of["notebook"]
        resources["kept"] = kept.place(Path(self.parent.coursedir.root), *place)
        if not self.parent._sanitizing:
            return super().from_filename(filename, resources, **kwargs)
        path, coursedir = Path(filename), self.parent.coursedir
        release = coursedir.format_path(coursedir.release_directory, ".", assignment)
        original = released_notebook(Path(release) / path.name)
        needs, source = beside.wanted(resources["source"]), resources["source"]
        repaired, _, _ = read_submission(
            path.parent, path.stem, original, needs,
            wrong_data=lambda p: on_wrong_data(source, load_references(source), p),
        )  # fmt: skip
        return super().from_notebook_node(repaired.notebook, resources, **kwargs)

    def _source(self, assignment: str) -> str:
        coursedir = self.parent.coursedir
        return coursedir.format_path(coursedir.source_directory, ".", assignment)


def keep_home(coursedir: CourseDirectory, folder: str, config: Config) -> None:
    """Let nbgrader copy only what is released from an assignment's folder."""
    before = glob.escape(os.path.join(folder, ""))  # what an earlier call said of this folder
    others = (pattern for pattern in coursedir.ignore if not pattern.startswith(before))
    coursedir.ignore = [*others, *released.ignored(folder, config)]


def configure(c: Config) -> None:
    """Put the judge into nbgrader's configuration `c`."""

    def expect_notebooks(assignment: str, student: str, notebooks: list[str]) -> None:
        """Let nbgrader ask for the released notebooks, whatever the submitted ones are called."""
        release = Path(c.CourseDirectory.get("release_directory", "release"), assignment)
        submitted = Path(notebooks[0]).parent
        expected = [str(submitted / path.name) for path in sorted(release.glob("*.ipynb"))]
        notebooks[:] = expected or notebooks

    # nbgrader starts alembic by name: it lies beside the Python that runs us
    programs, path = str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)
    if programs not in path.split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([programs, path])
    c.Autograde.pre_convert_hook = expect_notebooks
    c.Autograde.exporter_class = RepairingExporter
    c.GenerateAssignment.exporter_class = ReleasingExporter
    c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
    c.OverwriteCells.add_missing_cells = True
    c.ExportApp.plugin_class = QuotedCsv
    c.AssignLatePenalties.plugin_class = Late
    # For `nbgrader zip_collect`: whole paths, of Moodle's folders and of Canvas's flat files.
    c.FileNameCollectorPlugin.named_regexp = FILE_NAMES
    c.FileNameCollectorPlugin.valid_ext = [".ipynb", ".safetensors", ".zip", ".png", ".csv"]
    # What else nbgrader does before and after is done by repair: no outputs, one cell an id,
    # the released kernel and metadata.
    c.Autograde.sanitize_preprocessors = [OverwriteCells]
    c.Autograde.autograde_preprocessors = [
        Execute,
        Judge,
        nbgrader.IgnorePattern,
        ClearMetadataPreprocessor,
        nbgrader.LimitOutput,
        SaveGrades,
        nbgrader.AssignLatePenalties,
    ]
    c.HTMLExporter.preprocessors = [SanitizeSubmission]  # of the formgrader
    c.HTMLExporter.filters = {"markdown2html": shown}
    c.GenerateFeedback.exporter_class = "autograder.reports.feedback.FeedbackExporter"
    # nbgrader's feedback shows the source of hidden tests; ours does not.
    c.GenerateFeedback.preprocessors = [nbgrader.ClearHiddenTests]
