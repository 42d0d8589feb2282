"""The journal: whatever is in the file, a run knows what was graded and what was not."""

import json
from types import SimpleNamespace

import pytest

from autograder.grading.journal import Graded, Journal
from autograder.grading.prepare import Prepared

KIM = Prepared("kim", {}, b"", {}, "digest of kim")


@pytest.fixture
def course(tmp_path):
    course = SimpleNamespace(root=tmp_path)

    def assignment(name):
        def autograded(student):
            return tmp_path / "autograded" / student / name

        return SimpleNamespace(name=name, course=course, autograded=autograded)

    course.assignment = assignment
    return course


def graded(course, *results):
    """Write a journal, with the folder that a graded submission has."""
    journal = Journal(course.assignment("a0"))
    course.assignment("a0").autograded("kim").mkdir(parents=True)
    for result in results:
        journal.add(KIM, result, "answers")
    return journal


def test_what_was_graded_is_known_to_this_run_and_the_next(course):
    assert graded(course, Graded("kim")).has(KIM, "answers")
    assert Journal(course.assignment("a0")).has(KIM, "answers")


def test_a_submission_that_changed_is_another_one(course):
    graded(course, Graded("kim"))
    assert not Journal(course.assignment("a0")).has(
        Prepared("kim", {}, b"", {}, "another digest"), "answers"
    )


def test_without_its_folder_a_submission_is_not_graded(course):
    journal = graded(course, Graded("kim"))
    course.assignment("a0").autograded("kim").rmdir()
    assert not journal.has(KIM, "answers")


def test_what_failed_is_not_graded(course):
    assert not graded(course, Graded("kim", "it failed")).has(KIM, "answers")
    assert not Journal(course.assignment("a0")).has(KIM, "answers")


def test_the_last_line_of_a_student_counts(course):
    journal = graded(course, Graded("kim"), Graded("kim", "it failed"))
    assert not journal.has(KIM, "answers")
    assert not Journal(course.assignment("a0")).has(KIM, "answers")
    journal.add(KIM, Graded("kim"), "answers")
    assert Journal(course.assignment("a0")).has(KIM, "answers")


@pytest.mark.parametrize(
    "garbage",
    [b'{"student": "kim", "dig', b"[1]", b"7", b'"text"', b"{}", b"\xff\xfe\x00", b"\x00" * 9],
)
def test_garbage_is_no_line_and_spoils_no_other(course, garbage):
    journal = graded(course, Graded("kim"))
    with journal.path.open("ab") as file:
        file.write(garbage)
    again = Journal(course.assignment("a0"))
    assert again.has(KIM, "answers")
    again.add(Prepared("ada", {}, b"", {}, ""), Graded("ada", "ä\u2028b"), "answers")
    assert [line["student"] for line in again.lines()] == ["kim", "ada"]
    assert again.lines()[1]["error"] == "ä\u2028b"


def test_a_line_says_when_who_and_what(course):
    journal = graded(course, Graded("kim", "", {"a0": ["repaired"]}, 1.5, 4096))
    (line,) = journal.path.read_text().splitlines()
    entry = json.loads(line)
    assert entry.pop("time").startswith("20")
    assert entry == {
        "digest": "digest of kim", "student": "kim", "error": "", "notes": {"a0": ["repaired"]},
        "seconds": 1.5, "peak_memory": 4096, "answers": "answers",
    }  # fmt: skip


def test_what_was_judged_by_other_answers_is_graded_again_unless_it_was_judged_again(course):
    journal = graded(course, Graded("kim", seconds=2.5))
    assert not journal.has(KIM, "other answers")
    for _ in range(2):  # the second time changes nothing, and is no line
        journal.judged_again("kim", "other answers")
    journal.judged_again("ann", "other answers")  # of whom nothing is known
    for one in (journal, Journal(course.assignment("a0"))):
        assert one.has(KIM, "other answers") and not one.has(KIM, "answers")
    assert [line["seconds"] for line in journal.lines()] == [2.5, 2.5]
