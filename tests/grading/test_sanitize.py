"""What a browser is shown of a submission: nothing in it that runs, and nothing lost but that."""

import re
from html.parser import HTMLParser

import pytest
from nbformat import from_dict
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell

from autograder.grading.notebooks import VERDICT_MIME
from autograder.grading.sanitize import TRIANGLE, SanitizeSubmission, to_html
from tests.submissions import source_notebook
from tests.test_notebooks import ASSIGNMENTS

RUNS = re.compile(r"(java|vb)script:|data:text/html", re.IGNORECASE)
ADDRESSES = {"href", "src", "action", "style"}
TAGS = {
    "script",
    "style",
    "iframe",
    "object",
    "embed",
    "svg",
    "math",
    "base",
    "meta",
    "link",
    "form",
}
PNG = "iVBORw0KGgo=\n"

LIVE_HTML = (
    "<script>attack</script>",
    "<SCRIPT SRC=//x></SCRIPT>",
    "<scr<script>ipt>attack</script>",
    "<<script>attack</script>",
    "<script\n>attack</script\n>",
    "<img src=x onerror=attack>",
    "<a\nhref=x\nonclick=attack>x</a>",
    "<a href='javascript:attack'>x</a>",
    "<a href='java\tscript:attack'>x</a>",
    "<a href='&#106;avascript:attack'>x</a>",
    "<svg/onload=attack>",
    "<iframe srcdoc='<script>attack</script>'></iframe>",
    "<meta http-equiv=refresh content='0;url=javascript:attack'>",
    "<base href='//x'>",
    "<form action='javascript:attack'><input type=submit></form>",
    "<style>@import '//x'</style>",
    "<!-- <script>attack</script> -->",
    "<!DOCTYPE x><script>attack</script>",
    "<![CDATA[<script>attack</script>]]>",
    "<?php <script>attack</script> ?>",
    "<noscript><p title='</noscript><img src=x onerror=attack>'></noscript>",
    "<math><mtext><style><!--</style><img title='--&gt;&lt;img src=1 onerror=attack&gt;'></math>",
    "</pre></div><script>attack</script>",
)
LIVE_MARKDOWN = (
    "[x](javascript:attack)",
    "[x](JavaScript:attack)",
    "[x](java\nscript:attack)",
    "[x](<java\tscript:attack>)",
    "[x](\x01javascript:attack)",
    "[x](java\\script:attack)",
    "[x](java&#115;cript:attack)",
    "[x](java&Tab;script:attack)",
    "[x](javascript&colon;attack)",
    "[x](vbscript:attack)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "![x](javascript:attack)",
    "<javascript:attack>",
    "[x]: javascript:attack\n\n[x]",
    "| a |\n|---|\n| [x](javascript:attack) |",
    '[x](http://x "onclick=attack")',
    '[x](http://x"onclick=attack)',
    "`<script>attack</script>`",
    "```\n<script>attack</script>\n```",
    "> <script>attack</script>",
    "$<img src=x onerror=attack>$",
    "![\"><script>attack</script>](x)",
    "\\<script>attack</script>",
)  # fmt: skip
# what Markdown or bleach decodes once more before a browser does
DECODED_TWICE = (
    "[x](&amp;#106;avascript:attack)",
    "[x](java&amp;Tab;script:attack)",
    "[x](javascript&amp;colon;attack)",
    "[x]: &amp;#106;avascript:attack\n\n[x]",
    "[x](ja<!-- -->vascript:attack)",
)


