"""Source notebooks, their .py, and the student versions agree; nothing leaks."""

import re
from dataclasses import replace
from importlib import import_module
from inspect import isfunction

import jupytext
import nbformat
import pytest
import torch

from autograder.authoring import leaks, record
from autograder.authoring.release import release
from autograder.grading.course import open_course
from autograder.grading.notebooks import SYNCED, grade_id, is_autograded
from autograder.notebook import cases
from autograder.notebook.progress import GRADED
from autograder.notebook.stubs import Stub
from autograder.sandbox.package import ADAPTERS
from tests import submissions

ASSIGNMENTS = submissions.ASSIGNMENTS


@pytest.fixture(params=ASSIGNMENTS)
def assignment(request):
    return request.param


@pytest.fixture
def source(assignment):
    return submissions.source_notebook(assignment)


@pytest.fixture
def released(assignment):
    return submissions.released_notebook(assignment)


def test_the_py_and_the_ipynb_are_the_same_notebook(assignment, source):
    paired = jupytext.read(submissions.ROOT / "source" / assignment / f"{assignment}.py")
    assert [(c.cell_type, c.source) for c in paired.cells] == [
        (c.cell_type, c.source) for c in source.cells
    ]
    assert [c.metadata.get("nbgrader") for c in paired.cells] == [
        c.metadata.get("nbgrader") for c in source.cells
    ]


def test_the_student_version_is_what_the_source_generates(assignment, tmp_path):
    (tmp_path / "source").symlink_to(submissions.ROOT / "source")
    (tmp_path / "nbgrader_config.py").symlink_to(submissions.ROOT / "nbgrader_config.py")
    folder = release(open_course(tmp_path).assignment(assignment))
    committed = submissions.ROOT / "assignments" / assignment
    assert [path.name for path in folder.iterdir()] == [f"{assignment}.ipynb"]
    assert (folder / f"{assignment}.ipynb").read_text() == (
        committed / f"{assignment}.ipynb"
    ).read_text()


def test_notebooks_carry_no_outputs_and_no_metadata_but_nbgraders(source, released):
    for notebook, more in ((source, {SYNCED}), (released, {GRADED})):
        nbformat.validate(notebook)
        assert set(notebook.metadata) == {"kernelspec", "language_info"} | more
        for cell in notebook.cells:
            assert set(cell.metadata) <= {"nbgrader", "deletable", "editable"}
            assert not cell.get("outputs") and not cell.get("execution_count")


def test_the_references_are_those_of_the_checks(assignment):
    """The committed hidden inputs are what seed 0 draws, but for what a processor rounds."""
    references = cases.load_references(submissions.folder(assignment))
    checks = submissions.known(assignment).checks
    drawn = {check.name: record.only(check, False) for check in checks}
    assert list(drawn) == list(references)
    for name, recorded in references.items():
        fields = ("title", "records", "criterion", "threshold", "by_hand", "pure", "any_case",
                  "words")  # fmt: skip
        assert all(getattr(drawn[name], f) == getattr(recorded, f) for f in fields), name
        for ours, theirs in zip(drawn[name].cases, recorded.cases, strict=True):
            assert replace(ours, inputs={}, expected=None) == replace(
                theirs, inputs={}, expected=None
            )
            assert list(ours.inputs) == list(theirs.inputs)
            assert same(ours.inputs, theirs.inputs), (name, ours.name)


def same(ours, theirs) -> bool:
    if isinstance(ours, Stub):
        return ours.name == theirs.name and same(dict(ours.tensors), dict(theirs.tensors))
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, torch.Tensor):
        rounded = 1e-5 if ours.dtype is torch.float32 else 1e-12
        alike = torch.allclose(ours, theirs, rounded, rounded, equal_nan=True)
        return ours.dtype == theirs.dtype and alike
    return repr(ours) == repr(theirs)  # nan is as good as nan


def test_points_add_up_to_100(source):
    points = [cell.metadata.get("nbgrader", {}).get("points", 0) for cell in source.cells]
    assert sum(points) == 100


def test_every_check_cell_has_the_name_of_its_check(assignment, source):
    graded = {grade_id(cell): cell.source for cell in source.cells if is_autograded(cell)}
    folder = submissions.folder(assignment)
    assert set(graded) == set(cases.load_references(folder)) == set(cases.load_public(folder))
    for name, code in graded.items():
        public, begin, hidden, end = code.splitlines()
        assert re.fullmatch(rf'check\.public\("{name}", \w+(, \w+)*\)', public)
        assert hidden == public.replace("public", "hidden")
        assert (begin, end) == ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")


