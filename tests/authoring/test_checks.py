"""What an author says an exercise promises: checks and the cases they draw, and where they lie."""

import sys
from textwrap import dedent

import numpy as np
import pytest
import torch

from autograder import assignments
from autograder.authoring import checks
from autograder.authoring.checks import (
    PUBLIC_SEED,
    Declared,
    Draws,
    NoChecks,
    NoRealData,
    answer_of,
    as_outcome,
    case,
    check,
    load,
)
from autograder.authoring.mistakes import MistakesUnreadable
from autograder.errors import UserError
from autograder.notebook.cases import FLOAT32, FLOAT64, Case, Level
from data_scripts.storage import DataNotFound

TOPIC = """
    from autograder.authoring.checks import case, check

    def number_cases(rng):
        yield case("one", "a number", x=float(rng.rand()))
        if rng.real:
            yield case("real", "a number that was measured", x=1.5)

    @check("doubled", "twice a number", {"value": "return"}, number_cases)
    def double(x):
        return {"value": 2 * x}
"""
DIFF = """\
@@ doubling @@ doubled
tripled keeps 0.5: that is three times.
-    return 2 * x
+    return 3 * x
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """Forget the assignments of a test after it."""
    monkeypatch.setattr(assignments, "__path__", list(assignments.__path__))
    yield
    for name in [n for n in sys.modules if n.startswith(f"{assignments.__name__}.a0_")]:
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path):
    """The folder of an assignment that has no topics yet."""
    (tmp_path / "source" / "a0_numbers" / "checks").mkdir(parents=True)
    return tmp_path / "source" / "a0_numbers"


def add(folder, topic, code=TOPIC, diff=""):
    (folder / "checks" / f"{topic}.py").write_text(dedent(code))
    if diff:
        (folder / "checks" / f"{topic}.diff").write_text(diff)


# Draws


def first(*arguments) -> float:
    return Draws(*arguments).rand()


def test_a_seed_draws_the_same_numbers_and_another_seed_others():
    assert first(7, False) == first(7, False) != first(8, False)


def test_public_and_hidden_numbers_differ_whatever_the_seed():
    assert first(PUBLIC_SEED, False) != first(PUBLIC_SEED, True)


def test_real_data_changes_no_number_and_is_never_public():
    assert first(7, False, True) == first(7, False)
    assert [Draws(7, public, True).real for public in (False, True)] == [True, False]
    assert not Draws(7, False).real


def test_a_generator_knows_what_it_is_asked_for():
    rng = Draws(7, False)
    assert (rng.number, rng.public) == (7, False)


# A check and its cases


def two_cases(rng):
    yield case("drawn", "a number", 3.0, x=rng.rand(), y=rng.rand())
    yield case("loose", "in float32", x=1.0, y=2.0, tolerance=FLOAT32, answer={"value": 3.0})


def added(x, y):
    return {"value": x + y}


def test_inputs_keep_their_order_and_weights_and_words_are_as_written():
    sketch = case("c", "words", 2.0, b=1, a=2)
    assert (sketch.name, sketch.about, sketch.weight) == ("c", "words", 2.0)
    assert list(sketch.inputs) == ["b", "a"]
    assert case("c", "words").weight == 1.0


def test_an_input_may_be_called_like_a_word_of_case():
    inputs = case("c", "words", name=1, about=2, weight=3).inputs
    assert inputs == {"name": 1, "about": 2, "weight": 3}


def test_cases_are_drawn_twice_with_names_that_tell_which():
    declared = check("sum", "the sum", {"value": "return"}, two_cases)(added)
    drawn = declared.drawn(seed=3, topic="numbers")
    assert [(c.name, c.public) for c in drawn.cases] == [
        ("public_drawn", True), ("public_loose", True), ("drawn", False), ("loose", False),
    ]  # fmt: skip
    assert (drawn.name, drawn.title, drawn.topic, drawn.oracle) == (
        "sum", "the sum", "numbers", added,
    )  # fmt: skip
    assert drawn.cases[0].inputs != drawn.cases[2].inputs


def test_the_public_cases_are_the_same_for_every_seed():
    declared = check("sum", "the sum", {"value": "return"}, two_cases)(added)
    one, other = declared.drawn(seed=0).cases, declared.drawn(seed=1).cases
    assert one[:2] == other[:2] and one[2] != other[2]
    assert declared.drawn(seed=1).cases == other


def test_a_case_has_the_tolerance_of_its_check_or_its_own():
    for given in (FLOAT64, FLOAT32):
        declared = check("sum", "", {}, two_cases, tolerance=given)(added)
        assert [c.tolerance for c in declared.drawn().cases] == [given, FLOAT32] * 2
    assert check("sum", "", {}, two_cases).drawn().cases[0].tolerance == FLOAT64


def test_more_of_a_check_is_as_the_notebook_knows_it():
    declared = check("sum", "", {}, two_cases, by_hand=True, pure=True, criterion="accuracy")
    drawn = declared.drawn()
    assert (drawn.by_hand, drawn.pure, drawn.criterion, drawn.any_case) == (
        True, True, "accuracy", False,
    )  # fmt: skip
    with pytest.raises(TypeError, match="by_foot"):
        check("sum", "", {}, two_cases, by_foot=True)


def test_as_a_decorator_it_takes_the_function_for_its_oracle():
    declared = check("sum", "", {"value": "return"}, two_cases)
    assert declared.oracle is None
    assert declared(added).oracle is added
    assert isinstance(declared(added), Declared) and declared.oracle is None


def test_several_checks_may_share_an_oracle_and_cases():
    both = [check(name, "", {"value": "return"}, two_cases)(added) for name in ("one", "two")]
    assert [one.drawn().name for one in both] == ["one", "two"]
    assert both[0].drawn().cases == both[1].drawn().cases


def test_levels_and_an_answer_go_with_the_case():
    levels = [Level("good", 0.5, 1.0)]

    def judged_cases(rng):
        yield case("c", "", x=1, levels=levels, answer={"value": 7})

    (public, _) = check("c", "", {"value": "return"}, judged_cases).drawn().cases
    assert public.levels == tuple(levels)
    assert public.expected.leaves["value"].tensor == 7


# Answers


@pytest.mark.parametrize(
    "answer, dtype",
    [
        (True, torch.float64),
        (3, torch.float64),
        (0.5, torch.float64),
        (np.float32([1, 2]), torch.float32),
        (np.array([1, 2]), torch.int64),
        (torch.tensor([True]), torch.bool),
        (torch.ones(2, requires_grad=True), torch.float32),
        ([0.5, 1.5], torch.float32),
    ],
)
def test_an_answer_is_a_tensor_and_a_number_one_of_float64(answer, dtype):
    leaf = as_outcome({"value": answer}).leaves["value"]
    assert (leaf.kind, leaf.tensor.dtype, leaf.tensor.requires_grad) == ("tensor", dtype, False)
    assert leaf.tensor.tolist() == torch.as_tensor(answer).tolist()


def test_the_oracle_gets_the_inputs_by_position():
    drawn = check("difference", "", {"value": "return"}, two_cases)(
        lambda first, second: {"value": first - second}
    ).drawn()
    x, y = drawn.cases[0].inputs.values()
    assert answer_of(drawn, drawn.cases[0])["value"].tensor == x - y


def test_without_an_oracle_the_answer_is_that_of_the_case():
    drawn = check("sum", "", {"value": "return"}, two_cases).drawn()
    assert answer_of(drawn, drawn.cases[1])["value"].tensor == 3
    assert answer_of(drawn, drawn.cases[0]) == {}
    assert answer_of(drawn, Case("none", "", {})) == {}


def test_an_oracle_that_leaves_out_a_record_is_named_with_its_case():
    drawn = check("sum", "", {"value": "return", "gradient": "after.x"}, two_cases)(added).drawn()
    with pytest.raises(UserError) as error:
        answer_of(drawn, drawn.cases[0])
    assert str(error.value).startswith("sum, case public_drawn: the oracle answers value, and not ")
    assert "gradient" in str(error.value)


# An assignment


def test_an_assignment_is_its_checks_its_mistakes_and_what_lies_beside_them(folder):
    add(folder, "numbers", diff=DIFF)
    for name in ("alternatives/b.py", "alternatives/a.py", "artifacts/net.safetensors"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    found = load(folder)
    assert (found.name, [c.name for c in found.checks]) == ("a0_numbers", ["doubled"])
    assert [(m.name, m.topic, m.checks) for m in found.mistakes] == [
        ("tripled", "numbers", ("doubled",))
    ]
    assert [path.name for path in found.alternatives] == ["a.py", "b.py"]
    assert found.artifacts == {"net.safetensors": folder / "artifacts" / "net.safetensors"}


def test_the_seed_draws_the_hidden_cases(folder):
    add(folder, "numbers")
    one, again, other = (load(folder, seed).checks[0].cases for seed in (1, 1, 2))
    assert one == again
    assert one[0] == other[0] and one[1] != other[1]


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_nothing_can_be_drawn_with_is_said_to_be_so(folder, seed):
    add(folder, "numbers")
    with pytest.raises(UserError, match=str(seed)):
        load(folder, seed)


def test_topics_come_by_name_or_in_the_order_of_the_author(folder):
    for topic in ("b", "a", "c", "_shared"):
        add(folder, topic, TOPIC.replace("doubled", f"doubled_{topic}"))
    assert list(checks.topics(folder)) == ["a", "b", "c"]
    assert [c.topic for c in load(folder).checks] == ["a", "b", "c"]


def test_only_what_the_author_lists_is_a_topic(folder):
    for topic in ("b", "a", "nets"):
        add(folder, topic)
    (folder / "checks" / "__init__.py").write_text('TOPICS = "b", "a"\n')
    assert list(checks.topics(folder)) == ["b", "a"]


def test_what_topics_share_is_imported_from_beside_them(folder):
    (folder / "checks" / "shared.py").write_text("FACTOR = 2\n")
    add(
        folder, "numbers", "from .shared import FACTOR\n" + dedent(TOPIC).replace("2 *", "FACTOR *")
    )
    (folder / "checks" / "__init__.py").write_text('TOPICS = ("numbers",)\n')
    assert [c.name for c in load(folder).checks] == ["doubled"]


def test_checks_are_found_alone_and_in_lists_in_the_order_they_stand(folder):
    more = """
        LISTED = [check(f"listed_{n}", "", {}, number_cases)(lambda x: {}) for n in (2, 1)]
        last = check("last", "", {}, number_cases)
        not_one = [1, "text", None]
    """
    add(folder, "numbers", dedent(TOPIC) + dedent(more))
    assert [c.name for c in load(folder).checks] == ["doubled", "listed_2", "listed_1", "last"]


def test_mistakes_come_in_the_order_of_the_topics(folder):
    add(folder, "a", diff=DIFF.replace("tripled", "of_a"))
    add(folder, "b", diff=DIFF.replace("tripled", "of_b"))
    (folder / "checks" / "__init__.py").write_text('TOPICS = "b", "a"\n')
    assert [(m.name, m.topic) for m in checks.mistakes(folder)] == [("of_b", "b"), ("of_a", "a")]


def test_a_file_of_mistakes_that_cannot_be_read_is_named(folder):
    add(folder, "numbers", diff="no mistake")
    with pytest.raises(MistakesUnreadable, match=r"a0_numbers/checks/numbers\.diff, line 1: "):
        load(folder)


@pytest.mark.parametrize("code", [None, "", "x = 1"])
def test_an_assignment_without_checks_says_where_to_learn_of_them(folder, code):
    if code is None:
        (folder / "checks").rmdir()
    else:
        add(folder, "numbers", code)
    with pytest.raises(NoChecks, match=r"a0_numbers/checks: there are no checks; docs/authors\.md"):
        load(folder)


def test_a_check_that_two_topics_declare_is_named(folder):
    """The second one would take the place of the first, and nobody would be told."""
    add(folder, "a")
    add(folder, "b")
    with pytest.raises(UserError, match="doubled"):
        load(folder)


def test_real_data_adds_hidden_cases_and_no_public_ones(folder):
    add(folder, "numbers")
    plain, real = load(folder).checks[0].cases, load(folder, real=True).checks[0].cases
    assert plain == real[:-1]
    assert (real[-1].name, real[-1].public) == ("real", False)


def test_an_assignment_without_real_data_is_not_drawn_with_it(folder):
    add(folder, "numbers", TOPIC.replace("rng.real", "False"))
    with pytest.raises(
        NoRealData, match=r"^a0_numbers has no cases of real data; leave out --real"
    ):
        load(folder, real=True)
    assert issubclass(NoRealData, UserError)


def test_real_data_that_is_not_here_says_so(folder):
    raises = "if rng.real:\n            raise DataNotFound('get it')\n        if 0:"
    code = "from data_scripts.storage import DataNotFound\n" + dedent(
        TOPIC.replace("if rng.real:", raises)
    )
    add(folder, "numbers", code)
    load(folder)
    with pytest.raises(DataNotFound, match="get it"):
        load(folder, real=True)


def test_two_courses_may_have_an_assignment_of_one_name(tmp_path):
    courses = [tmp_path / name / "source" / "a0_numbers" for name in ("one", "two")]
    for number, folder in enumerate(courses):
        (folder / "checks").mkdir(parents=True)
        add(folder, "numbers", TOPIC.replace("doubled", f"check_{number}"))
    for number in (0, 1, 0):
        assert [c.name for c in load(courses[number]).checks] == [f"check_{number}"]


def test_a_course_s_own_topics_count_even_if_another_s_are_a_package(tmp_path):
    """`checks` needs no `__init__.py`; that of the clone may have one, to order its topics."""
    package, plain = (tmp_path / name / "source" / "a0_numbers" for name in ("package", "plain"))
    for number, folder in enumerate((package, plain)):
        (folder / "checks").mkdir(parents=True)
        add(folder, "numbers", TOPIC.replace("doubled", f"check_{number}"))
    (package / "checks" / "__init__.py").touch()
    assert [c.name for c in load(package).checks] == ["check_0"]
    assert [c.name for c in load(plain).checks] == ["check_1"]
