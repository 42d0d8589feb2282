"""Markdown as GitHub reads it, for a generator that reads it otherwise."""

import pytest

from website.rendering import addresses, anchors, block, parts, to_site


def test_headings_stay_markdown_with_the_anchors_of_github():
    text = "# Two `words`, here\n\ntext\n\n## The same\n\n## The same\n"
    assert to_site(text, str) == (
        "# Two `words`, here { #two-words-here }\n\n<div><p>text</p>\n</div>\n\n"
        "## The same { #the-same }\n\n## The same { #the-same-1 }"
    )


@pytest.mark.parametrize(
    "title, anchor",
    [
        ("When `autograder grade` stops", "when-autograder-grade-stops"),
        ("1 · Forward pass", "1--forward-pass"),
        ("Is it K-means?", "is-it-k-means"),
        ("See [data](data.md) first", "see-data-first"),
    ],
)
def test_an_anchor_is_that_of_github(title, anchor):
    assert anchors(f"## {title}\n") == {anchor}


@pytest.mark.parametrize("fence", ["```", "~~~", "````"])
def test_what_looks_like_a_heading_in_code_is_none(fence):
    text = f"{fence}python\n# a comment\n{fence}\n# A heading\n"
    assert anchors(text) == {"a-heading"}


def test_a_fence_of_three_does_not_end_one_of_four():
    assert anchors("````\n```\n# no\n````\n# yes\n") == {"yes"}


def test_lists_are_nested_by_two_spaces_and_need_no_empty_line():
    page = block("A list:\n- a\n  - b\n")
    assert page.count("<ul>") == 2 and "<li>a<ul>" in page


def test_formulas_are_mathml():
    page = block("The loss $p_i$ is\n\n$$\\frac{1}{N}$$\n")
    assert page.count("<math") == 2 and "<mfrac>" in page and "$" not in page


def test_code_is_coloured_if_its_language_is_known_and_escaped_if_not():
    assert '<span class="k">' in block("```python\nreturn 1\n```\n")
    assert "<code>a &lt; b &amp; c\n</code>" in block("```\na < b & c\n```\n")


def test_each_address_is_replaced_in_links_pictures_and_html_but_not_in_code():
    text = 'A [link](a.md#b), ![picture](c.png), <img src="d.png">, `[no](e.md)`.\n'
    page = block(text, lambda address: f"at/{address}")
    assert [f'"at/{one}"' in page for one in ("a.md#b", "c.png", "d.png")] == [True] * 3
    assert addresses(text) == ["a.md#b", "c.png", "d.png"]


def test_addresses_in_headings_are_found():
    assert addresses("## See [data](data.md)\n\n```\n[no](e.md)\n```\n") == ["data.md"]


def test_nothing_between_two_headings_is_no_part():
    assert [level for level, _, _ in parts("# A\n\n\n## B\ntext\n")] == [1, 2, 0]
