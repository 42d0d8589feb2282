"""The table of grades: nbgrader's own, but that what is in a field stays in it."""

import csv
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from nbgrader.plugins import CsvExportPlugin
from traitlets.config import Config

from autograder.grading.course import quiet
from autograder.grading.export import QuotedCsv
from autograder.grading.nbgrader_plugins import configure
from tests import submissions

ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(submissions.ROOT),
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
}


@pytest.fixture
def gradebook(tmp_path):
    """Two assignments, three students, of whom one is late and one handed in nothing."""
    configure(Config())  # so that nbgrader finds alembic
    with quiet(), Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as book:
        for name in ("a1", "a2"):
            book.add_assignment(name, duedate=datetime(2026, 11, 1))
            book.add_notebook("nb", name)
            book.add_grade_cell("check", "nb", name, max_score=5.0, cell_type="code")
        for student in ("ada", "bob", "cyd"):
            book.add_student(student, first_name=student.title(), email=f"{student}@uni.example")
        for student, score in (("ada", 4.5), ("bob", 3.0)):
            book.add_submission("a1", student, timestamp=datetime(2026, 11, 2))
            book.find_grade("check", "nb", "a1", student).auto_score = score
        late = book.find_submission_notebook("nb", "a1", "bob")
        late.late_submission_penalty = 3.5
        book.db.commit()
        yield book


def exported(plugin, gradebook, path, **options):
    plugin = plugin(to=str(path), **options)
    plugin.export(gradebook)
    return path.read_text("utf-8")


@pytest.mark.parametrize(
    "options, lines",
    [({}, 6), ({"student": ["bob"]}, 2), ({"assignment": ["a1"]}, 3), ({"student": [7]}, 0)],
)
def test_without_commas_it_is_nbgrader_s_table(gradebook, tmp_path, options, lines):
    ours = exported(QuotedCsv, gradebook, tmp_path / "ours.csv", **options)
    theirs = exported(CsvExportPlugin, gradebook, tmp_path / "theirs.csv", **options)
    assert ours == theirs
    assert len(ours.splitlines()) == 1 + lines


def test_what_a_field_holds_stays_in_it(gradebook, tmp_path):
    names = {"doe, jane": 'Jane "JJ"', "two\nlines": "Ωμέγα"}
    for student, first in names.items():
        gradebook.add_student(student, first_name=first, last_name="Doe; PhD")
    exported(QuotedCsv, gradebook, tmp_path / "grades.csv")
    with open(tmp_path / "grades.csv", newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert {line["student_id"]: line["first_name"] for line in read}.items() >= names.items()
    assert {line["max_score"] for line in read} == {"5.0"}


def test_nbgrader_s_program_writes_it(tmp_path, gradebook):
    """Also where no environment is activated."""
    (tmp_path / "nbgrader_config.py").symlink_to(submissions.ROOT / "nbgrader_config.py")
    gradebook.add_student("doe, jane", first_name="Ωμέγα")
    command = [sys.executable, "-m", "nbgrader", "export"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert '"doe, jane",,Ωμέγα' in Path(tmp_path, "grades.csv").read_text("utf-8")
