"""Which submissions are alike: copies are found, honest work is not, and given text never is."""

import csv
import subprocess
import sys

import nbformat
import pytest
from copydetect.utils import hashed_kgrams
from nbformat.v4 import new_code_cell, new_markdown_cell

from autograder.cli import main
from autograder.reports.similar import compare, page, read
from autograder.reports.similar.read import ELSEWHERE, Submission, text
from tests.submissions import ROOT
from tests.worked_example import NAME, RIGHT, hand_in

LOOPS = """def squared_error(prediction, target):
    # go through the samples one by one
    total = torch.zeros(())
    count = 0
    for row, wanted in zip(prediction, target, strict=True):
        differences = [(a - b) * (a - b) for a, b in zip(row, wanted, strict=True)]
        total = total + torch.stack(differences).sum()
        count += 1
    return total / max(count, 1)
"""
RENAMED = """def squared_error(prediction, target):
    result = torch.zeros(())  # my result
    n = 0
    for p, t in zip(prediction, target, strict=True):
        # all of my differences
        deltas = [(u - v) * (u - v) for u, v in zip(p, t, strict=True)]
        result = result + torch.stack(deltas).sum()
        n += 1
    return result / max(n, 1)
"""
NORMS = """def squared_error(prediction, target):
    residual = torch.sub(target, prediction).flatten(start_dim=1)
    lengths = torch.linalg.vector_norm(residual, ord=2, dim=1)
    assert lengths.ndim == 1 and lengths.shape[0] == len(prediction)
    return torch.mean(torch.square(lengths), dim=0)
"""
TWO = """def first(values):
    while len(values) > 3 and values[0] != values[-1]:
        values = values[1:-1] + [values[len(values) // 2]]
    return sorted(values, reverse=True)[:2]
"""
OTHER = """def second(matrix, k):
    smallest = {row[k]: i for i, row in enumerate(matrix) if row[k] < 0}
    return [matrix[i] @ matrix[i].T for i in smallest.values()] or None
"""


def class_of(**sources):
    return [Submission(name, {"cell": text(source, True)}) for name, source in sources.items()]


def students_of(pairs):
    return [pair.students for pair in pairs]


def compared(example, **settings):
    class_, unreadable = read.submissions(example)
    return class_, unreadable, compare.compare(class_, read.given(example), **settings)


# What is found


def test_a_copy_with_other_names_and_comments_is_found_and_honest_work_is_not(example):
    for student, solution in (
        ("anna", LOOPS), ("ben", RENAMED), ("cleo", NORMS), ("dan", RIGHT), ("eve", RIGHT),
    ):  # fmt: skip
        hand_in(example, student, solution)
    hand_in(example, "fay")  # two unmodified stubs
    hand_in(example, "gus")
    class_, unreadable, found = compared(example)
    assert len(class_) == 7 and not unreadable
    assert students_of(found.pairs) == [("anna", "ben")]
    (pair,) = found.pairs
    assert pair.share == pair.cells["squared_error"] == 1 and pair.alike > 80


def test_two_styles_share_less_than_a_copy_even_if_no_style_is_known(monkeypatch):
    monkeypatch.setattr(compare, "LEAST", 0.1)
    found = compare.compare(class_of(anna=LOOPS, ben=RENAMED, cleo=NORMS, dan=TWO), [])
    assert found.pairs[0].students == ("anna", "ben")
    assert all(pair.alike < found.pairs[0].alike / 20 for pair in found.pairs[1:])


def test_what_an_alternative_or_a_named_file_says_is_no_evidence(example, tmp_path):
    hand_in(example, "anna", LOOPS)
    hand_in(example, "ben", RENAMED)
    class_, _, found = compared(example)
    assert len(found.pairs) == 1
    (tmp_path / "lecture.md").write_text(f"As in the lecture:\n\n```python\n{LOOPS}```\n")
    given = read.given(example, [tmp_path / "lecture.md"])
    assert compare.compare(class_, given).pairs == []
    (example.source / "alternatives").mkdir(exist_ok=True)
    (example.source / "alternatives" / "loops.py").write_text(LOOPS)
    assert compare.compare(class_, read.given(example)).pairs == []


def test_functions_in_another_order_are_the_same_functions():
    found = compare.compare(class_of(anna=TWO + OTHER, ben=OTHER + TWO), [])
    assert found.pairs[0].share > 0.7


def test_a_short_solution_is_no_evidence():
    short = "def f(values, most):\n    return [v for v in values if v < most and v > 0][::2]\n"
    both = class_of(anna=short, ben=short)
    assert 0 < len(compare.compare(both, []).passages["anna"]["cell"]) < compare.SHORT
    assert compare.compare(both, []).pairs == []


