"""Wrong solutions made by machine: what is changed, and what is found and said of it."""

import nbformat
import pytest

from autograder.authoring import mutants
from autograder.authoring.mistakes import Change, MistakesUnreadable
from autograder.authoring.mutants import Mutant, Tried, equivalents, mutants_of, mutated, try_all
from autograder.authoring.record import read_outcomes
from autograder.cli import main
from autograder.grading.notebooks import grade_id
from autograder.notebook.judge import Verdict
from tests import submissions, worked_example

NAME = worked_example.NAME


def solution(body, head="def f(x, y):"):
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    return f'{head}\n    """Of 1 + 2."""\n    ### BEGIN SOLUTION\n{lines}\n    ### END SOLUTION\n'


def made(body):
    """Return what a solution becomes: the lines between the markers, by what was done."""
    found = {}
    for kind, source in mutated(solution(body)):
        lines = source.split("\n")[3:-2]
        found.setdefault(kind, []).append("\n".join(line[4:] for line in lines))
    return found


@pytest.mark.parametrize(
    "body, kind, expected",
    [
        ("return x + y", "operator", ["return x - y"]),
        ("return x @ y", "operator", ["return x * y"]),
        ("return (x) * (y)", "operator", ["return (x) / (y)"]),
        ("return x < y", "operator", ["return x <= y"]),
        ("return x not in y", "operator", ["return x in y"]),
        ("return x and y or z", "operator", ["return x and y and z", "return x or y or z"]),
        ("x += y", "operator", ["x -= y"]),
        ("x += y", "statement dropped", ["pass"]),
        ("x[0] = y", "statement dropped", ["pass"]),
        ("x = x - y", "statement dropped", ["pass"]),
        ("print(x)", "statement dropped", ["pass"]),
        ("return -x", "sign dropped", ["return (x)"]),
        ("return 2", "constant", ["return 3"]),
        ("return 0.5", "constant", ["return 1.0"]),
        ("return 0.0", "constant", ["return 1.0"]),
        ("return True", "constant", ["return False"]),
        ("return x.sum(dim=1)", "constant", ["return x.sum(dim=2)"]),
        ("return x.sum(dim=1)", "argument dropped", ["return x.sum()"]),
        ("return x.sum(dim=1)", "call dropped", ["return x"]),
        ("return x.sum(dim=1)", "function", ["return x.mean(dim=1)"]),
        ("return torch.relu(x)", "call dropped", ["return (x)"]),
        ("return torch.where(x, y)", "arguments swapped", ["return torch.where(y, x)"]),
        ("return x, y", "order of what is returned", ["return y, x"]),
        ("return x[1:y]", "slice", ["return x[:y]", "return x[1:]"]),
        ("if x:\n    y = 1", "condition", ["if not (x):\n    y = 1"]),
        ("return 'größer', x + 'ä' + y", "operator", [
            "return 'größer', x + 'ä' - y", "return 'größer', x - 'ä' + y",
        ]),
    ],
)  # fmt: skip
def test_each_operator_changes_what_it_says(body, kind, expected):
    assert sorted(made(body)[kind]) == sorted(expected)


def test_what_makes_no_difference_by_the_rules_of_the_course_is_not_made():
    assert "call dropped" not in made("return x.item()")
    assert set(made("for _ in tqdm(x, leave=True):\n    pass")) == {"constant"}


def test_nothing_is_changed_outside_the_solution():
    source = solution("return x", head="def f(x, y=1 + 2):") + "z = 1 + 2\n"
    assert not list(mutated(source))
    assert not list(mutated("def f(x):\n    return 1 + 2\n"))


def test_every_mutant_is_python_and_none_is_made_twice():
    found = list(mutants_of(worked_example.notebook()))
    assert len(found) == 8 == len({mutant.source for mutant in found})
    assert {mutant.cell for mutant in found} == {"squared_error"}
    for mutant in found:
        compile(mutant.source, "cell", "exec")
        assert mutant.change.before != mutant.change.after


def test_the_lines_that_differ_are_written_as_in_a_file_of_mistakes():
    (found,) = (m for m in mutants_of(worked_example.notebook()) if "mean(dim=1)" in m.source)
    assert str(found) == (
        "@@ squared_error  (function)\n"
        "-    return (difference**2).sum(dim=1).mean()\n"
        "+    return (difference**2).mean(dim=1).mean()"
    )


@pytest.fixture
def in_process(monkeypatch):
    """Run mutants in this process."""

    def run(nb, challenge, *_):
        try:
            return read_outcomes(worked_example.recorded(nb, challenge))
        except Exception:  # what a mutant raises is its own affair
            return {}

    monkeypatch.setattr(mutants, "outcomes_of", run)


def without_first_case(folders):
    """Write a solution that can be changed without harm, as both hidden cases have dimension 2."""
    path = folders.notebook()
    nb = nbformat.read(path, 4)
    cell = next(cell for cell in nb.cells if grade_id(cell) == "squared_error")
    cell.source = cell.source.replace("prediction - target", "(prediction - target) + 0 * target")
    nbformat.write(nb, path)
    path.with_suffix(".py").unlink()


