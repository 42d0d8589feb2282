"""The page of the interface says what the docstrings say."""

import pytest

from autograder import Checker
from autograder.authoring import checks
from autograder.notebook import cases
from website import interface


def test_everything_that_is_listed_is_on_the_page_with_its_docstring():
    page = interface.page()
    for _, _, module, names in interface.SECTIONS:
        for name in names:
            assert f"### {name}\n" in page
            if callable(thing := getattr(module, name)):
                assert thing.__doc__.splitlines()[0].replace("``", "`") in page, name


def test_every_method_of_a_checker_is_on_the_page():
    methods = [name for name in vars(Checker) if not name.startswith("_")]
    assert {"public", "hidden", "hand_in", "progress"} <= set(methods)
    assert all(f"#### Checker.{name}\n" in interface.page() for name in methods)


@pytest.mark.parametrize(
    "thing, text",
    [
        (cases.Tolerance, "Tolerance(rtol: float, atol: float)"),
        (Checker.progress, "progress() -> None"),
        (
            Checker.public,
            "public(\n    name: str,\n    function: Callable[..., Any],\n"
            "    *more: Callable[..., Any],\n) -> None",
        ),
    ],
)
def test_a_signature_is_short_or_has_a_parameter_a_line(thing, text):
    assert interface.signature(thing.__name__, thing) == text


def test_a_default_and_a_type_with_commas_stay_on_one_line():
    lines = interface.signature("check", checks.check).splitlines()
    assert "    cases: Callable[[Draws], Iterable[Sketch]]," in lines
    assert "    tolerance: Tolerance = Tolerance(rtol=1e-07, atol=1e-09)," in lines


def test_examples_become_code_and_double_backticks_single_ones():
    assert interface.prose("Say.\n\n>>> a = 1\n>>> a") == "Say.\n\n```python\n>>> a = 1\n>>> a\n```"
    assert interface.prose("Of ``a`` and `b`.") == "Of `a` and `b`."
