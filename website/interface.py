"""What notebooks and authors call, as their docstrings say it."""

import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from autograder.authoring import checks
from autograder.notebook import cases, check, stubs

LONGEST = 80  # characters of a signature on one line
PATHS = re.compile(r"\b(?:autograder|collections|torch|typing|numpy)\.(?:\w+\.)*(?=\w)")

# Each section: its title, what it is about, and the names of its module that belong to it.
SECTIONS: tuple[tuple[str, str, ModuleType, tuple[str, ...]], ...] = (
    ("In a notebook", "A notebook makes one `Checker`, from `autograder`.", check, ("Checker",)),
    (
        "In a file of checks",
        "From `autograder.authoring.checks`: an author decorates an oracle with `check`, and its "
        "generator of cases yields what `case` returns.",
        checks,
        ("check", "case", "Draws", "Sketch"),
    ),
    (
        "What a check is made of",
        "From `autograder.notebook.cases`: a check as it is recorded, and what it may ask for.",
        cases,
        ("RecordedCheck", "Case", "Tolerance", "FLOAT64", "FLOAT32", "Level", "KnownMistake"),
    ),
    (
        "Functions that a check hands over",
        "From `autograder.notebook.stubs`, for a student's function that takes a function.",
        stubs,
        ("Stub",),
    ),
)


def page() -> str:
    """Return the page of the interface as Markdown."""
    text = [
        "# Interface",
        "What a notebook calls, and what an author of exercises writes. This page is made from "
        "the docstrings; [for authors](../docs/authors.md) shows how the parts fit together.",
    ]
    for title, about, module, names in SECTIONS:
        text += [f"## {title}", about]
        for name in names:
            text += described(name, getattr(module, name))
    return "\n\n".join(text) + "\n"


def described(name: str, thing: Any) -> Iterator[str]:
    """Yield heading, signature and docstring of a class or function, and those of its methods."""
    yield f"### {name}"
    if not callable(thing):
        yield f"```python\n{name} = {thing!r}\n```"
        return
    yield from signed(name, thing)
    for method, function in vars(thing).items() if inspect.isclass(thing) else ():
        if inspect.isfunction(function) and not method.startswith("_"):
            yield f"#### {name}.{method}"
            yield from signed(method, function)


def signed(name: str, thing: Any) -> Iterator[str]:
    """Yield a signature as it would be written, and a docstring as Markdown."""
    yield f"```python\n{signature(name, thing)}\n```"
    yield prose(inspect.getdoc(thing) or "")


def signature(name: str, thing: Any) -> str:
    """Write a signature, a parameter a line if it is long, with short names of types."""
    found = inspect.signature(thing)
    kept = [one for one in found.parameters.values() if one.name != "self"]
    returned = inspect.Signature.empty if inspect.isclass(thing) else found.return_annotation
    text = f"{name}{found.replace(parameters=kept, return_annotation=returned)}"
    text = PATHS.sub("", text)
    if len(text) <= LONGEST:
        return text
    before, inner, after = re.fullmatch(r"(\w+\()(.*)(\).*)", text, re.DOTALL).groups()
    lines = re.split(r", (?=[*/]|\w+:)", inner)  # not inside a type or a default
    return "\n    ".join([before, *(f"{line}," for line in lines)]) + f"\n{after}"


def prose(docstring: str) -> str:
    """Turn a docstring into Markdown: examples become code, double backticks single ones."""
    text = re.sub(r"((?:^>>> .*\n?)+)", r"```python\n\1\n```", docstring, flags=re.MULTILINE)
    return text.replace("``", "`") if "```" not in text else text
