"""Every link of README.md, docs/*.md and the other pages leads somewhere; the web is not asked."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests import test_attacks, test_tampering
from tests.grading import test_damage
from website.pages import INTERFACE, ROOT, menu, target, text_of
from website.rendering import addresses, anchors

SOURCES = sorted({source for group in menu().values() for page in group for source in page.sources})


@cache
def anchors_of(source: Path) -> set[str]:
    return anchors(text_of(source))


def broken(source: Path, text: str, own: set[str]) -> list[str]:
    """Return the addresses of a text that lead nowhere."""
    found = []
    for address in addresses(text):
        path, anchor = target(source, address)
        if path is None:
            lost = bool(anchor) and address.startswith("#") and anchor not in own
        else:
            lost = not (ROOT / path).is_file()
            lost |= bool(anchor) and (path.suffix != ".md" or anchor not in anchors_of(path))
        found += [address] if lost else []
    return found


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_every_link_leads_to_a_file_and_its_heading(source):
    assert broken(source, text_of(source), anchors_of(source)) == []


def test_all_texts_of_the_repository_are_pages_of_the_site():
    texts = {
        path.relative_to(ROOT) for place in (".", "docs") for path in (ROOT / place).glob("*.md")
    }
    assert texts | {INTERFACE} <= set(SOURCES)
    assert len([source for source in SOURCES if source.suffix == ".ipynb"]) == 8


@pytest.mark.parametrize(
    "link, lost",
    [
        ("data.md", False), ("data.md#in-a-notebook", False), ("../README.md", False),
        ("check.png", False), ("#here", False), ("https://example.com/#no", False),
        ("dada.md", True), ("data.md#no", True), ("README.md", True), ("#nowhere", True),
        ("check.png#no", True), ("../docs", True),
    ],
)  # fmt: skip
def test_what_is_lost_would_be_found(link, lost):
    text = f"# Here\n\n[a]({link})\n"
    assert broken(Path("docs/x.md"), text, anchors(text)) == ([link] if lost else [])


def test_every_picture_of_the_docs_is_shown_somewhere():
    shown = {target(one, a)[0] for one in SOURCES for a in addresses(text_of(one))}
    pictures = {
        path.relative_to(ROOT) for kind in ("png", "gif") for path in ROOT.glob(f"docs/*.{kind}")
    }
    assert pictures and pictures <= shown


# The page on security


def test_the_numbers_of_the_page_on_security_are_those_of_the_tests():
    page = (ROOT / "docs" / "security.md").read_text()
    said = [*map(int, re.findall(r"\b\d+\b", page.split("| what is tried")[1].split("\n\n")[0]))]
    of_notebooks = len(test_tampering.ATTACKS) + len(("own_challenge", "own_answers"))
    damage = len(test_damage.WHOLE), len(test_damage.NOTHING)
    attacks = len(test_attacks.NAMES), len(test_attacks.RIGHT), len(test_attacks.QUICK)
    assert said[:6] == [*attacks, of_notebooks, *damage]
    calls = ast.parse((ROOT / "tests" / "sandbox" / "test_calls.py").read_text())
    (tried,) = (
        loop.iter for loop in ast.walk(calls)
        if isinstance(loop, ast.For) and ast.unparse(loop.iter).startswith("(*range(600)")
    )  # fmt: skip
    assert said[6:7] == [600 + len(tried.elts) - 1]
