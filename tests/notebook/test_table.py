from dataclasses import replace

from autograder.notebook import table
from autograder.notebook.judge import NOT_WRITTEN, CaseVerdict, Verdict

PASSED = CaseVerdict("a", "5 samples", 1.0, "", 2.5e-16, 1e-7)
FAILED = CaseVerdict("b", "1 sample", 0.0, "scores <script> wrong", 0.5, 1e-7)
VERDICT = Verdict("scores", "the scores", 0.5, FAILED.reason, (PASSED, FAILED), "m", "use <clamp>.")


def test_a_table_has_a_row_a_case_with_error_and_tolerance():
    page = table.html(VERDICT)
    assert page.count("<tr>") == 3
    assert "2.5e-16" in page and "1.0e-07" in page and "1 of 2 cases passed" in page


def test_a_reason_that_repeats_is_said_once():
    page = table.html(replace(VERDICT, cases=(FAILED, FAILED, PASSED, FAILED)))
    assert page.count("scores &lt;script&gt; wrong") == 2
    assert page.count("as above") == 1


def test_a_function_that_is_not_written_yet_needs_no_table():
    unwritten = replace(FAILED, reason=NOT_WRITTEN, error=None)
    verdict = replace(VERDICT, reason=NOT_WRITTEN, cases=(unwritten, unwritten), hint="")
    assert "<table" not in table.html(verdict)
    assert table.text(verdict).endswith(NOT_WRITTEN)


def test_untrusted_text_is_escaped():
    page = table.html(VERDICT)
    assert "<script>" not in page and "scores &lt;script&gt; wrong" in page
    assert "use &lt;clamp&gt;." in page


def test_plain_text_says_the_same():
    text = table.text(VERDICT)
    assert "✓ 5 samples" in text and "✗ 1 sample" in text
    assert text.endswith("Looks like: use <clamp>.")


def test_what_rests_on_one_case_is_told_as_what_may_be():
    uncertain = replace(VERDICT, certain=False)
    assert table.text(uncertain).endswith("May be: use <clamp>.")
    assert "<b>May be:</b>" in table.html(uncertain)


def test_a_verdict_without_cases_gives_its_reason():
    verdict = Verdict("scores", "the scores", 0, "this cell left no evidence")
    assert "this cell left no evidence" in table.html(verdict)
    assert "this cell left no evidence" in table.text(verdict)


def test_a_case_that_is_worth_a_part_is_neither_passed_nor_failed():
    good = CaseVerdict("a", "800 images", 0.8, "51.3%: good")
    words = table.text(Verdict("best_net", "the chosen net", 0.8, good.reason, (good,)))
    assert words.startswith("best_net: 80% of the points")
    assert "~ 800 images" in words