def test_a_check_takes_what_the_student_wrote(source):
    """Given classes may follow; the first argument is the student's work."""
    answers = {
        name
        for cell in source.cells
        if cell.metadata.get("nbgrader", {}).get("solution") and cell.cell_type == "code"
        for name in re.findall(r"(?m)^(?:def|class) (\w+)", cell.source)
    }
    for cell in source.cells:
        for name in re.findall(r"check\.public\(\"\w+\", (\w+)", cell.source):
            assert name in answers


HOURS = re.compile(r"\*\*Time\*\* about (\d+)(½?) hours")


def test_an_assignment_is_an_afternoons_work(released):
    """At most 110 cells, 5,000 words and 6 hours, and the map's minutes add up to them."""
    texts = [cell.source for cell in released.cells if cell.cell_type == "markdown"]
    words = [word for text in texts for word in text.split() if re.search(r"\w", word)]
    assert len(released.cells) <= 110
    assert len(words) <= 5_000
    whole, half = HOURS.search(texts[0]).groups()
    hours = int(whole) + (0.5 if half else 0)
    rows = [row.split("|") for row in texts[0].splitlines() if row.startswith("| ")]
    column = next(i for i, title in enumerate(rows[0]) if title.strip() == "minutes")
    assert hours <= 6
    assert abs(sum(int(row[column]) for row in rows[1:]) / 60 - hours) <= 0.5


def test_every_adapter_belongs_to_a_check(assignment):
    folder = submissions.folder(assignment)
    if (folder / ADAPTERS).is_file():
        adapters = import_module(f"autograder.assignments.{assignment}.lesson.adapters")
        ours = {name for name, value in vars(adapters).items()
                if isfunction(value) and value.__module__ == adapters.__name__}  # fmt: skip
        assert {name for name in ours if name[0] != "_"} <= set(cases.load_public(folder))


def test_code_cells_are_short(source):
    for cell in source.cells:
        body = [line for line in cell.source.splitlines() if line.strip()]
        assert cell.cell_type == "markdown" or len(body) <= 45, grade_id(cell)


def answers(notebook) -> list[str]:
    """Return every line of a solution or hidden region that says something.

    A line that some notebook of the course also gives away elsewhere is no answer.
    """
    given = leaks.given(submissions.source_notebook(assignment) for assignment in ASSIGNMENTS)
    lines = {line for _, line in leaks.answers(notebook)}
    return sorted(line for line in lines if len(line) > 12 and line not in given)


def test_no_answer_hidden_test_or_model_answer_is_in_the_student_version(assignment, source):
    lines = answers(source)
    assert lines
    for path in (submissions.ROOT / "assignments").rglob("*"):
        if path.is_file():
            text = path.read_text().replace('\\"', '"')
            assert [line for line in lines if line in text] == [], path
            for word in (
                "SOLUTION",
                "HIDDEN",
                "check.hidden",
                "Model answer",
                "Marking",
                "reference_tensor",
            ):
                assert word not in text, (path, word)


def test_hidden_answers_are_not_in_the_public_file(assignment):
    public = cases.load_public(submissions.folder(assignment))
    hidden = cases.load_references(submissions.folder(assignment))
    assert all(case.public for check in public.values() for case in check.cases)
    assert not any(case.public for check in hidden.values() for case in check.cases)
    data = (submissions.folder(assignment) / cases.PUBLIC).read_bytes()
    for check in hidden.values():
        for case in check.cases:
            for leaf in case.expected.leaves.values():
                raw = leaf.tensor.numpy().tobytes()
                assert len(raw) < 64 or raw not in data, (check.name, case.name)


def test_the_first_code_cell_is_the_same_everywhere_and_the_last_one_hands_in(source):
    template = submissions.ROOT / "autograder" / "authoring" / "template" / "a0_squared_error.py"
    (expected, *_), (first, *rest) = (
        [cell.source for cell in one.cells if cell.cell_type == "code"]
        for one in (jupytext.read(template), source)
    )
    assert first == expected
    assert rest[-1].startswith("# not run when graded\n")
    assert rest[-1].endswith("\ncheck.hand_in()")
