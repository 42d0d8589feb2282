"""What makes nbgrader a judge's court: preprocessors and exporters, and where they stand.

`configure` is called from `nbgrader_config.py`. The judge stands between execution and
`SaveAutoGrades`: it replaces the outputs of every autograded cell by its verdict.
"""

import glob
import os
from pathlib import Path
from typing import Any

from nbconvert.exporters import NotebookExporter
from nbconvert.preprocessors import ClearMetadataPreprocessor, CSSHTMLHeaderPreprocessor
from nbformat import NotebookNode
from nbgrader import preprocessors as nbgrader
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets.config import Config

from autograder.grading import released
from autograder.grading.course import CourseError, places
from autograder.grading.execute import Execute
from autograder.grading.prepare import read_submission, released_notebook
from autograder.grading.repair import beside
from autograder.grading.sanitize import SanitizeSubmission, shown
from autograder.grading.verdicts import judge_notebook
from autograder.notebook.cases import load_references


class Judge(NbGraderPreprocessor):
    """Replace the outputs of each autograded cell by the verdict on its evidence."""

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Judge a notebook that `Execute` has run. Raises CasesNotFound."""
        judge_notebook(nb, load_references(resources["source"]))
        return nb, resources


class ReleasingExporter(NotebookExporter):
    """Lets nbgrader release the notebook and what an author named, and nothing else."""

    parent: Any  # the converter it works for

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        """Keep nbgrader from all else in the folders of the assignments. Raises CourseError."""
        super().__init__(*arguments, **keywords)
        found = self.parent.assignments
        for folder, notebooks in found.items():
            source = Path(folder)
            keep_home(self.parent.coursedir, folder, self.config)
            own = released.files(source, self.config).values()
            found[folder] = [path for path in notebooks if Path(path) in own]
            if not found[folder]:
                raise CourseError(f"{source.name}/{source.name}.ipynb: no such notebook.")


class RepairingExporter(NotebookExporter):
    """Reads a submission through `repair` when nbgrader autogrades it."""

    parent: Any  # the converter it works for

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        """Keep nbgrader from copying what links point to, and what of ours is not released."""
        super().__init__(*arguments, **keywords)
        coursedir = self.parent.coursedir
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
        if not self.parent._sanitizing:
            return super().from_filename(filename, resources, **kwargs)
        path, coursedir = Path(filename), self.parent.coursedir
        release = coursedir.format_path(coursedir.release_directory, ".", assignment)
        original = released_notebook(Path(release) / path.name)
        needs = beside.wanted(resources["source"])
        repaired, _, _ = read_submission(path.parent, path.stem, original, needs)
        return super().from_notebook_node(repaired.notebook, resources, **kwargs)

    def _source(self, assignment: str) -> str:
        coursedir = self.parent.coursedir
        return coursedir.format_path(coursedir.source_directory, ".", assignment)


def keep_home(coursedir: CourseDirectory, folder: str, config: Config) -> None:
    """Let nbgrader copy nothing of an assignment's folder but what is released."""
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

    c.Autograde.pre_convert_hook = expect_notebooks
    c.Autograde.exporter_class = RepairingExporter
    c.GenerateAssignment.exporter_class = ReleasingExporter
    c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
    c.OverwriteCells.add_missing_cells = True
    # What else nbgrader does before and after is done by repair: no outputs, one cell an id,
    # the released kernel and metadata.
    c.Autograde.sanitize_preprocessors = [nbgrader.OverwriteCells]
    c.Autograde.autograde_preprocessors = [
        Execute,
        Judge,
        nbgrader.IgnorePattern,
        ClearMetadataPreprocessor,
        nbgrader.LimitOutput,
        nbgrader.SaveAutoGrades,
        nbgrader.AssignLatePenalties,
    ]
    c.HTMLExporter.preprocessors = [SanitizeSubmission]  # of feedback and of the formgrader
    c.HTMLExporter.filters = {"markdown2html": shown}
    # nbgrader's feedback shows the source of hidden tests; ours does not.
    c.GenerateFeedback.preprocessors = [
        nbgrader.GetGrades,
        nbgrader.ClearHiddenTests,
        CSSHTMLHeaderPreprocessor,
    ]
