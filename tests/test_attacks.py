"""Hostile submissions, each tried from end to end: none gains a point or disturbs anyone.

They are in `tests/attacks/`. All are graded in one run, with right students between them,
under limits that are small, so that what has to be stopped is stopped soon.
"""

import hashlib
import re
import secrets
import socket
import subprocess
import sys
import time
import warnings
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from autograder.grading import pipeline as grading
from autograder.grading.course import open_course
from autograder.notebook import cases
from autograder.reports.results import collect
from tests import attacks, submissions
from tests.fixtures import A1, scores

AUTOMATIC = 85.0
MARKER = "gc-attack"
NAMES = sorted(file.stem for file in attacks.HERE.glob("[!_]*.py"))
# two after each, and one that an attack is after
RIGHT = (*(f"{name}_then_{number}" for name in NAMES for number in (1, 2)), "zz_right")
AGAIN = ("covert_2", "covert_3")  # of three students on two workers, two meet in one process
SMALL = """
c.Execute.timeout = 3
c.Execute.grace = 1
c.Limits.seconds = 20
c.Limits.memory = 512 * 2**20
c.Limits.scratch = 128 * 2**20
c.Limits.output = 8 * 2**20
c.Limits.processes = 64
c.Limits.files = 2000
"""
PACKAGE = Path(cases.__file__).parent


