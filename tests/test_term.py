"""A whole term as docs/instructors.md tells it: twenty students, two assignments, its commands."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple
from urllib.request import Request, urlopen

import nbformat
import pytest

from tests import submissions
from tests.lms.test_downloads import zipped
from tests.marking.test_desk import state_of

ASSIGNMENTS = "a1_two_layer_net", "a6_layers_by_hand"
DOCS = (submissions.ROOT / "docs" / "instructors.md").read_text(encoding="utf-8")
NAMES = "Ada Ben Cleo Dan Eva Finn Gil Hana Ivo Jana Kim Lea Max Nia Olaf Pia Quin Rosa Sam Tia"
LATE = "Nov 29 2026 1:10 AM"  # the due date was the day before
WORKSHEET = "Identifier,Full name,Username,Email address,Status,Grade,Last modified (submission)\n"


class Student(NamedTuple):
    """Somebody as Moodle and Canvas know them."""

    login: str
    name: str
    number: int

    def row_of_moodle(self, time: str) -> str:
        return (
            f"Participant {self.number},{self.name},{self.login},{self.login}@uni.org,"
            f'Submitted,,"{time}"\n'
        )

    def row_of_canvas(self) -> str:
        first, last = self.name.split()
        return f'"{last}, {first}",{self.number},,{self.login},Monday,\n'


CLASS = [
    Student(f"{n.lower()}{i}", f"{n} Berg{chr(97 + i)}", 5000 + i)
    for i, n in enumerate(NAMES.split())
]
LATE_ONE, EXTENDED, ABSENT = CLASS[3], CLASS[4], CLASS[19]


def run(course: Path, *command: str, status: int = 0) -> str:
    """Run a documented command in the course folder. Returns what it printed."""
    assert " ".join(command[:2]) in DOCS, f"{command[:2]} is not in docs/instructors.md"
    program = {"autograder": "autograder.cli"}.get(command[0], command[0])
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", program, *command[1:]], cwd=course, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(submissions.ROOT)}, timeout=540,
    )  # fmt: skip
    print(f"{time.monotonic() - start:6.1f} s  {' '.join(command)}", flush=True)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """An instructor's clone: two assignments, and the settings of the course."""
    root = tmp_path_factory.mktemp("term")
    (root / "source").mkdir()
    for name in ASSIGNMENTS:
        (root / "source" / name).symlink_to(submissions.ROOT / "source" / name)
    config = (submissions.ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
    due = dict.fromkeys(ASSIGNMENTS, "2026-11-27 23:59 UTC")
    (root / "nbgrader_config.py").write_text(
        f"{config}\nc.Late.due = {due}\nc.Late.per_day = 0.1\nc.Late.extensions = 'more.csv'\n"
    )
    (root / "more.csv").write_text(f"student,assignment,extension\n{EXTENDED.login},,3 days\n")
    return root


def moodle(course: Path, assignment: str) -> tuple[Path, Path]:
    """Hand in for everybody but one, two of them late. Returns the download and the roster."""
    made = submissions.sample_class(assignment)
    files, roster = {}, WORKSHEET
    for i, student in enumerate(CLASS):
        late = student in (LATE_ONE, EXTENDED)
        roster += student.row_of_moodle(LATE if late else "Nov 27 2026 10:21 PM UTC")
        if student != ABSENT:
            place = f"{student.name}_{student.number}_assignsubmission_file_"
            text = nbformat.writes(made[i % len(made)].notebook)
            files[f"{place}/{assignment}.ipynb"] = text
    path = course / f"{assignment}-roster.csv"
    path.write_text(roster, encoding="utf-8-sig")
    return zipped(course / f"{assignment}.zip", files), path


def marked(course: Path, assignment: str) -> int:
    """Mark every answer that waits with 2 points, on the page of `autograder mark`.

    Returns how many there were.
    """
    command = [sys.executable, "-m", "autograder.cli", "mark", assignment, "--no-browser"]
    environment = os.environ | {"PYTHONPATH": str(submissions.ROOT)}
    count = 0
    with subprocess.Popen(
        command, cwd=course, stdout=subprocess.PIPE, text=True, env=environment
    ) as marking:
        try:
            assert marking.stdout is not None
            (address,) = re.findall(r"http://\S+", marking.stdout.readline())
            place, token = address.split("?token=")
            start = fetch(address)
            for question in sorted(set(re.findall(r"question/([\w-]+)\?", start))):
                page = f"{place}question/{question}"
                state = state_of(fetch(f"{page}?token={token}"))
                for card in state["cards"]:
                    answers = {
                        one: [digest, state["marks"][one]["seen"]]
                        for one, digest in card["members"]
                    }
                    fetch(page, token, {"answers": answers, "points": 2, "comment": "So."})
                    count += len(answers)
        finally:
            marking.send_signal(signal.SIGINT)
            assert "every mark is in the gradebook" in marking.communicate(timeout=60)[0]
    return count


def fetch(address: str, token: str = "", data: dict | None = None) -> str:
    """Ask the page's server. Returns its answer."""
    body = data and json.dumps(data).encode()
    request = Request(address, data=body, headers={"X-Token": token} if token else {})
    with urlopen(request) as answer:
        return answer.read().decode()


@pytest.mark.slow
def test_a_term_with_nothing_but_what_is_documented(course):
    # 1: student versions, and a repository to hand them out
    run(course, "autograder", "release", *ASSIGNMENTS)
    run(course, "autograder", "publish", "handed-out")
    assert (course / "handed-out" / ASSIGNMENTS[0] / f"{ASSIGNMENTS[0]}.ipynb").is_file()
    totals = {}
    for assignment in ASSIGNMENTS:
        # 2, 3: from Moodle, and graded
        download, roster = moodle(course, assignment)
        said = run(course, "autograder", "collect", assignment, str(download),
                   "--roster", str(roster), "--id", "Username")  # fmt: skip
        assert "moodle: 19 submissions; 19 new" in said and f"not handed in: {ABSENT.login}" in said
        said = run(course, "autograder", "grade", assignment)
        assert "19 graded in" in said and "student was late" in said
        # 4: marked
        assert marked(course, assignment) > 19
    # 5: something has to change: full marks for a check, judged again without running
    with (course / "nbgrader_config.py").open("a") as file:
        file.write(f"\nc.Grading.full_marks = ['{ASSIGNMENTS[0]}/gradient_W1']\n")
    before = run(course, "autograder", "regrade", ASSIGNMENTS[0], "--dry-run")
    assert "gradient_W1" in before
    run(course, "autograder", "regrade", ASSIGNMENTS[0])
    assert "gradient_W1" not in run(course, "autograder", "regrade", ASSIGNMENTS[0], "--dry-run")
    # 6: what the class and each student see
    run(course, "autograder", "report")
    page = (course / "report" / f"{ASSIGNMENTS[0]}.html").read_text(encoding="utf-8")
    assert "handed in nothing" in page and ABSENT.name in page and LATE_ONE.name in page
    with (course / "report" / "course.csv").open(newline="") as file:
        lines = {row["student"]: row for row in csv.DictReader(file)}
    assert len(lines) == 20 and lines[ABSENT.login]["points"] == "0"
    assert lines[CLASS[0].login]["answers to be marked"] == "0"
    for assignment in ASSIGNMENTS:
        run(course, "nbgrader", "generate_feedback", assignment)
        text = {
            student.login: (course / "feedback" / student.login / assignment / f"{assignment}.html")
            .read_text(encoding="utf-8")
            for student in CLASS if student != ABSENT
        }  # fmt: skip
        assert all("not marked yet" not in page for page in text.values())
        assert re.search(r"after the due date: <b>−[\d.]+ points", text[LATE_ONE.login])
        assert "which cost no points" in text[EXTENDED.login]
        said = run(course, "autograder", "feedback-zip", assignment, f"{assignment}.zip",
                   "--roster", f"{assignment}-roster.csv", "--id", "Username")  # fmt: skip
        assert "students with feedback: 19" in said
        # 7: grades go back
        export = course / "canvas.csv"
        export.write_text(
            f"Student,ID,SIS User ID,SIS Login ID,Section,{assignment} (7)\n"
            "    Points Possible,,,,,100\n" + "".join(s.row_of_canvas() for s in CLASS)
        )
        said = run(course, "autograder", "export", assignment, "canvas.csv")
        assert "19 grades for canvas" in said and f"no grade: {ABSENT.login}" in said
        rows = csv.DictReader(io.StringIO((course / "canvas-grades.csv").read_text("utf-8")))
        totals[assignment] = {r["SIS Login ID"]: r[f"{assignment} (7)"] for r in rows}
        for login, line in lines.items():
            given = totals[assignment][login]
            expected = line[assignment]
            assert given == expected == "" or float(given) == pytest.approx(
                float(expected), abs=0.01
            )
