"""`autograder grade` as a whole, on machines and in jobs that are not as one would wish."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import submissions
from tests.fixtures import scores
from tests.worked_example import CHECK, NAME, RIGHT, hand_in

PROGRAM = f"{sys.executable} -m autograder.cli --course {{}} grade {NAME}"


@pytest.fixture
def grade(example):
    """Return a function that grades in a shell, and says what was printed and recorded."""
    hand_in(example, "kim", RIGHT)
    root = example.course.root

    def run(before="", after="", wrapper=("bash", "-c"), **environment):
        command = f"{before}\n{PROGRAM.format(root)} {after}"
        there = {**os.environ, "PYTHONPATH": str(submissions.ROOT), **environment}
        done = subprocess.run(
            [*wrapper, command], env=there, capture_output=True, text=True, cwd="/"
        )
        return done.stdout + done.stderr, scores(example.course, NAME)

    return run


GRADED = {"kim": {CHECK: 5}}


def test_no_home_a_long_place_for_temporary_files_few_files_and_no_encoding(grade, tmp_path):
    long = tmp_path / ("x" * 115)
    long.mkdir()
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    said, graded = grade("unset HOME\nulimit -n 64", TMPDIR=str(long), **plain)
    assert graded == GRADED and "1 student, mean 5.0" in said and "Error" not in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_home_that_is_read_only_no_shared_memory_and_a_full_disk_for_temporary_files(grade):
    mounts = "mount -t tmpfs -o ro none /dev/shm; mount -t tmpfs -o ro none /media; "
    mounts += "mount -t tmpfs -o size=4k none /mnt; head -c 4k /dev/zero > /mnt/full 2>/dev/null"
    said, graded = grade(
        mounts, wrapper=("unshare", "--mount", "bash", "-c"), HOME="/media", TMPDIR="/mnt"
    )
    assert graded == GRADED and "Error" not in said


@pytest.mark.parametrize(
    "output", [">&- 2>&-", "</dev/null >&-", ">/dev/full", "| true", "<&- >&- 2>&-"]
)
def test_where_nobody_reads_what_is_printed_the_class_is_graded(grade, output):
    said, graded = grade(after=output)
    assert graded == GRADED
    assert "Traceback" not in said
    if output == ">/dev/full":
        assert said.splitlines()[-1] == (
            "autograder: the output cannot be written (No space left on device); "
            "finished work is kept."
        )


def test_a_clock_that_jumps_back_loses_nothing(grade, example):
    """What was graded in the future is graded again if it changes, and is left out if not."""
    grade()
    for path in example.course.root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (4e9, 4e9))
    said, graded = grade(after="--resume")
    assert graded == GRADED and "1/1" not in said
    hand_in(example, "kim", RIGHT.replace("mean()", "mean() * 2"))
    os.utime(Path(example.submitted("kim"), f"{NAME}.ipynb"), (0, 0))
    _, graded = grade(after="--resume")
    assert graded == {"kim": {CHECK: 0}}
