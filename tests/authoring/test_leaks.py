"""Whatever gives an answer away is found, wherever it is put, and nothing else is."""

import shutil
import zipfile

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from safetensors.torch import load_file, save_file

from autograder.authoring import leaks, wheel
from autograder.notebook import cases
from tests.submissions import ASSIGNMENTS, ROOT, clone, source_notebook
from tests.worked_example import NAME

CODE = "difference = prediction - target"  # a line of the solution
HIDDEN = 'check.hidden("squared_error_values", squared_error)'
MODEL = "**Model answer.** The squares of all the errors are added up before the mean is taken."
MARKING = "**Marking.** 2 points for the sum over D, and 3 for the mean over N; half for a guess."
MISTAKE = "return difference.abs().sum(dim=1).mean()"


@pytest.fixture
def course(example, monkeypatch):
    """The worked example, with a written question that has a model answer.

    Its answers are in the engine, which would not count; so there is no engine.
    """
    monkeypatch.setattr(leaks, "_engine", lambda: "")
    path = example.notebook()
    notebook = nbformat.read(path, 4)
    text = f"### BEGIN SOLUTION\n{MODEL}\n\n{MARKING}\n### END SOLUTION"
    about = {"grade": True, "grade_id": "why", "solution": True, "points": 5}
    notebook.cells.append(new_markdown_cell(text, metadata={"nbgrader": about}))
    nbformat.write(notebook, path)
    return example


@pytest.fixture
def find(course, tmp_path):
    """Return a function that finds what leaks from a folder: its file, and what it is."""
    (tmp_path / "out").mkdir()

    def found(**files) -> list[tuple[str, str]]:
        for name, content in files.items():
            path = tmp_path / "out" / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return [(leak.file, leak.secret.what) for leak in leaks.find(tmp_path / "out", [course])]

    return found


def notebook(*cells) -> str:
    return nbformat.writes(new_notebook(cells=list(cells)))


ANSWER = f"an answer of {NAME}, cell squared_error"
WRITTEN = f"an answer of {NAME}, cell why"


@pytest.mark.parametrize(
    "text, what",
    [
        (f"def f(prediction, target):\n    {CODE}\n", ANSWER),
        ("return (difference**2).sum(dim=1).mean()", ANSWER),
        (MODEL, WRITTEN),
        (f"They wrote: {MODEL} And so on.", WRITTEN),
        (MARKING, WRITTEN),
        (f"# {MODEL}", WRITTEN),
        (f"    # {CODE}", ANSWER),
        (f"\n\t{HIDDEN}  \n", f"an answer of {NAME}, cell squared_error_values"),
    ],
)
@pytest.mark.parametrize("end", ["py", "md", "txt", "yml", "json", "toml", "diff"])
def test_a_line_of_an_answer_is_found_in_a_text_of_any_kind(find, text, what, end):
    assert find(**{f"a__b_DOT_{end}": text}) == [(f"a/b.{end}", what)]


def test_a_known_mistake_is_found(find, course):
    diff = (course.source / "checks" / "squared_error.diff").read_text()
    assert MISTAKE in diff
    what = f"a known mistake of {NAME}"
    found = find(notes_DOT_py=f"    {MISTAKE}", it_DOT_diff=diff)
    assert {("notes.py", what), ("it.diff", what), ("it.diff", ANSWER)} == set(found)


def test_of_a_notebook_the_cells_are_searched(find):
    text = notebook(new_code_cell(f"x = 1\n{CODE}"), new_markdown_cell(f"{MODEL}\nmore"))
    assert set(find(b_DOT_ipynb=text)) == {("b.ipynb", ANSWER), ("b.ipynb", WRITTEN)}


@pytest.mark.parametrize("word", ["### BEGIN SOLUTION", "### END HIDDEN TESTS", "check.hidden(x)"])
def test_a_mark_of_the_instructors_notebook_is_found_in_a_notebook_only(find, word):
    (found,) = find(b_DOT_ipynb=notebook(new_code_cell(word)), b_DOT_md=word)
    assert found == ("b.ipynb", "a mark of the instructor's notebook")


def test_the_whole_file_of_references_is_found_under_any_name(find, course):
    data = (course.source / cases.REFERENCES).read_bytes()
    what = f"the file references.safetensors of {NAME}"
    assert set(find(x_DOT_bin=data, net_DOT_safetensors=data)) == {
        ("x.bin", what), ("net.safetensors", what),
    }  # fmt: skip


def test_a_hidden_tensor_is_found_under_any_name_and_in_any_shape(find, course, tmp_path):
    hidden = load_file(course.source / cases.REFERENCES)
    large = max(hidden.values(), key=lambda one: one.numel())
    save_file({"mine": large.reshape(-1).clone()}, tmp_path / "out" / "net.safetensors")
    assert find() == [("net.safetensors", f"a hidden case of {NAME}")]