def digests(folder):
    files = (f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
    return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def small_course(course_of, students, name):
    course = course_of(students, name)
    config = course.root / "nbgrader_config.py"
    text = config.read_text()
    config.unlink()
    config.write_text(text + SMALL)
    return open_course(course.root)


def marked_processes():
    """Find what an attack started: it has the marker as its name."""
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            found += [path.parent.name] if path.read_text().strip() == MARKER else []
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def canary(tmp_path_factory):
    """Put a secret where a grader has some: in the environment and in the home folder."""
    secret = f"canary-{secrets.token_hex(6)}"
    home = tmp_path_factory.mktemp("home")
    (home / "secret.txt").write_text(secret)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADING_SECRET", secret)
        patch.setenv("HOME", str(home))
        yield secret


@pytest.fixture(scope="module")
def listeners():
    """Listen on this machine; nobody should call."""
    with socket.create_server(("127.0.0.1", 0)) as port, socket.socket(socket.AF_UNIX) as nameless:
        nameless.bind("\0gradient-check-attack")
        nameless.listen()
        yield port, nameless


@pytest.fixture(scope="module")
def hostile(listeners, tmp_path_factory):
    places = {"package": PACKAGE, "port": listeners[0].getsockname()[1], "course": "/nowhere"}
    return {attack.name: attack for attack in attacks.read_all(places)}


@pytest.fixture(scope="module")
def before():
    return digests(PACKAGE), Path("/proc/self/mounts").read_text()


@pytest.fixture(scope="module")
def graded(course_of, canary, listeners, before):
    solved = submissions.in_release(A1, submissions.source_notebook(A1))
    course = small_course(course_of, dict.fromkeys(RIGHT, solved), "attacks")
    (course.root / "secret.txt").write_text(canary)
    places = {"package": PACKAGE, "port": listeners[0].getsockname()[1], "course": course.root}
    all_attacks = {attack.name: attack for attack in attacks.read_all(places)}
    for student in (*NAMES, *AGAIN):
        attack = all_attacks[re.sub(r"_\d$", "", student)]
        path = submissions.submit(course.root, A1, student, attack.notebook(A1))
        attack.put_files(path.parent)
    errors = {g.student: g.error for g in grading.grade(course.assignment(A1), workers=2)}
    assert errors == dict.fromkeys((*RIGHT, *NAMES, *AGAIN), "")
    return course


@pytest.fixture(scope="module")
def points(graded):
    return {name: sum(s or 0 for s in found.values()) for name, found in scores(graded).items()}


@pytest.fixture(scope="module")
def outputs(graded):
    """What the cells of each submission displayed, as text."""
    found = {}
    for student in (*NAMES, *AGAIN):
        path = graded.assignment(A1).autograded(student) / f"{A1}.ipynb"
        cells = nbformat.read(path, 4).cells
        found[student] = "\n".join(str(cell.get("outputs", "")) for cell in cells)
    return found


@pytest.mark.parametrize("student", (*NAMES, *AGAIN))
def test_an_attack_gains_no_point(points, hostile, student):
    assert points[student] == hostile[re.sub(r"_\d$", "", student)].points


@pytest.mark.parametrize("student", RIGHT)
def test_a_right_student_among_them_keeps_every_point(points, student):
    assert points[student] == AUTOMATIC


@pytest.mark.parametrize("student", (*NAMES, *AGAIN))
def test_an_attack_finds_nothing(outputs, canary, student):
    found = re.findall(r"(?:FOUND|SUCCEEDED|CONNECTED)[^\n]{0,200}", outputs[student])
    assert found == []
    assert canary not in outputs[student]


@pytest.mark.parametrize("student", NAMES)
def test_what_stopped_it_is_said(graded, outputs, hostile, student):
    assert re.search(hostile[student].reason, outputs[student])


def test_every_zero_has_a_reason(graded):
    for student in collect(graded.assignment(A1)).students:
        assert all(check.reason for check in student.checks.values()), student.student


def test_nothing_is_left_behind(graded, before, listeners):
    deadline = time.monotonic() + 5
    while marked_processes() and time.monotonic() < deadline:
        time.sleep(0.1)
    package, mounts = before
    assert marked_processes() == []
    assert digests(PACKAGE) == package
    assert not [file for file in Path("/dev/shm").iterdir() if file.name in ("note", MARKER)]
    assert Path("/proc/self/mounts").read_text() == mounts
    assert not list(graded.root.rglob(f"{MARKER}*"))
    for listener in listeners:
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


class LiveMarkup(HTMLParser):
    """Collects what of an attack a browser would run."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.live, self._inside = [], ""

    def handle_starttag(self, tag, attrs):
        self._inside = tag
        for name, value in attrs:
            runs = name.startswith("on") or (value or "").strip().lower().startswith("javascript:")
            if runs and "gc_attack" in (value or ""):
                self.live.append((tag, name, value))

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script" and "gc_attack" in data:
            self.live.append((self._inside, data))


def live_markup(page):
    parser = LiveMarkup()
    parser.feed(page)
    return parser.live


def test_what_is_live_is_seen():
    assert len(live_markup("<script>gc_attack</script><a href='javascript:gc_attack'>")) == 2


def test_feedback_is_written_for_all_and_runs_nothing(graded):
    api = graded.api
    api.coursedir.student_id_exclude = ",".join(RIGHT)
    with warnings.catch_warnings(action="ignore"):  # nbconvert's, of what it cannot show
        result = api.generate_feedback(A1)
    assert result["success"], result["log"][-2000:]
    for student in NAMES:
        page = (graded.assignment(A1).feedback(student) / f"{A1}.html").read_text()
        assert live_markup(page) == [], student


# Through plain nbgrader, one after the other: those that end by themselves and soon.

FEW = (
    "always_equal", "escapes", "forged_verdict", "input_transformer", "links", "patched_checker",
)  # fmt: skip
QUICK = (
    "always_equal", "challenge_is_a_folder", "covert", "escapes", "exits", "flood_of_descriptors",
    "forged_evidence", "forged_verdict", "input_transformer", "links", "memory_without_owner",
    "records_nested", "names", "patched_checker", "pickled", "shadows", "someone_elses",
    "writes_outside",
)  # fmt: skip


@pytest.fixture(
    scope="module", params=[FEW, pytest.param(QUICK, marks=pytest.mark.slow)], ids=["few", "quick"]
)
def autograded(request, course_of, canary, before):
    solved = submissions.in_release(A1, submissions.source_notebook(A1))
    course = small_course(course_of, {"zz_right": solved}, "autograded_attacks")
    (course.root / "secret.txt").write_text(canary)
    places = {"package": PACKAGE, "port": 9, "course": course.root}
    for attack in attacks.read_all(places):
        if attack.name in request.param:
            path = submissions.submit(course.root, A1, attack.name, attack.notebook(A1))
            attack.put_files(path.parent)
    command = [sys.executable, "-m", "nbgrader", "autograde", A1]
    done = subprocess.run(command, cwd=course.root, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"{MARKER}\x1b" not in done.stdout + done.stderr
    return course, request.param


def test_plain_nbgrader_gives_the_same_points(autograded, points):
    course, names = autograded
    found = {name: sum(s or 0 for s in got.values()) for name, got in scores(course).items()}
    assert found == {name: points[name] for name in (*names, "zz_right")}


def test_plain_nbgrader_copies_nothing_that_a_link_points_to(autograded, canary):
    folder = autograded[0].assignment(A1).autograded("links")
    text = (folder / f"{A1}.ipynb").read_text()
    assert canary not in text
    assert "SQLite format" not in text and "BEGIN SOLUTION" not in text
    assert {file.name for file in folder.iterdir()} == {f"{A1}.ipynb"}
