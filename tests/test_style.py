"""The words of docs/style.md that must not come back, in everything a reader sees."""

import io
import re
import tokenize
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from tests.submissions import ASSIGNMENTS, ROOT

PAGE = ROOT / "docs" / "style.md"
LONGEST = 60  # words of a specification that is not a list

Line = tuple[int, str]


def pairs() -> dict[str, str]:
    """Return what to write instead of each phrase in bold in the first column of the page."""
    rows = re.findall(r"^\| (.*) \| (.*) \|$", PAGE.read_text().split("## Instead of")[1], re.M)
    return {
        phrase.lower(): new for old, new in rows for phrase in re.findall(r"\*\*(.+?)\*\*", old)
    }


# What a reader sees of a file, line by line


def of_python(text: str) -> Iterator[Line]:
    """Yield comments, docstrings and other strings, even of a file that Python cannot parse."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        number, said = token.start[0], token.string
        match tokenize.tok_name[token.type]:
            case "COMMENT":
                yield number, said.lstrip("# %")
            case "STRING":
                yield from enumerate(re.sub(r"^\w*[\"']+|[\"']+$", "", said).splitlines(), number)
            case "FSTRING_MIDDLE":  # Python 3.12 and later
                yield from enumerate(said.splitlines(), number)


def of_mistakes(text: str) -> Iterator[Line]:
    """Yield the hints of a file of mistakes, or the reasons of a file of equivalent changes."""
    for number, line in enumerate(text.splitlines(), 1):
        yield number, "" if line.startswith(("-", "+", "@@")) else line


def of_changelog(text: str) -> Iterator[Line]:
    """Yield what is not released yet."""
    before, unreleased = text.split("## [Unreleased]")
    first = before.count("\n") + 1
    yield from enumerate(unreleased.split("\n## [")[0].splitlines(), first)


def seen() -> dict[Path, list[Line]]:
    """Return every file with something to read, and its lines in order."""
    files = dict.fromkeys(ROOT.glob("docs/*.md")) | dict.fromkeys(ROOT.glob("*.md"))
    for folder in ("autograder", "data_scripts"):
        files |= dict.fromkeys((ROOT / folder).rglob("*.py"))
        files |= dict.fromkeys((ROOT / folder).rglob("*.diff"))
    for assignment in ASSIGNMENTS:
        folder = ROOT / "source" / assignment
        files |= dict.fromkeys(folder.glob("*.py"))
        for part, kind in product(("checks", "lesson"), ("*.py", "*.diff", "*.txt")):
            files |= dict.fromkeys((folder / part).rglob(kind))
    files.pop(PAGE)
    return {file: sorted(read(file)) for file in files}


def read(file: Path) -> Iterator[Line]:
    text = file.read_text()
    if file.suffix == ".py":
        return of_python(text)
    if file.suffix in (".diff", ".txt"):
        return of_mistakes(text)
    return of_changelog(text) if file.name == "CHANGELOG.md" else enumerate(text.splitlines(), 1)


def found(lines: list[Line], phrases: dict[str, str]) -> Iterator[tuple[int, str]]:
    """Yield the line and the phrase wherever one of them is, across line breaks."""
    text, starts = "", []
    for number, line in lines:
        starts.append((len(text), number))
        text += line + "\n"
    words = "|".join(re.escape(one).replace(r"\ ", r"\s+") for one in phrases)
    for match in re.finditer(rf"(?<![\w-])({words})(?![\w-])", text, re.IGNORECASE):
        number = max(one for one in starts if one[0] <= match.start())[1]
        yield number, " ".join(match[0].lower().split())


def test_no_word_of_the_style_page_comes_back():
    phrases = pairs()
    back = [
        f'{file.relative_to(ROOT)}, line {number}: "{phrase}"; write: {phrases[phrase]}'
        for file, lines in sorted(seen().items())
        for number, phrase in found(lines, phrases)
    ]
    assert not back, "\n" + "\n".join(back)


def test_the_page_has_twenty_pairs_and_none_recommends_what_it_forbids():
    phrases = pairs()
    assert len(set(phrases.values())) >= 20
    assert not [*found(list(enumerate(phrases.values())), phrases)]


@pytest.mark.parametrize(
    "text, hits",
    [
        ("x = 1  # the gradient by W", 1),
        ('"""The gradient\n    by W."""', 1),
        ('x = f"{1} trainings"', 1),
        ("# the gradient\n# By W", 1),
        ("x = trainings", 0),
        ('"""The gradient by Wasserstein, the gradient-by W, pre-trainings."""', 0),
    ],
)
def test_words_are_found_in_comments_docstrings_and_strings_across_lines(text, hits):
    lines = sorted(of_python(text))
    assert len([*found(lines, {"gradient by w": "", "trainings": ""})]) == hits


def test_of_a_file_of_mistakes_only_hints_are_read_and_of_the_changelog_only_what_is_new():
    hints = "@@ trainings @@\nname keeps 0.5: its\n  trainings\n-  trainings\n+  trainings\n"
    assert [n for n, _ in found([*of_mistakes(hints)], {"trainings": ""})] == [3]
    log = "# trainings\n\n## [Unreleased]\n- trainings\n\n## [0.1]\n- trainings\n"
    assert [n for n, _ in found([*of_changelog(log)], {"trainings": ""})] == [4]


def test_what_a_reader_sees_is_read():
    names = {str(file.relative_to(ROOT)) for file in seen()}
    assert names > {
        "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/students.md", "autograder/cli.py",
        "source/a1_two_layer_net/a1_two_layer_net.py", "data_scripts/fetch.py",
        "source/a1_two_layer_net/checks/loss.diff", "source/a1_two_layer_net/checks/loss.py",
    }  # fmt: skip
    assert "docs/style.md" not in names


# Specifications


def runs_on(markdown: str) -> Iterator[str]:
    """Yield the paragraphs of tasks that are longer than a list would be, without one."""
    for paragraph in re.split(r"\n\s*\n", markdown):
        listed = re.search(r"^\s*([-*]|\d+\.) ", paragraph, re.M)
        if paragraph.startswith("**Task") and not listed and len(paragraph.split()) > LONGEST:
            yield paragraph


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_long_specification_is_a_list(assignment):
    text = (ROOT / "source" / assignment / f"{assignment}.py").read_text()
    assert "**Task" in text
    assert [*runs_on(re.sub(r"^# ?", "", text, flags=re.M))] == []


def test_a_long_task_is_refused_unless_it_is_a_list():
    long = "word " * LONGEST
    assert [*runs_on(f"Why.\n\n**Task** (5 min). {long}\n\nAfter it.")]
    assert not [*runs_on(f"{long}\n\n**Task** (5 min). Write it.")]
    assert not [*runs_on(f"**Task** (5 min). Write\n- {long}\n- {long}")]