def test_who_survives_and_who_does_not(example, in_process):
    tried = list(try_all(example, workers=1))
    assert not [
        str(one.mutant) for one in tried if one.survived and "sum(dim=1)" in one.mutant.source
    ]
    lost = {mutant.change.after: one.verdicts[worked_example.CHECK]
            for one in tried for mutant in [one.mutant] if not one.survived}  # fmt: skip
    assert (
        lost[("    return (difference**2).mean(dim=1).mean()",)].mistake == "mean_over_everything"
    )


def test_a_limit_draws_some_and_a_seed_says_which(example, in_process):
    def drawn(seed):
        return [one.mutant for one in try_all(example, seed, limit=4, workers=1)]

    assert len(drawn(0)) == 4
    assert drawn(0) == drawn(0) != drawn(1)


def test_what_its_author_marked_as_equivalent_is_no_hole(example, in_process, capsys):
    without_first_case(example)
    command = ["--course", str(example.course.root), "mutants", NAME, "--workers", "1"]
    assert main(command) == 1
    said = capsys.readouterr().out
    assert f"{NAME}: of " in said and "told of mean_over_everything, 1 times: the squares" in said
    survivors = [one.mutant for one in try_all(example, workers=1) if one.survived]
    text = "".join(
        f"{mutant}\n\n".replace("  (", "\nnothing is added: (", 1) for mutant in survivors
    )
    (example.source / "checks" / mutants.EQUIVALENT).write_text(text)
    assert main(command) == 0
    assert f"{len(survivors)} are marked as equivalent, 0 survive." in capsys.readouterr().out


def test_a_mark_at_a_mutant_that_loses_points_is_told(example, in_process, capsys):
    lost = next(one for one in try_all(example, workers=1) if not one.survived)
    text = f"{lost.mutant}\n".replace("  (", "\nnothing is lost: (", 1)
    (example.source / "checks" / mutants.EQUIVALENT).write_text(text)
    command = ["--course", str(example.course.root), "mutants", NAME, "--workers", "1"]
    assert main(command) == 1
    said = capsys.readouterr().out
    assert f"marked as equivalent, and yet it loses points:\n{lost.mutant}\n" in said


@pytest.mark.slow
@pytest.mark.parametrize("assignment", submissions.ASSIGNMENTS)
def test_no_mutant_keeps_all_points_unless_its_author_says_why(assignment):
    tried = try_all(submissions.clone().assignment(assignment))
    assert not [str(one.mutant) for one in tried if not one.as_marked]


def test_equivalents_are_read_with_their_reasons(tmp_path):
    (tmp_path / "checks").mkdir()
    file = tmp_path / "checks" / mutants.EQUIVALENT
    assert equivalents(tmp_path) == {}
    file.write_text("@@ f\nBoth are the same\nhere.\n-a\n+b\n\nAnd so are these.\n-c\n+d\n")
    assert equivalents(tmp_path) == {
        ("f", Change(("a",), ("b",))): "Both are the same here.",
        ("f", Change(("c",), ("d",))): "And so are these.",
    }


@pytest.mark.parametrize(
    "text", ["@@ f\n-a\n+b", "why\n-a\n+b", "@@ f\nwhy", "@@ f\nwhy\n-a\n+b\nc"]
)
def test_an_equivalent_without_a_cell_a_reason_or_lines_is_refused(text, tmp_path):
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / mutants.EQUIVALENT).write_text(text)
    with pytest.raises(MistakesUnreadable, match=r"checks/equivalent\.txt, line 1: an equivalent"):
        equivalents(tmp_path)


def test_two_changes_under_one_reason_are_refused(tmp_path):
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / mutants.EQUIVALENT).write_text("@@ f\nwhy\n-a\n+b\n-c\n+d")
    with pytest.raises(MistakesUnreadable, match="two changes are in one paragraph; put an"):
        equivalents(tmp_path)


def test_a_mark_that_fits_no_mutant_is_refused(example):
    file = example.source / "checks" / mutants.EQUIVALENT
    file.write_text("@@ squared_error\nwhy\n-    return 0\n+    return 1\n")
    with pytest.raises(MistakesUnreadable, match="no mutant of squared_error has the line `return"):
        list(try_all(example, workers=1))


def test_a_solution_that_is_no_plain_python_has_no_mutants():
    assert not list(mutated("%%time\n" + solution("return x + y")))


def test_the_report_names_the_survivors_and_who_was_told_what():
    lines = Change(("-a",), ("-b",))
    one = Mutant("f", "constant", "", lines)
    told = Verdict("c", "", 0.5, "wrong", mistake="doubled", hint="halve it.")
    perhaps = Verdict("c", "", 0, "wrong", mistake="halved", hint="double it.", certain=False)
    tried = [
        Tried(one, {"c": told, "d": perhaps}), Tried(one, {"c": Verdict("c", "", 1.0, "correct")})
    ]  # fmt: skip
    assert "\n".join(mutants.report("a0", tried)) == (
        "a0: of 2 mutants 1 lose points, 0 are marked as equivalent, 1 survive.\n\n"
        "@@ f  (constant)\n--a\n+-b\n\ntold of doubled, 1 times: halve it.\n"
        "@@ f  (constant)\n--a\n+-b\n\n"
        "told (may be) of halved, 1 times: double it.\n@@ f  (constant)\n--a\n+-b\n"
    )