def test_what_many_share_is_how_one_writes_it_and_is_said():
    many = class_of(**{f"s{i:02}": LOOPS for i in range(compare.COMMON + 1)}, x=TWO, y=TWO)
    found = compare.compare(many, [])
    assert students_of(found.pairs) == [("x", "y")] and found.common_cells["cell"] > 80
    every = compare.compare(many, [], common=compare.COMMON + 1)
    assert len(every.pairs) == 11 * 10 // 2 + 1 and every.common_cells == {}


def test_all_of_one_cell_weighs_more_than_a_little_of_each(monkeypatch):
    monkeypatch.setattr(compare, "LEAST", 1)
    tail = "    values = values[1:-1] + [values[len(values) // 2]]\n"
    a, b = (f"def f(values):\n{tail}" + own.partition("\n")[2] for own in (LOOPS, NORMS))
    little = {f"c{i}": (text(a, True), text(b, True)) for i in range(4)}
    cells = {name: one for name, (one, _) in little.items()}, {n: o for n, (_, o) in little.items()}
    whole = text(TWO, True)
    class_ = [
        Submission("anna", cells[0] | {"own": whole}), Submission("ben", cells[1]),
        Submission("cleo", {"own": whole}),
    ]  # fmt: skip
    pairs = compare.compare(class_, []).pairs
    assert students_of(pairs) == [("anna", "cleo"), ("anna", "ben")]


def test_code_in_cells_of_their_own_and_written_answers_are_compared(example):
    for student in ("anna", "ben"):
        path = hand_in(example, student)
        notebook = nbformat.read(path, 4)
        notebook.cells.insert(2, new_code_cell(TWO))
        nbformat.write(notebook, path)
    class_, _, found = compared(example)
    assert set(found.pairs[0].cells) == {ELSEWHERE}
    said = "The loss falls since the steps of the second run follow the valley, not its walls."
    answers = [Submission(n, {"q": text(said, False)}) for n in ("anna", "ben")]
    assert compare.compare(answers, []).pairs[0].share == 1
    assert compare.compare(answers, [said]).pairs == []


def test_five_of_the_same_are_one_group_and_other_pairs_are_others():
    five = class_of(**{name: LOOPS + OTHER for name in "abcde"}, x=TWO, y=TWO)
    found = compare.compare(five, [])
    assert len(found.pairs) == 11
    groups = [students for _, students in compare.groups(found.pairs, 10)]
    assert groups == [["a", "b", "c", "d", "e"], ["x", "y"]]
    assert len(compare.groups(found.pairs, 1)) == 1


def test_who_shares_with_only_one_of_two_is_not_in_their_group():
    found = compare.compare(class_of(a=LOOPS + TWO, b=LOOPS, c=TWO), [])
    assert [students for _, students in compare.groups(found.pairs, 10)] == [["a", "b"], ["a", "c"]]


@pytest.mark.slow
def test_another_process_says_the_same():
    code = (
        "from tests.reports.test_similar import *\n"
        "found = compare.compare(class_of(a=LOOPS + TWO, b=OTHER + RENAMED, c=TWO + OTHER), [])\n"
        "print([(p.students, p.alike, p.share) for p in found.pairs])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in "12"
    }  # fmt: skip
    assert len(said) == 1 and "('a', 'b')" in said.pop()


# What cannot be read


def test_a_broken_notebook_is_named_and_a_syntax_error_is_compared(example):
    hand_in(example, "anna", LOOPS.replace("total / max(count, 1)", "total / max(count, 1"))
    hand_in(example, "ben", RENAMED)
    hand_in(example, "cleo").write_text('{"cells": [')
    class_, (broken,), found = compared(example)
    assert broken.student == "cleo" and "not JSON" in broken.unreadable
    assert students_of(found.pairs) == [("anna", "ben")] and len(class_) == 2


def test_a_class_is_read_the_same_in_several_processes(example):
    for i in range(2 * read.AT_ONCE):
        hand_in(example, f"s{i:02}", (LOOPS, NORMS)[i % 2])
    assert read.submissions(example, workers=1) == read.submissions(example, workers=2)


def test_a_very_long_cell_is_cut():
    assert len(text("x = 1\n" * read.LONGEST, True).source) == read.LONGEST


def test_what_is_wrong_is_a_sentence(example, said, monkeypatch, tmp_path):
    monkeypatch.chdir(example.course.root)
    assert "there are no submissions" in said("similar", NAME)
    assert "no such notebook" in said("similar", "a0_nothing")
    for student in ("anna", "ben"):
        hand_in(example, student, LOOPS)
    assert "gone.py: No such file" in said("similar", NAME, "--given", "gone.py")
    (tmp_path / "photo.txt").write_bytes(b"\xff\xfe")
    given = str(tmp_path / "photo.txt")
    assert "it is not text in UTF-8; it should be a notebook" in said(
        "similar", NAME, "--given", given
    )
    (tmp_path / "broken.ipynb").write_text("{")
    given = str(tmp_path / "broken.ipynb")
    assert "broken.ipynb: the file is not JSON" in said("similar", NAME, "--given", given)
    assert "name another folder with --output" in said("similar", NAME, "--output", given)


