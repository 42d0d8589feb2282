"""What is wrong with a machine or a course is said before a class depends on it."""

import os
from types import SimpleNamespace

import psutil
import pytest

from autograder.cli import main
from autograder.errors import SandboxError
from autograder.grading import doctor
from autograder.grading.course import open_course
from autograder.grading.doctor import Finding, course, machine
from autograder.notebook import cases
from tests.worked_example import NAME


@pytest.fixture
def sandbox(monkeypatch):
    """A sandbox that need not start; return a function that lets it fail."""

    def begin(error=None):
        def wait():
            if error:
                raise SandboxError(error)

        monkeypatch.setattr(doctor.client, "begin", lambda _: SimpleNamespace(wait_until_warm=wait))

    begin()
    return begin


def wrong(findings):
    return [(one.what, one.wrong) for one in findings if one.wrong]


def of_course(example):
    return course(open_course(example.course.root))


def test_a_machine_in_order_has_nothing_wrong(sandbox, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda _: None)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**36))
    assert not wrong(machine())


def test_a_sandbox_that_the_system_forbids_is_said(sandbox):
    sandbox("there is no sandbox: the system forbids it.")
    assert ("sandbox", "there is no sandbox: the system forbids it.") in wrong(machine())


def test_another_nbgrader_and_too_little_memory_are_said(sandbox, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda _: "/usr/local/bin/nbgrader")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**30))
    found = dict(wrong(machine()))
    assert found["nbgrader"].startswith("PATH finds another one, /usr/local/bin/nbgrader: put ")
    assert found["memory"] == "enough for 1 workers: use --workers 1"


def test_a_course_in_order_has_nothing_wrong(example):
    assert not wrong(of_course(example))


def test_what_is_not_released_or_differs_from_its_release_is_said(example):
    text = example.notebook().read_text()
    example.notebook().write_text(text.replace('"source": [\n    "', '"source": [\n    "More. ', 1))
    ((what, said),) = wrong(of_course(example))
    assert what == NAME and "has changed since the student version was written; run" in said
    (example.release / f"{NAME}.ipynb").unlink()
    assert wrong(of_course(example)) == [
        (NAME, f"it is not released; run `autograder release {NAME}`")
    ]


def test_references_that_are_missing_or_out_of_date_are_said(example):
    text = example.notebook().read_text().replace("sum(dim=1)", "sum(dim=-1)")
    stat = example.notebook().stat()
    example.notebook().write_text(text)
    os.utime(example.notebook(), (stat.st_mtime, stat.st_mtime))
    assert "since its references were recorded" in dict(wrong(of_course(example)))[NAME]
    cases.load_references.cache_clear()
    (example.source / cases.REFERENCES).unlink()
    assert "no such file; record it" in dict(wrong(of_course(example)))[NAME]


def test_hidden_cases_that_everybody_can_read_are_said(example, git):
    assert not wrong(of_course(example))
    git("add", "source")
    git("commit", "-m", "published")
    assert "which everybody can read" in dict(wrong(of_course(example)))[NAME]


def test_a_gradebook_that_cannot_be_opened_is_said(example):
    (example.course.root / "gradebook.db").write_bytes(b"no database")
    assert "it cannot be opened (" in dict(wrong(of_course(example)))["gradebook"]


def test_the_command_ends_with_1_only_if_something_matters(example, sandbox, capsys, monkeypatch):
    monkeypatch.chdir(example.course.root)
    monkeypatch.setattr(doctor.shutil, "which", lambda _: "/usr/local/bin/nbgrader")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**36))
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "look   nbgrader: PATH finds another one" in out and "ok     sandbox" in out
    sandbox("there is none.")
    assert main(["doctor"]) == 1
    assert "WRONG  sandbox: there is none." in capsys.readouterr().out


def test_a_finding_without_a_fault_is_right():
    assert Finding("Python", "3.11").wrong == ""
