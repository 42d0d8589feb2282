"""A class is graded once and whole, whatever happens to those who grade it."""

import errno
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell

from autograder import cli
from autograder.grading import cluster, gradebook
from autograder.grading import pipeline as grading
from autograder.grading.course import CourseError, open_course
from autograder.grading.execute import Ran
from autograder.grading.journal import Journal
from autograder.grading.notebooks import grade_id
from autograder.grading.pipeline import grade
from autograder.sandbox import client
from tests import submissions
from tests.fixtures import A1, scores

COMMAND = [sys.executable, "-m", "autograder.cli"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(submissions.ROOT)}
STUDENTS = ["ada", "bob", "cyd", "dan"]


@pytest.fixture(scope="module")
def handed_in(course_of, solved):
    """A course with four submissions: a right one, an empty one, a slow one, a wrong one."""
    reference = submissions.in_release(A1, solved)
    slow = submissions.released_notebook(A1)
    slow.cells.insert(0, new_code_cell("import time\ntime.sleep(3)"))
    wrong = submissions.in_release(A1, solved)
    for cell in wrong.cells:
        cell.source = cell.source.replace("np.maximum", "np.minimum").replace("clamp", "abs_")
    notebooks = (reference, submissions.released_notebook(A1), slow, wrong)
    return course_of(dict(zip(STUDENTS, notebooks, strict=True)), "handed_in").root


@pytest.fixture(scope="module")
def undisturbed(handed_in, tmp_path_factory):
    """The same course, graded by real workers, and what these returned, by what they got."""
    course = copied(handed_in, tmp_path_factory.mktemp("undisturbed"))
    returned = {}

    def watched(*arguments):
        for prepared, ran in run_class(*arguments):
            returned[tuple(prepared.notebooks.values())] = ran
            yield prepared, ran

    run_class = grading.run_class
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grading, "run_class", watched)
        assert [one.error for one in grade(course.assignment(A1), workers=2)] == [""] * 4
    return course, returned


@pytest.fixture(scope="module")
def expected(undisturbed):
    return scores(undisturbed[0])


@pytest.fixture
def course(handed_in, tmp_path):
    return copied(handed_in, tmp_path)


@pytest.fixture
def replayed(monkeypatch, undisturbed):
    """Let what runs return what it returned before."""
    monkeypatch.setattr(cluster, "run_all", Replay(undisturbed[1]))
    monkeypatch.setattr(cluster.kernels, "begin", lambda *_: None)


class Replay:
    """What ran before comes back; anything else comes back as it was, without outputs."""

    def __init__(self, returned):
        self.returned = returned

    def __call__(self, notebooks, files, config):
        return self.returned.get(tuple(notebooks.values())) or Ran(notebooks, 0.0, 0)


class Fails:
    """A worker that always fails."""

    def __call__(self, notebooks, files, config):
        raise RuntimeError("no kernel today\nand more")


def copied(root, to):
    shutil.copytree(root, to, symlinks=True, dirs_exist_ok=True)
    return open_course(to)


def names(graded):
    return sorted(one.student for one in graded)


def journal(course):
    return [line["student"] for line in Journal(course.assignment(A1)).lines()]


def command(course, *arguments):
    """Run the command in this process. Returns its exit status."""
    return cli.main(["--course", str(course.root), "grade", A1, *arguments])


