"""A repository for students: what is in it, what it says, and what is refused."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from autograder import __version__
from autograder.authoring import wheel
from autograder.authoring.publish import OURS, NotPublished, Repository, publish
from autograder.grading.course import AssignmentFolders, CourseError, open_course
from tests import worked_example
from tests.submissions import ROOT
from tests.test_set_up import MAY_NOT

NAME = worked_example.NAME
LINE = "residual = prediction - target"  # of the solution
HTTPS = "https://github.com/school/course"
COLAB = "https://colab.research.google.com/github/school/course/blob/main"


def files_in(folder) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def cells_of(folder, name=NAME) -> list[str]:
    notebook = nbformat.read(folder / name / f"{name}.ipynb", 4)
    nbformat.validate(notebook)
    return [cell.source for cell in notebook.cells]


def told(folder) -> tuple[str, str]:
    """Return the COURSE and the VERSION that a notebook was told."""
    (line,) = re.findall(r"(?m)^COURSE, VERSION = .*", "\n".join(cells_of(folder)))
    return tuple(re.findall(r'"([^"]*)"', line))  # ty: ignore[invalid-return-type]: two


def make_its_own(source: Path) -> None:
    """Give the example a solution of its own: the engine shows that of its template."""
    for path in (source / f"{NAME}.ipynb", *source.glob("checks/*.diff")):
        text = path.read_text().replace("difference", "residual")
        path.write_text(text.replace("check.hidden(", "check.hidden( "))


@pytest.fixture(scope="module")
def published(released_example, tmp_path_factory):
    """A course that was published for GitHub: the course, the folder, the names of its files."""
    root = tmp_path_factory.mktemp("publish")
    shutil.copytree(released_example, root / "course")
    make_its_own(root / "course" / "source" / NAME)
    course, folder = open_course(root / "course"), root / "students"
    return course, folder, publish(course, folder, Repository(HTTPS))


@pytest.fixture
def course(published, tmp_path):
    """A copy of that course, whose wheel is built already."""
    shutil.copytree(published[0].root, tmp_path / "course")
    return open_course(tmp_path / "course")


# What is in it


def test_it_holds_notebooks_the_wheel_and_all_that_a_student_needs_to_begin(published):
    _, folder, names = published
    (built,) = folder.glob("*.whl")
    assert set(names) == {
        f"{NAME}/{NAME}.ipynb", built.name, "README.md", "LICENSE", "requirements.txt",
        "environment.yml", ".devcontainer/devcontainer.json",
    }  # fmt: skip
    assert files_in(folder) == {*names, OURS}
    assert json.loads((folder / OURS).read_text()) == names


def test_the_wheel_is_the_one_of_the_course(published):
    course, folder, _ = published
    (built,) = folder.glob("*.whl")
    assert built.read_bytes() == (course.root / "dist" / built.name).read_bytes()
    with zipfile.ZipFile(built) as archive:
        assert f"autograder/assignments/{NAME}/public.safetensors" in archive.namelist()


def test_the_notebook_is_told_where_its_package_is_and_which_one_will_do(published):
    _, folder, _ = published
    (built,) = folder.glob("*.whl")
    version = built.name.split("-")[1]
    assert told(folder) == (f"{HTTPS}/raw/main/{built.name}", version)
    assert version.startswith(f"{__version__}.post")


def test_nothing_else_in_the_notebook_changes(published):
    course, folder, _ = published
    before = nbformat.read(course.assignment(NAME).release / f"{NAME}.ipynb", 4)
    badge, *after = nbformat.read(folder / NAME / f"{NAME}.ipynb", 4).cells
    assert "Open in Colab" in badge.source
    for one in (*before.cells, *after):
        one.source = re.sub(r'VERSION = "[^"]*", "[^"]*"', "", one.source)
    assert after == before.cells


def test_the_badges_open_the_notebook_in_colab(published):
    _, folder, _ = published
    badge = f"]({COLAB}/{NAME}/{NAME}.ipynb)"
    assert cells_of(folder)[0].endswith(badge)
    (row,) = re.findall(rf"(?m)^\|.*{NAME}.*$", (folder / "README.md").read_text())
    assert badge in row


def test_the_readme_lists_the_notebook_with_its_title_and_points(published):
    _, folder, _ = published
    text = (folder / "README.md").read_text()
    assert f"| [The mean squared error]({NAME}/{NAME}.ipynb) | 10 minutes | 5 |" in text
    assert f"git clone {HTTPS}\ncd course\n" in text


def test_no_place_of_the_template_is_left_empty(published):
    _, folder, names = published
    for name in names:
        if not name.endswith((".whl", ".ipynb")):
            assert "{{" not in (folder / name).read_text(), name
    json.loads((folder / ".devcontainer" / "devcontainer.json").read_text())


def test_what_a_student_installs_is_what_the_package_needs(published):
    _, folder, _ = published
    (built,) = folder.glob("*.whl")
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert f"./{built.name}" in lines
    with zipfile.ZipFile(built) as archive:
        (about,) = [n for n in archive.namelist() if n.endswith("METADATA")]
        needs = re.findall(r"(?m)^Requires-Dist: ([^;\n]+)$", archive.read(about).decode())
    assert len(needs) > 10 and set(needs) < set(lines)
    conda = (folder / "environment.yml").read_text()
    assert f"      - ./{built.name}" in conda and "  - pytorch >=2.6" in conda
    assert "nbgrader" not in conda + str(lines)


# Where it is


@pytest.mark.parametrize(
    "address, branch, badge, file",
    [
        (HTTPS, "main", f"{COLAB}/a%201/b.ipynb", f"{HTTPS}/raw/main/x.whl"),
        (f"{HTTPS}.git", "main", f"{COLAB}/a%201/b.ipynb", f"{HTTPS}/raw/main/x.whl"),
        (f"{HTTPS}/", "main", f"{COLAB}/a%201/b.ipynb", f"{HTTPS}/raw/main/x.whl"),
        ("git@github.com:school/course.git", "2027", f"{COLAB[:-4]}2027/a%201/b.ipynb",
         f"{HTTPS}/raw/2027/x.whl"),
        ("git@github.com:school/course", "main", f"{COLAB}/a%201/b.ipynb",
         f"{HTTPS}/raw/main/x.whl"),
        ("https://gitlab.com/school/course", "main", "",
         "https://gitlab.com/school/course/-/raw/main/x.whl"),
        ("git@gitlab.school.edu:a/b/course.git", "main", "",
         "https://gitlab.school.edu/a/b/course/-/raw/main/x.whl"),
        ("https://github.com.evil.org/school/course", "main", "", ""),
        ("https://example.org/course", "main", "", ""),
        ("", "main", "", ""),
    ],
)  # fmt: skip
def test_badges_are_for_github_and_addresses_for_pip_for_hosts_that_we_know(
    address, branch, badge, file
):
    repository = Repository(address, branch)
    assert repository.badge("a 1/b.ipynb").endswith(f"]({badge})" if badge else "")
    assert bool(repository.badge("a 1/b.ipynb")) == bool(badge)
    assert repository.file("x.whl") == file


def test_without_an_address_there_is_no_badge_and_the_wheel_is_named(course, tmp_path):
    publish(course, tmp_path / "out", Repository())
    (built,) = (tmp_path / "out").glob("*.whl")
    assert told(tmp_path / "out") == (built.name, built.name.split("-")[1])
    text = (tmp_path / "out" / "README.md").read_text()
    assert "colab-badge" not in text + "".join(cells_of(tmp_path / "out"))


def test_a_package_on_an_index_is_named_to_the_notebook(course, tmp_path):
    publish(course, tmp_path / "out", Repository(HTTPS), "gradient-check")
    assert told(tmp_path / "out")[0] == "gradient-check"


# Again


def test_a_second_time_without_a_change_changes_no_file(published):
    course, folder, names = published
    before = {name: (folder / name).read_bytes() for name in files_in(folder)}
    assert publish(course, folder, Repository(HTTPS)) == names
    assert {name: (folder / name).read_bytes() for name in files_in(folder)} == before


def test_an_older_wheel_stays_and_what_else_is_gone_goes(published, course, tmp_path):
    shutil.copytree(published[1], tmp_path / "out")
    (old,) = (tmp_path / "out").glob("*.whl")
    shutil.copytree(tmp_path / "out" / NAME, tmp_path / "out" / "a9_gone")
    (tmp_path / "out" / "notes.md").write_text("the teacher's own")
    (tmp_path / "out" / ".git").mkdir()
    ours = json.loads((tmp_path / "out" / OURS).read_text())
    (tmp_path / "out" / OURS).write_text(json.dumps([*ours, f"a9_gone/{NAME}.ipynb"]))
    (course.source / NAME / "lesson").mkdir(exist_ok=True)
    (course.source / NAME / "lesson" / "plots.py").write_text("new = 1")
    older = {path.name for path in (course.root / "dist").glob("*.whl")}
    while wheel.build(course.source, course.root / "dist")[0].name in older:
        (course.root / "dist" / old.name).unlink()  # within the same second
    publish(course, tmp_path / "out", Repository(HTTPS))
    wheels = {path.name for path in (tmp_path / "out").glob("*.whl")}
    assert old.name in wheels and len(wheels) == 2
    assert told(tmp_path / "out")[1] == max(wheels).split("-")[1] != old.name.split("-")[1]
    assert not (tmp_path / "out" / "a9_gone" / f"{NAME}.ipynb").exists()
    assert (tmp_path / "out" / "notes.md").is_file() and (tmp_path / "out" / ".git").is_dir()


def test_a_clone_of_an_empty_repository_is_taken(course, tmp_path):
    (tmp_path / "out" / ".git").mkdir(parents=True)
    (tmp_path / "out" / "LICENSE").write_text("MIT")
    assert publish(course, tmp_path / "out", Repository(HTTPS))


# What is refused


def test_a_folder_with_other_files_is_left_as_it_is(course, tmp_path):
    (tmp_path / "out").mkdir()
    for name in ("thesis.tex", "photo.jpg"):
        (tmp_path / "out" / name).touch()
    with pytest.raises(NotPublished) as said:
        publish(course, tmp_path / "out", Repository(HTTPS))
    assert str(said.value).startswith(
        f"{tmp_path / 'out'} holds other files (photo.jpg, thesis.tex); name a new or an empty"
    )
    assert files_in(tmp_path / "out") == {"thesis.tex", "photo.jpg"}


@pytest.mark.parametrize("place", ["lesson", "release"])
def test_an_answer_is_refused_with_its_place_and_nothing_is_written(course, tmp_path, place):
    if place == "lesson":
        path = course.source / NAME / "lesson" / "plots.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"def solve(prediction, target):\n    {LINE}\n")
        where = f"post\\d+-py3-none-any.whl/autograder/assignments/{NAME}/lesson/plots.py"
    else:
        path = course.assignment(NAME).release / "notes.md"
        path.write_text(LINE)
        where = f"{NAME}/notes.md"
    with pytest.raises(NotPublished) as said:
        publish(course, tmp_path / "out", Repository(HTTPS))
    first, second, *_ = said.value.sentences
    assert first == "nothing is published, because it would give answers away:"
    assert re.search(f"{where}: an answer of {NAME}, cell squared_error: {LINE}$", second)
    assert not (tmp_path / "out").exists()


def test_a_refusal_leaves_an_earlier_repository_as_it_was(published, course, tmp_path):
    shutil.copytree(published[1], tmp_path / "out")
    before = {name: (tmp_path / "out" / name).read_bytes() for name in published[2]}
    references = course.source / NAME / "references.safetensors"
    shutil.copy(references, course.assignment(NAME).release / "net.safetensors")
    with pytest.raises(NotPublished, match=r"net\.safetensors: the file references\.safetensors"):
        publish(course, tmp_path / "out", Repository(HTTPS))
    assert {name: (tmp_path / "out" / name).read_bytes() for name in published[2]} == before
    assert files_in(tmp_path / "out") == {*published[2], OURS}


def test_many_leaks_are_counted(course, tmp_path):
    for number in range(13):
        path = course.assignment(NAME).release / f"notes{number:02}.md"
        path.write_text(LINE)
    with pytest.raises(NotPublished) as said:
        publish(course, tmp_path / "out", Repository(HTTPS))
    assert len(said.value.sentences) == 12 and said.value.sentences[-1] == "… and 3 more"


def test_an_assignment_that_is_not_released_is_named(course, tmp_path):
    release = course.assignment(NAME).release
    (release / f"{NAME}.ipynb").unlink()
    with pytest.raises((NotPublished, CourseError), match=f"{NAME}.*autograder release"):
        publish(course, tmp_path / "out", Repository(HTTPS))
    assert not (tmp_path / "out").exists()


def test_what_a_front_end_leaves_beside_a_notebook_is_not_published(course, tmp_path):
    release = course.assignment(NAME).release
    (release / ".ipynb_checkpoints").mkdir()
    (release / ".ipynb_checkpoints" / f"{NAME}-checkpoint.ipynb").write_text("{}")
    (release / ".gradient-check.json").write_text("{}")
    names = publish(course, tmp_path / "out", Repository(HTTPS))
    assert [name for name in names if name.startswith(NAME)] == [f"{NAME}/{NAME}.ipynb"]


# A student begins

KEPT_OUT = ("gradient_check", "_gradient_check", "pip", "setuptools", "_distutils_hack")
FIRST_CELLS = """
import json, os, sys
from IPython.core.interactiveshell import InteractiveShell
os.chdir(sys.argv[1])
sys.path.insert(0, "")
shell = InteractiveShell.instance()
cells = [c for c in json.load(open(sys.argv[2]))["cells"] if c["cell_type"] == "code"]
for cell in cells[:2]:
    shell.run_cell("".join(cell["source"])).raise_error()