# The page


def test_marks_cover_what_is_shared_and_counts_and_html_is_text():
    head = "class Table:\n    '''<b>rows</b>'''\n"
    one, other = text(head + TWO, True), text("width = 1\n" + TWO, True)
    both = compare.compare([Submission("a", {"c": one}), Submission("b", {"c": other})], [])
    shared = {*both.passages["a"]["c"].tolist()} & {*both.passages["b"]["c"].tolist()}
    sides = page.marked(one, other, shared)
    for side in sides:
        assert side.count("<mark>") == 1
        assert "<mark>def first(values):" in side and "[:2]</mark>" in side
    assert "class Table:\n    &#39;&#39;&#39;&lt;b&gt;" in sides[0]


def test_a_mark_begins_and_ends_where_a_passage_does_a_class_s_name_too():
    one = text("width = 1  # how many columns\n\nclass Table:\n    size = 3\n\n" + TWO, True)
    passages = hashed_kgrams(one.reduced, compare.PASSAGE)
    side, same = page.marked(one, one, {int(passages[one.reduced.index("O")])})
    marked = side.partition("<mark>")[2].partition("</mark>")[0]
    assert side == same
    assert (
        marked.strip() == "Table:\n    size = 3\n\ndef first(values):\n    while len(values) &gt;"
    )


def test_the_command_writes_a_page_and_a_table(example, capsys, monkeypatch):
    monkeypatch.chdir(example.course.root)
    for student in ("anna", "ben", "<i>cleo"):
        hand_in(example, student, LOOPS + "# <script>alert(1)</script>\n")
    hand_in(example, "dan").write_text("")
    assert main(["similar", NAME]) == 0
    printed = capsys.readouterr()
    assert printed.out == (
        "compared 3 submissions; pairs that are alike: 3\n"
        f"wrote report/{NAME}-similar.html and {NAME}-similar.csv: "
        "no verdict; read the page first\n"
    )
    assert printed.err == "left out: dan: the notebook could not be read: the file is empty\n"
    written = (example.course.root / "report" / f"{NAME}-similar.html").read_text()
    assert "This page is no verdict." in written and "dan (the notebook could not" in written
    assert written.count("<section>") == 1 and "&lt;i&gt;cleo, anna, ben</h2>" in written
    assert "<script" not in written and "<i>" not in written and "http" not in written
    with (example.course.root / "report" / f"{NAME}-similar.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["student_1"], row["student_2"]) for row in rows] == [
        ("<i>cleo", "anna"), ("<i>cleo", "ben"), ("anna", "ben"),
    ]  # fmt: skip
    assert rows[0]["share"] == "1.00" and rows[0]["cells"] == "squared_error 100%"


def test_a_class_without_pairs_has_a_page_that_says_so(example, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(example.course.root)
    hand_in(example, "anna")
    assert main(["similar", NAME, "--output", str(tmp_path / "new" / "place")]) == 0
    written = (tmp_path / "new" / "place" / f"{NAME}-similar.html").read_text()
    assert "No two submissions are alike" in written and "<section>" not in written


def test_several_notebooks_of_an_assignment_are_told_apart(example):
    notebook = nbformat.read(example.release / f"{NAME}.ipynb", 4)
    nbformat.write(notebook, example.release / "more.ipynb")
    path = hand_in(example, "anna", TWO)
    path.rename(path.with_name("more.ipynb"))
    hand_in(example, "anna", LOOPS)
    (anna,), _ = read.submissions(example)
    sources = {name: one.source for name, one in anna.texts.items() if one.source}
    assert sources == {f"{NAME}: squared_error": LOOPS, "more: squared_error": TWO}


def test_prose_is_told_from_code(example):
    path = hand_in(example, "anna")
    notebook = nbformat.read(path, 4)
    metadata = {"nbgrader": {"grade_id": "q", "grade": True, "solution": True, "points": 1,
                             "locked": False, "task": False, "schema_version": 3}}  # fmt: skip
    released = nbformat.read(example.release / f"{NAME}.ipynb", 4)
    for one, said in ((released, "YOUR ANSWER HERE"), (notebook, "Mine, in prose.")):
        one.cells.append(new_markdown_cell(said, metadata=metadata))
    nbformat.write(released, example.release / f"{NAME}.ipynb")
    nbformat.write(notebook, path)
    (anna,), _ = read.submissions(example)
    assert (anna.texts["q"].reduced, anna.texts["q"].is_code) == ("Mine, in prose.", False)
    assert "prediction" not in anna.texts["squared_error"].reduced