def started(course, *arguments):
    """Start the command in a process group of its own, as a terminal does."""
    return subprocess.Popen(
        [*COMMAND, "--course", str(course.root), "grade", A1, *arguments], env=ENVIRONMENT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def one_sentence(text):
    (line,) = text.strip().splitlines()
    assert line.startswith("autograder: ")
    return line.removeprefix("autograder: ")


# Going on where a run stopped


def test_a_run_that_goes_on_grades_what_changed_was_deleted_or_failed(course, replayed, expected):
    assert names(grade(course.assignment(A1))) == STUDENTS
    assert names(grade(course.assignment(A1), resume=True)) == []
    submitted = {name: course.assignment(A1).submitted(name) / f"{A1}.ipynb" for name in STUDENTS}
    shutil.copy(submitted["bob"], submitted["ada"])
    shutil.rmtree(course.assignment(A1).autograded("bob"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "run_all", Fails())
        (failed,) = grade(course.assignment(A1), ["dan"])
    assert failed.error == "RuntimeError: no kernel today"
    assert names(grade(course.assignment(A1), resume=True)) == ["ada", "bob", "dan"]
    assert scores(course) == {**expected, "ada": expected["bob"]}
    assert names(grade(course.assignment(A1), resume=True)) == []
    assert names(grade(course.assignment(A1))) == STUDENTS


def test_a_journal_that_was_cut_off_costs_one_submission(course, replayed, expected):
    list(grade(course.assignment(A1)))
    path = course.root / "logs" / f"{A1}.jsonl"
    last = journal(course)[-1]
    path.write_bytes(path.read_bytes()[:-40])
    assert names(grade(course.assignment(A1), resume=True)) == [last]
    assert names(grade(course.assignment(A1), resume=True)) == []
    assert scores(course) == expected


@pytest.mark.parametrize(
    "changed, flagged",
    [
        ("nothing", set()),
        ("the answer", {"question_initial_loss"}),
        ("the code", {"forward_scores"}),
        ("the automatic score", {"forward_scores"}),
        ("what it was compared with is gone", {"forward_scores", "question_initial_loss"}),
    ],
)
def test_a_score_given_by_hand_survives_and_what_changed_is_marked_for_another_look(
    course, replayed, changed, flagged
):
    by_hand, bob = {"forward_scores": 5.0, "question_initial_loss": 2.0}, course.assignment(A1)
    list(grade(bob, ["bob"]))
    path = bob.submitted("bob") / f"{A1}.ipynb"
    with course.gradebook() as book:
        for cell, score in by_hand.items():
            given = book.find_grade(cell, A1, A1, "bob")
            given.manual_score, given.needs_manual_grade = score, False
            if changed == "the automatic score":
                given.auto_score = 3.0 if cell == "forward_scores" else given.auto_score
        book.db.commit()
    if changed == "the answer":
        nb = nbformat.read(path, 4)
        next(c for c in nb.cells if grade_id(c) == "question_initial_loss").source = "Because."
        nbformat.write(nb, path)
    elif changed == "the code":
        nb = nbformat.read(path, 4)
        next(c for c in nb.cells if grade_id(c) == "nn_predict").source += "\n# another answer"
        nbformat.write(nb, path)
    elif changed == "what it was compared with is gone":
        shutil.rmtree(bob.autograded("bob"))
    list(grade(bob, ["bob"]))
    with course.gradebook() as book:
        found = {cell: book.find_grade(cell, A1, A1, "bob") for cell in by_hand}
        assert {cell: one.score for cell, one in found.items()} == by_hand
        assert {cell for cell, one in found.items() if one.needs_manual_grade} == flagged
        assert not book.find_grade("forward_hidden", A1, A1, "bob").needs_manual_grade


def test_a_penalty_goes_when_the_date_does(course, replayed):
    config = course.root / "nbgrader_config.py"
    text = config.read_text()
    config.unlink()
    config.write_text(f"{text}\nc.LateSubmissionPlugin.penalty_method = 'zero'\n")
    course = open_course(course.root)
    time_file = course.assignment(A1).submitted("ada") / "timestamp.txt"
    time_file.write_text("2026-01-02 00:00:00 UTC")
    penalties = []
    for duedate in ("2026-01-01 00:00:00 UTC", None):
        with course.gradebook() as book:
            book.update_or_create_assignment(A1, duedate=duedate)
        assert names(grade(course.assignment(A1), ["ada"])) == ["ada"]
        with course.gradebook() as book:
            penalties.append(book.find_submission(A1, "ada").late_submission_penalty)
    assert penalties == [85, 0]


# Processes that die

DYING = """
import os, pickle, signal, sys
from pathlib import Path
from autograder.grading import pipeline as grading
from autograder.grading import cluster, journal
from autograder.grading.course import open_course
from tests.grading.test_pipeline import A1, Replay

if __name__ == "__main__":
    root, where, returned = sys.argv[1:]
    die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    if where == "journal":
        journal.Journal.add = die
    else:
        grading.write_autograded = die
    cluster.run_all = Replay(pickle.loads(Path(returned).read_bytes()))
    cluster.kernels.begin = lambda *_: None
    list(grading.grade(open_course(root).assignment(A1)))
"""


@pytest.mark.parametrize("where", ["autograded folder", "journal"])
def test_killed_between_two_writes(where, course, replayed, undisturbed, expected, tmp_path):
    """After the gradebook's commit, before the folder or the journal: graded again."""
    list(grade(course.assignment(A1), ["ada"]))
    returned = tmp_path / "returned.pickle"
    returned.write_bytes(pickle.dumps(undisturbed[1]))
    shutil.rmtree(course.assignment(A1).submitted("ada").parent)  # its result is not touched
    script = tmp_path / "dying.py"
    script.write_text(DYING)
    killed = subprocess.run(
        [sys.executable, script, course.root, where, returned], env=ENVIRONMENT, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    (done,) = set(scores(course)) - {"ada"}
    assert course.assignment(A1).autograded(done).exists() == (where == "journal")
    assert journal(course) == ["ada"]
    assert names(grade(course.assignment(A1), resume=True)) == STUDENTS[1:]
    assert scores(course) == expected


def test_kernels_that_are_lost_cost_nothing(course, expected):
    """The process they come from is killed, by a system without memory for one."""
    run = grade(course.assignment(A1), workers=2)
    graded = [next(run)]
    (process,) = client._started.values()
    process.process.kill()
    graded += run
    assert names(graded) == STUDENTS
    assert {one.error for one in graded} == {""}
    assert sorted(journal(course)) == STUDENTS
    assert scores(course) == expected


def stopped(course, stop):
    """Start the command, stop it after the first submission.

    Returns who was done, its exit status, what it said, and the seconds it took to end.
    """
    process = started(course, "--workers", "2")
    seen = set()
    while not journal(course):
        assert process.poll() is None, process.communicate()
        seen.update(psutil.Process(process.pid).children(recursive=True))
        time.sleep(0.05)
    start = time.monotonic()
    stop(process)
    out, err = process.communicate(timeout=60)
    seconds = time.monotonic() - start
    assert len(seen) > 1
    assert psutil.wait_procs(seen, timeout=10)[1] == []
    return journal(course), process.returncode, out, err, seconds


def goes_on(course, done, expected):
    assert 1 <= len(done) < 4
    assert set(scores(course)) >= set(done)
    again = subprocess.run(
        [*COMMAND, "--course", course.root, "grade", A1, "--workers", "2", "--resume"],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert f"{len(done)} were graded before" in again.stdout
    assert sorted(journal(course)) == STUDENTS
    assert scores(course) == expected


@pytest.mark.slow
def test_killed_in_the_middle(course, expected):
    done, status, *_ = stopped(course, lambda process: process.kill())
    assert status == -signal.SIGKILL
    goes_on(course, done, expected)


@pytest.mark.slow
def test_ctrl_c(course, expected):
    done, status, _, err, seconds = stopped(course, lambda p: os.killpg(p.pid, signal.SIGINT))
    assert status == 130
    assert one_sentence(err) == "stopped; finished work is kept."
    assert seconds < 8
    goes_on(course, done, expected)


# Disks that are full


def enlarge(place):
    subprocess.run(["mount", "-o", "remount,size=100m", place], check=True)


@pytest.mark.parametrize("place", ["autograded", "logs"])
def test_a_full_disk(place, course, replayed, expected, small_disk, capsys):
    full = course.root / place
    small_disk(full, "64k" if place == "autograded" else "4k")
    if place == "logs":
        (full / "ballast").write_bytes(bytes(4096))
    assert command(course) == 1
    said = one_sentence(capsys.readouterr().err)
    assert said.endswith(
        "No space left on device; nothing is lost: make room, and continue with "
        "`autograder grade --resume`."
    )
    assert list((course.root / "autograded").glob(f"*/{A1}")) == [] or place == "logs"
    enlarge(full)
    assert command(course, "--resume") == 0
    assert scores(course) == expected
    assert len(list((course.root / "autograded").glob(f"*/{A1}/{A1}.ipynb"))) == 4
    assert sorted(journal(course)) == STUDENTS


def test_a_full_disk_under_the_gradebook(
    handed_in, replayed, expected, small_disk, tmp_path, capsys
):
    root = tmp_path / "course"
    small_disk(root, "8m")
    course = copied(handed_in, root)
    (root / "autograded").symlink_to(tmp_path)
    free = shutil.disk_usage(root).free
    (root / "ballast").write_bytes(bytes(free - 8192))
    assert command(course) == 1
    assert one_sentence(capsys.readouterr().err) == (
        "the gradebook cannot be used (database or disk is full); nothing is lost: when it can be "
        "used, continue with `autograder grade --resume`."
    )
    (root / "ballast").unlink()
    assert command(course, "--resume") == 0
    assert scores(course) == expected


def test_a_full_disk_where_nothing_can_be_mounted(course, replayed, expected, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "autograded/ada")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert command(course) == 1
    assert "No space left" in one_sentence(capsys.readouterr().err)
    assert command(course, "--resume") == 0
    assert scores(course) == expected


# Gradebooks that someone else holds

HOLD = """
import sqlite3, sys, time
gradebook = sqlite3.connect(sys.argv[1], isolation_level=None)
gradebook.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def hold():
    processes = []

    def start(course, seconds):
        path = course.root / "gradebook.db"
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, path, str(seconds)], stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout.readline() == "held\n"

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("when", ["before", "in the middle"])
def test_a_run_waits_for_a_gradebook_that_is_held(when, course, replayed, expected, hold, capsys):
    start = time.monotonic()
    if when == "before":
        hold(course, 7)
        assert names(grade(course.assignment(A1))) == STUDENTS
    else:
        run = grade(course.assignment(A1))
        first = next(run)
        hold(course, 7)
        assert names([first, *run]) == STUDENTS
    assert time.monotonic() - start > 6
    assert scores(course) == expected
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("when", ["before", "in the middle"])
def test_a_gradebook_that_is_held_for_too_long(when, course, replayed, hold, monkeypatch, capfd):
    monkeypatch.setattr(gradebook, "PATIENCE", 0.5)
    if when == "before":
        hold(course, 60)
        assert command(course) == 1
        said = one_sentence(capfd.readouterr().err)
    else:
        run = grade(course.assignment(A1))
        next(run)
        hold(course, 60)
        with pytest.raises(CourseError) as caught:
            next(run)
        said = str(caught.value)
        assert capfd.readouterr().err == ""
    assert said == (
        "the gradebook cannot be used (database is locked); nothing is lost: when it can be "
        "used, continue with `autograder grade --resume`."
    )


# Few submissions in memory


def test_submissions_are_prepared_as_they_are_needed(course, replayed, monkeypatch):
    prepared = []
    prepare = grading.prepare
    monkeypatch.setattr(
        grading, "prepare", lambda *args: prepared.append(args[1]) or prepare(*args)
    )
    for number in range(30):
        shutil.copytree(course.root / "submitted" / "bob", course.root / "submitted" / f"s{number}")
    for yielded, _ in enumerate(grade(course.assignment(A1), workers=2), start=1):
        assert len(prepared) <= yielded + cluster.AHEAD * 2 + 2
    assert yielded == len(prepared) == 34


# What is not there


def test_an_unknown_student(course, capsys):
    assert command(course, "--student", "bob", "--student", "eve") == 1
    assert one_sentence(capsys.readouterr().err) == (
        f"submitted/eve/{A1}: no such folder; is the student's name right?"
    )
    assert scores(course) == {}


def test_no_workers(course, capsys):
    with pytest.raises(SystemExit) as caught:
        command(course, "--workers", "0")
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith("argument --workers: 0: at least 1 is needed\n")


JUNK = {
    "empty": {},
    "junk": {"notes.txt": b"hello", "photo.jpg": b"\xff\xd8", "timestamp.txt": b"\xff yesterday"},
    "broken": {f"{A1}.ipynb": b"{"},
}


def test_a_folder_without_a_notebook_has_zero_and_a_reason(course, replayed, expected):
    for student, files in JUNK.items():
        folder = course.assignment(A1).submitted(student)
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    link = course.assignment(A1).submitted("empty") / "timestamp.txt"
    link.symlink_to("/dev/zero")
    graded = {one.student: one for one in grade(course.assignment(A1))}
    assert {one.error for one in graded.values()} == {""}
    found = scores(course)
    assert {name: found[name] for name in STUDENTS} == expected
    for student in JUNK:
        note = graded[student].notes[A1][0]
        assert "could not be read" in note or "there is no notebook" in note
        assert sum(score or 0 for score in found[student].values()) == 0


def test_the_time_of_a_submission_goes_along(course, replayed):
    (course.assignment(A1).submitted("bob") / "timestamp.txt").write_text("2026-01-02 10:00:00 UTC")
    list(grade(course.assignment(A1), ["bob"]))
    assert course.api.get_autograded_students(A1) == {"bob"}
    written = course.assignment(A1).autograded("bob") / "timestamp.txt"
    assert written.read_text() == "2026-01-02 10:00:00 UTC"


# Workers elsewhere


@pytest.fixture
def elsewhere(tmp_path):
    """Return functions that start a scheduler and a worker, in folders of their own."""
    processes = []

    def start(*arguments, code=submissions.ROOT):
        folder = tmp_path / f"process {len(processes)}"
        folder.mkdir()
        with (folder / "log").open("w") as log:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "dask", *arguments],
                    cwd=folder,
                    env={**ENVIRONMENT, "PYTHONPATH": str(code)},
                    stdout=log,
                    stderr=log,
                )
            )
        return folder

    def scheduler():
        place = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        folder = start("scheduler", *place, "--scheduler-file", "scheduler.json")
        deadline = time.monotonic() + 60
        while not (folder / "scheduler.json").exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(0.2)  # until it is written
        return json.loads((folder / "scheduler.json").read_text())["address"]

    def worker(address, code=submissions.ROOT):
        start("worker", address, "--nworkers", "1", "--nthreads", "1", "--no-dashboard", code=code)

    yield scheduler, worker
    for process in reversed(processes):
        process.terminate()
    for process in processes:
        process.wait(timeout=30)


@pytest.mark.slow
def test_workers_elsewhere_give_the_same_scores(course, expected, elsewhere):
    scheduler, worker = elsewhere
    address = scheduler()
    worker(address)
    worker(address)
    graded = list(grade(course.assignment(A1), scheduler=address))
    assert names(graded) == STUDENTS
    assert {one.error for one in graded} == {""}
    assert scores(course) == expected


@pytest.mark.slow
def test_a_worker_with_another_version_is_refused(course, elsewhere, tmp_path, capfd):
    scheduler, worker = elsewhere
    address = scheduler()
    other = tmp_path / "other"
    other.mkdir()
    for name in ("autograder", "data_scripts"):
        shutil.copytree(submissions.ROOT / name, other / name)
    shutil.copy(submissions.ROOT / "pyproject.toml", other)
    with (other / "autograder" / "check.py").open("a") as file:
        file.write("\n# changed\n")
    worker(address, code=other)
    assert command(course, "--scheduler", address) == 1
    said = one_sentence(capfd.readouterr().err)
    assert "has another version of the course than this machine" in said
    assert scores(course) == {}