class Live(HTMLParser):
    """Collects what a browser would run, or load by itself."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.found = []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            address = re.sub(r"[\s\x00-\x1f]", "", value or "") if name in ADDRESSES else ""
            if name.startswith("on") or RUNS.search(address):
                self.found.append((tag, name, value))
        if tag in TAGS:
            self.found.append(tag)


def live(page):
    parser = Live()
    parser.feed(page)
    return parser.found


def sanitized(cell):
    return SanitizeSubmission().preprocess_cell(cell, {}, 0)[0]


def shown(source, **attachments):
    """Return a written answer as HTML."""
    return to_html(source, attachments)


def data(**kinds):
    """Return what is left of an output."""
    named = {kind.replace("_", "/", 1): value for kind, value in kinds.items()}
    output = from_dict({"output_type": "display_data", "metadata": {}, "data": named})
    (left,) = sanitized(new_code_cell("display(…)", outputs=[output])).outputs
    return left.data


# Written answers


@pytest.mark.parametrize("source", ["<script>", "<img onload=a>", "<a href='java\nscript:a'>"])
def test_these_tests_see_what_is_live(source):
    assert len(live(source)) == 1


@pytest.mark.parametrize("source", [*LIVE_HTML, *LIVE_MARKDOWN])
def test_a_written_answer_runs_nothing(source):
    assert live(shown(source)) == []
    assert live(sanitized(new_raw_cell(source)).source) == []


@pytest.mark.parametrize("source", DECODED_TWICE)
def test_a_link_that_is_decoded_twice_runs_nothing(source):
    assert live(shown(source)) == []


AS_IN_JUPYTERLAB = {
    "1 < 2 and 3 > 2, a & b": "<p>1 &lt; 2 and 3 &gt; 2, a &amp; b</p>",
    "> quoted": "<blockquote>\n<p>quoted</p>\n</blockquote>",
    "$x<1$ in `a < b`": "<p>$x&lt;1$ in <code>a &lt; b</code></p>",
    "$$\\begin{aligned} x &= y\\end{aligned}$$":
        "<p>$$\\begin{aligned} x &amp;= y\\end{aligned}$$</p>",
    "W<sub>1</sub> and <b>bold</b>": "<p>W<sub>1</sub> and <b>bold</b></p>",
    "<details><summary>A hint</summary>`x`</details>":
        TRIANGLE + "<details><summary>A hint</summary>`x`</details>",
    "[a](https://a.org)": '<p><a href="https://a.org" rel="noopener noreferrer">a</a></p>',
    "![p](plot.png)": '<p><img src="plot.png" alt="p"></p>',
    "```python\nx <= y\n```": '<div class="highlight"><pre><span></span><span class="n">x</span> '
        '<span class="o">&lt;=</span> <span class="n">y</span>\n</pre></div>',
    "| a |\n|--:|\n| 1 |": '<table>\n<thead>\n<tr>\n  <th style="text-align:right">a</th>\n</tr>\n'
        '</thead>\n<tbody>\n<tr>\n  <td style="text-align:right">1</td>\n</tr>\n</tbody>\n</table>',
}  # fmt: skip


@pytest.mark.parametrize("source", AS_IN_JUPYTERLAB)
def test_an_answer_looks_as_in_jupyterlab(source):
    assert shown(source).strip() == AS_IN_JUPYTERLAB[source]


@pytest.mark.parametrize("name", ["image.png", "my image.png"])
def test_a_pasted_picture_is_seen(name):
    page = shown(f"![x](attachment:{name.replace(' ', '%20')})", **{name: {"image/png": "aGk="}})
    assert '<img src="data:image/png;base64,aGk="' in page


@pytest.mark.parametrize("source", ["![]({})", '<img src="{}" width="30">'])
def test_a_picture_is_shown_in_markdown_and_in_html_but_not_without_end(source):
    picture = {"a.png": {"image/png": "A" * 2**20}}
    once = source.format("attachment:a.png")
    assert to_html(once, picture).count('src="data:image/png;base64,AAA') == 1
    many = to_html(f"{once}\n\n" * 33, picture)  # 33 MiB: its text only
    assert "base64" not in many and len(many) < 10_000


@pytest.mark.parametrize(
    "source",
    ["![x](attachment:a.png)", "![x][1]\n\n[1]: attachment:a.png", "<img src='attachment:a.png'>"],
)
@pytest.mark.parametrize("kept", [{}, {"image/svg+xml": "PHN2Zz4="}, {"text/html": "aGk="}])
def test_a_picture_that_is_not_there_or_none_ends_no_page(source, kept):
    page = shown(source, **({"a.png": kept} if kept else {}))
    assert live(page) == [] and 'src="' not in page


@pytest.mark.parametrize(
    "command",
    ["\\href{javascript:attack}{x}", "\\class{score}{x}", "\\style{a}{x}", "\\cssId{a}{x}"],
)
@pytest.mark.parametrize(
    "around", ["${}$", "$${}$$", "\\begin{{align}}{}\\end{{align}}", "<p>${}$</p>"]
)
def test_a_formula_sets_nothing_but_a_formula(command, around):
    assert command not in shown(around.format(command))
    assert command in shown(f"`{command}`")
    (left,) = data(text_latex=around.format(command)).values()
    assert command not in left


def test_what_a_page_acts_on_by_its_class_or_id_is_not_made_by_an_answer():
    page = shown('<div class="score" id="total" data-id="1" contenteditable>85</div>')
    assert page.strip() == "<div>85</div>"


def test_the_table_of_a_data_frame_keeps_its_form():
    row = '<tr style="text-align: right;"><td>7</td></tr>'
    table = f'<table class="dataframe"><tbody>{row}</tbody></table>'
    assert data(text_html=table) == {"text/html": table}


# Outputs


@pytest.mark.parametrize("kind", ["text_html", "text_latex"])
@pytest.mark.parametrize("source", LIVE_HTML)
def test_an_output_runs_nothing(kind, source):
    (left,) = data(**{kind: source}).values()
    assert live(left) == []


def test_an_output_keeps_its_text_its_pictures_and_plain_html():
    kept = {"text_plain": "<script> as text", "text_html": "<b>7</b>", "text_latex": "$x^2$"}
    kept |= {"image_png": PNG, "image_jpeg": ""}
    assert list(data(**kept).values()) == list(kept.values())


@pytest.mark.parametrize(
    "kind",
    [
        "application_javascript", "text_javascript", "image_svg+xml", "text_markdown",
        "application_vnd.jupyter.widget-view+json", "application_json", "application_pdf",
        "application_vnd.gradient-check.verdict+json", "TEXT_HTML", "image_gif", "made_up", "x",
    ],
)  # fmt: skip
def test_an_output_of_any_other_kind_is_left_out(kind):
    assert data(text_plain="7", **{kind: "<script>attack</script>"}) == {"text/plain": "7"}


@pytest.mark.parametrize(
    "picture",
    [
        '"/><script>attack</script>',
        "aGk=' onload='attack",
        "data:text/html",
        "aGk=\x00",
        ["<script>"],
    ],
)
def test_a_picture_is_nothing_but_base64(picture):
    assert data(text_plain="7", image_png=picture, image_jpeg=PNG) == {
        "text/plain": "7", "image/jpeg": PNG,
    }  # fmt: skip


def test_what_was_printed_and_raised_stays_for_the_page_to_escape():
    outputs = [
        new_output("stream", name="stdout", text="<script>"),
        new_output("error", ename="<b>", evalue="<script>", traceback=["<script>"]),
    ]
    assert sanitized(new_code_cell("1", outputs=[*outputs])).outputs == outputs


def test_outputs_keep_their_order_and_each_its_own_picture():
    outputs = [
        new_output("display_data", data={"image/png": PNG}),
        new_output("stream", name="stdout", text="between"),
        new_output("execute_result", data={"image/png": "<script>", "text/plain": "7"}),
    ]
    one, between, other = sanitized(new_code_cell("1", outputs=outputs)).outputs
    assert (one.data, between.text, other.data) == (
        {"image/png": PNG}, "between", {"text/plain": "7"},
    )  # fmt: skip


# What is ours


@pytest.mark.parametrize("field", [{"locked": True}, {"grade": True, "solution": False}])
def test_text_of_the_course_stays_as_it_is(field):
    ours = {"nbgrader": {"grade_id": "ours", "locked": False, "solution": False, **field}}
    source = "<details><summary>A hint</summary>\n\n[x](javascript:ours)\n</details>"
    assert sanitized(new_markdown_cell(source, metadata=ours)).source == source
    triangle, page = shown(source).split("</style>")
    assert page.startswith("<details><summary>A hint</summary>")
    assert "summary { display: list-item }" in triangle


def test_a_verdict_stays_as_the_judge_wrote_it():
    judged = {"nbgrader": {"grade_id": "loss", "grade": True, "solution": False, "points": 5}}
    verdict = {
        "text/html": '<div style="color:#cf222e">loss</div>',
        VERDICT_MIME: {"points": 3},
    }
    output = new_output("execute_result", data=verdict)
    assert (
        sanitized(new_code_cell("1", metadata=judged, outputs=[output])).outputs[0].data == verdict
    )


def test_what_a_student_displays_where_a_person_marks_is_no_verdict():
    marked = {"nbgrader": {"grade_id": "own", "grade": True, "solution": True, "points": 5}}
    output = new_output("execute_result", data={"text/html": LIVE_HTML[0]})
    (left,) = sanitized(new_code_cell("1", metadata=marked, outputs=[output])).outputs
    assert live(left.data["text/html"]) == []


# Formulas as MathML


@pytest.mark.parametrize(("source", "found"), [
    ("$x^2$", "<msup><mi>x</mi><mn>2</mn></msup>"),
    ("$$\\begin{aligned}a&=b\\\\c&=d\\end{aligned}$$", "<mtable"),
    ("\\begin{align}a\\end{align}", "<mtable"),
    ("| $a|b$ | `$x$` |", "<code>$x$</code>"),
])  # fmt: skip
def test_a_formula_is_drawn_and_code_is_not(source, found):
    assert found in to_html(source, drawn=True)


@pytest.mark.parametrize("source", [
    r"$\href{javascript:attack}{x}$", r"$\text{</math><script>attack</script>}$",
    r"$\style{background:url(//x)}{x}$", "$<img src=x onerror=attack>$",
    r"$$\text{<img src=x onerror=attack>}$$", "<math href='javascript:attack'><mi>x</mi></math>",
])  # fmt: skip
def test_no_formula_brings_anything_but_mathml(source):
    page = to_html(source, drawn=True)
    assert not re.search(r"javascript:|<script|<img|href|style=|onerror=(?!attack&gt;)", page)


def test_what_is_no_formula_stays_as_it_was_written():
    assert "$\\frac{$" in to_html("$\\frac{$", drawn=True)
    long = "x" * 2001
    assert f"${long}$" in to_html(f"${long}$", drawn=True)
    assert to_html("\ue0007\ue001", drawn=True) == "<p></p>\n"


def test_every_formula_of_the_course_can_be_drawn():
    sources = [
        cell.source
        for assignment in ASSIGNMENTS
        for cell in source_notebook(assignment).cells
        if cell.cell_type == "markdown" and "$" in cell.source
    ]
    assert len(sources) > 50
    for source in sources:
        page = re.sub(r"<(pre|code).*?</\1>", "", to_html(source, drawn=True), flags=re.DOTALL)
        assert "$" not in page, source