import autograder, data_scripts
from pathlib import Path
from autograder.notebook import restart
print(*restart.run({"cells": cells[:2]}, Path(), shell.user_ns["check"].assignment).failed)
print("FROM", shell.user_ns["check"].assignment, autograder.__version__, sep="\\n")
print(autograder.__file__, data_scripts.__file__, sep="\\n")
"""


@pytest.mark.slow
@pytest.mark.parametrize("locked", [False, True], ids=["mine", "nobody may write"])
def test_a_student_begins_in_a_clean_environment_with_a_wheel_that_a_browser_renamed(
    tmp_path, monkeypatch, locked
):
    as_student = MAY_NOT if locked and os.geteuid() == 0 else []
    if as_student and not shutil.which(as_student[0]):
        pytest.skip("needs setpriv, or somebody who is not root")
    monkeypatch.setattr(AssignmentFolders, "require_release", lambda _: None)
    (tmp_path / "course").mkdir()
    for name in ("source", "assignments", "nbgrader_config.py"):
        (tmp_path / "course" / name).symlink_to(ROOT / name)
    course = open_course(tmp_path / "course")
    chosen = [course.assignment(name) for name in course.assignments()[:2]]
    out = tmp_path / "out"
    publish(course, out, Repository(), assignments=chosen)
    assert {path.parent.name for path in out.glob("*/*.ipynb")} == {one.name for one in chosen}

    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (here,) = Path(sys.prefix).glob("lib/python*/site-packages")
    for entry in here.iterdir():
        if not entry.name.startswith(KEPT_OUT) and entry.suffix != ".pth":
            (packages / entry.name).symlink_to(entry)
    (built,) = out.glob("*.whl")
    named = out / f"gradient_check-{__version__} (1).whl"
    built.rename(named)
    (tmp_path / "begin.py").write_text(FIRST_CELLS)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    clean["HOME"] = str(tmp_path / "home")
    place = packages
    if locked:
        packages.chmod(0o555)
        place = tmp_path / "home" / ".gradient-check" / "course"
    for one in chosen:
        notebook = out / one.name / f"{one.name}.ipynb"
        command = [*as_student, tmp_path / "venv" / "bin" / "python", "-W", "ignore",
                   tmp_path / "begin.py", notebook.parent, notebook]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, env=clean)
        assert done.returncode == 0, done.stdout + done.stderr
        said, told = done.stdout.split("FROM\n")
        assert said.splitlines()[-1] == ""  # both cells run in a fresh process, too
        told = told.splitlines()
        assert told[:2] == [one.name, built.name.split("-")[1]]
        assert len(told) == 4 and all(Path(p).is_relative_to(place) for p in told[2:])
        if not locked:
            named.unlink(missing_ok=True)  # the second notebook finds the package installed