def test_what_is_inside_a_wheel_or_a_zip_is_found_and_named(find, course, tmp_path):
    for name in ("it.whl", "all.zip"):
        with zipfile.ZipFile(tmp_path / "out" / name, "w") as archive:
            archive.writestr("autograder/deep.py", f"if x:\n    {CODE}\n")
            archive.write(course.source / cases.REFERENCES, "references.safetensors")
    whole = f"the file references.safetensors of {NAME}"
    assert find() == [
        ("all.zip/autograder/deep.py", ANSWER), ("all.zip/references.safetensors", whole),
        ("it.whl/autograder/deep.py", ANSWER), ("it.whl/references.safetensors", whole),
    ]  # fmt: skip


def test_a_leak_is_told_with_its_file_in_one_line(find, course, tmp_path):
    find(notes_DOT_md=MODEL)
    (leak,) = leaks.find(tmp_path / "out", [course])
    assert str(leak) == f"notes.md: {WRITTEN}: {MODEL[:70]}…"


def test_what_every_student_may_see_is_no_leak(find, course, tmp_path):
    """The student version, the public cases, the text of the notebook, and what says little."""
    given = "import torch\nx = 1\nreturn loss\n# difference = prediction - targets"
    public = (course.source / cases.PUBLIC).read_bytes()
    released = (course.release / f"{NAME}.ipynb").read_bytes()
    small = {"zero": torch.zeros(1000), "half": torch.arange(40, dtype=torch.bfloat16)}
    save_file(small, tmp_path / "out" / "net.safetensors")
    files = {"a_DOT_py": given, f"{NAME}_DOT_ipynb": released, "public_DOT_safetensors": public}
    assert find(**files, broken_DOT_safetensors=b"no tensors") == []


def test_a_line_that_the_notebook_gives_elsewhere_is_no_secret(course, find):
    path = course.notebook()
    notebook = nbformat.read(path, 4)
    notebook.cells.insert(1, new_markdown_cell(f"Begin with\n\n    {CODE}"))
    nbformat.write(notebook, path)
    assert find(notes_DOT_py=CODE) == []


def test_the_history_of_git_is_not_searched(find):
    assert find(_DOT_git__notes_DOT_txt=CODE) == []


def test_the_answers_of_a_notebook_are_named_by_their_cells(course):
    found = list(leaks.answers(nbformat.read(course.notebook(), 4)))
    assert found == [
        ("squared_error", CODE), ("squared_error", "return (difference**2).sum(dim=1).mean()"),
        ("squared_error_values", HIDDEN), ("why", MODEL), ("why", ""), ("why", MARKING),
    ]  # fmt: skip


# This course


@pytest.fixture(scope="module")
def ours():
    return [clone().assignment(name) for name in clone().assignments()]


def test_nothing_of_this_course_leaks_from_its_wheel_and_its_student_versions(ours, tmp_path):
    built, _ = wheel.build(ROOT / "source", tmp_path / "dist")
    shutil.copytree(ROOT / "assignments", tmp_path / "out")
    shutil.copy(built, tmp_path / "out")
    assert leaks.find(tmp_path / "out", ours) == []


def test_every_assignment_of_this_course_has_secrets_of_each_kind(ours):
    secrets = leaks.secrets(ours)
    for name in ASSIGNMENTS:
        of_it = [one for one in secrets if f" of {name}" in one.what]
        kinds = {one.what.split(" of ")[0] for one in of_it}
        assert kinds == {"an answer", "a known mistake"}, name
        assert any(one.line.startswith("**Model answer") for one in of_it), name
        assert any(one.line.startswith("**Marking") for one in of_it), name


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_instructors_own_files_are_full_of_leaks(assignment, tmp_path):
    """Each file that must stay at home would be found if it were handed out alone."""
    source = ROOT / "source" / assignment
    names = f"{assignment}.ipynb", f"{assignment}.py", cases.REFERENCES
    files = [*(source / name for name in names), *source.glob("checks/*.diff")]
    for path in files:
        shutil.copy(path, tmp_path)
    found = {leak.file for leak in leaks.find(tmp_path, [clone().assignment(assignment)])}
    assert found == {path.name for path in files}


def test_the_secrets_are_those_of_the_notebooks(ours):
    lines = {one.line for one in leaks.secrets(ours)}
    given = leaks.given(source_notebook(name) for name in ASSIGNMENTS)
    assert len(lines) > 1000 and not [line for line in lines if line in given]


def test_the_example_of_a_new_course_is_no_secret_because_everybody_has_the_engine(
    example, tmp_path
):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.md").write_text(CODE)
    assert leaks.find(tmp_path / "out", [example]) == []
