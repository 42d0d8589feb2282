"""What is wrong with a machine or a course, before a class depends on it."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from autograder.errors import UserError
from autograder.grading import kept, notices
from autograder.grading.course import AssignmentFolders, Course
from autograder.grading.late import utc
from autograder.grading.recorded import out_of_date
from autograder.grading.rules import rules_of
from autograder.notebook import cases
from autograder.sandbox import client

GIB = 2**30
SPACE = 2 * GIB  # for submissions that are unpacked, graded notebooks and evidence
GRADER, WORKER = 0.6 * GIB, 0.4 * GIB  # memory; docs/instructors.md


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `wrong` says what is wrong with it, and what to do."""

    what: str
    said: str = ""
    wrong: str = ""
    matters: bool = True  # whether grading would fail or be unfair


def machine() -> Iterator[Finding]:
    """Look at Python, its programs, memory and the sandbox."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", f"{version}, {sys.prefix}")
    programs = Path(sys.executable).parent
    found = shutil.which("nbgrader")
    elsewhere = bool(found) and Path(found or "").parent != programs
    yield Finding(
        "nbgrader",
        found or "",
        f"PATH finds another one, {found}: put {programs} first" if elsewhere else "",
        matters=False,
    )
    cores, free = os.cpu_count() or 1, psutil.virtual_memory().available
    room = int(max(0, free - GRADER) // WORKER)
    yield Finding(
        "memory",
        f"{free / GIB:.1f} GiB free, {cores} cores",
        "" if room >= cores else f"enough for {max(room, 1)} workers: use --workers {max(room, 1)}",
        matters=room < 1,
    )
    try:
        client.begin(client.settings(Path("nowhere"))).wait_until_warm()
        yield Finding("sandbox", "submissions run in it")
    except UserError as error:
        yield Finding("sandbox", wrong=error.sentences[0])


def course(found: Course) -> Iterator[Finding]:
    """Look at a course's folder, its gradebook and each of its assignments."""
    free = shutil.disk_usage(found.root).free
    few = "" if free > SPACE else "make room: graded notebooks and evidence need some"
    yield Finding("space", f"{free / GIB:.1f} GiB in {found.root}", few)
    names = found.assignments()
    try:
        with found.gradebook() as gradebook:
            known = {assignment.name for assignment in gradebook.assignments}
        yield Finding("gradebook", f"{len(known)} assignments")
    except Exception as error:  # whatever a database says
        known = set()
        reason = str(error).splitlines()[0]
        yield Finding("gradebook", wrong=f"it cannot be opened ({reason}); restore a copy of it")
    for name in names:
        yield from _assignment(found.assignment(name), name in known)


def _assignment(folders: AssignmentFolders, released: bool) -> Iterator[Finding]:
    name = folders.name
    notebook, release = folders.notebook(), folders.release / f"{folders.name}.ipynb"
    if not (released and release.is_file()):
        why = f"it is not released; run `autograder release {name}`"
        yield Finding(name, wrong=why, matters=False)
        return
    try:
        rules_of(notebook, folders.course.config)
        cases.load_references(folders.source)
        old, stale = out_of_date(folders), notices.of_release(folders)
        yield Finding(name, "released, with references", old)
    except UserError as error:
        yield Finding(name, wrong=error.sentences[0])
        return
    for said in filter(None, (stale, notices.of_cases([folders]))):
        yield Finding(name, wrong=said.removeprefix(f"{name}: "), matters=False)
    if said := folders.course.config.Late.get("due", {}).get(name):
        yield Finding(name, f"due {utc(said):%Y-%m-%d %H:%M} UTC")
    evidence = folders.course.root / kept.FOLDER
    if evidence.is_dir():
        yield Finding(name, f"evidence of {len([*evidence.glob(f'*/{name}')])} submissions")
