"""What is in the student's package, file by file, and what its digest stands for."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from autograder.sandbox import package
from autograder.sandbox.package import CLONE, contents, digest
from tests.submissions import ASSIGNMENTS, ROOT

OURS = "autograder/assignments/a0_course"


@pytest.fixture
def source(tmp_path):
    """A course with one assignment that has everything an assignment can have."""
    names = (
        "lesson/__init__.py", "lesson/plots/wide.py", "lesson/net.txt", "public.safetensors",
        "references.safetensors", "a0_course.py", "checks/topic.py", "checks/topic.diff",
        "alternatives/own.py", "artifacts/net.safetensors", "submissions/kim.py", "../README.md",
    )  # fmt: skip
    for name in names:
        path = tmp_path / "a0_course" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def of_the_course(source) -> dict[str, Path]:
    engine = contents(source.parent / "no such folder")
    return {name: path for name, path in contents(source).items() if name not in engine}


def test_of_an_assignment_its_lesson_and_its_public_cases_are_there_and_nothing_else(source):
    assert of_the_course(source) == {
        f"{OURS}/{name}": source / "a0_course" / name
        for name in ("lesson/__init__.py", "lesson/net.txt", "lesson/plots/wide.py",
                     "public.safetensors")
    }  # fmt: skip


def test_of_the_engine_the_student_s_rooms_are_there_and_no_others(source):
    names = set(contents(source))
    assert {
        "autograder/__init__.py",
        "autograder/notebook/check.py",
        "data_scripts/toy.py",
    } <= names
    assert "data_scripts/weights/resnet_drawn.safetensors" in names
    rooms = {name.split("/")[1] for name in names if name.count("/") > 1 and name[0] == "a"}
    assert rooms == {"notebook", "sandbox", "assignments"}
    assert all((CLONE / name).is_file() for name in names if not name.startswith(OURS))


def test_a_course_of_one_s_own_has_none_of_the_clone_s_assignments(source):
    found = {name.split("/")[2] for name in contents(source) if "/assignments/" in name}
    assert found == {"__init__.py", "a0_course"}
    ours = {name.split("/")[2] for name in contents() if "/assignments/" in name}
    assert {*ASSIGNMENTS, "__init__.py"} <= ours


def test_what_python_and_front_ends_leave_is_not_there(source):
    before = contents(source)
    for name in ("__pycache__/net.pyc", ".ipynb_checkpoints/net.py", "plots/.hidden"):
        path = source / "a0_course" / "lesson" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("left over")
    (source / ".git" / "lesson").mkdir(parents=True)
    (source / ".git" / "lesson" / "head.py").touch()
    assert contents(source) == before


def test_the_order_of_the_files_is_that_of_their_names(source):
    names = list(contents(source))
    assert names == sorted(names) and len(names) > 50


def written(source, *cells):
    """Write a notebook with these cells of code, and one of text."""
    text = {"cell_type": "markdown", "source": ["import nothing"]}
    code = [{"cell_type": "code", "source": cell.splitlines(True)} for cell in cells]
    path = source / "a0_course" / "a0_course.ipynb"
    path.write_text(json.dumps({"cells": [text, *code]}))
    return package.imports(source)


def test_what_notebooks_import_is_known_statement_by_statement(source):
    cells = (
        "if x:\n    %pip install torch\nimport torch, os.path as p\nfrom . import mine",
        "def f():\n    from a0.b import (\n        c,\n        d as e,\n    )",
        "%%bash\nimport -window root x",
        "import torch\n!ls",
    )
    assert written(source, *cells) == (
        "from a0.b import c", "from a0.b import d", "import os.path", "import torch",
    )  # fmt: skip


def test_an_optimiser_is_more_than_one_import(source):
    found = written(source, "step = torch.optim.SGD")
    assert found == ("import torch._dynamo",)


def test_the_imports_of_one_assignment_are_fewer_than_those_of_all():
    every = package.imports(ROOT / "source")
    for name in ASSIGNMENTS:
        one = package.imports(ROOT / "source", (name,))
        assert "import torch" in one and set(one) < set(every)
    assert package.imports(ROOT / "nowhere") == ()


def test_every_module_that_notebooks_import_of_ours_can_be_found():
    modules = {line.split()[1] for line in package.imports(ROOT / "source")}
    ours = [name for name in modules if name.startswith(("autograder.", "data_scripts."))]
    assert len(ours) > 4 and [name for name in ours if find_spec(name) is None] == []


@pytest.mark.parametrize(
    "name, counts",
    [
        ("lesson/net.txt", True),
        ("lesson/plots/wide.py", True),
        ("public.safetensors", True),
        ("references.safetensors", False),
        ("checks/topic.py", False),
        ("a0_course.py", False),
    ],
)
def test_the_digest_changes_with_what_a_submission_sees_and_with_nothing_else(source, name, counts):
    before = digest(source)
    (source / "a0_course" / name).write_text("changed")
    assert (digest(source) != before) is counts


def test_a_file_that_moves_changes_the_digest(source):
    before = digest(source)
    new = source / "a0_moved" / "lesson"
    new.mkdir(parents=True)
    (source / "a0_course" / "lesson" / "net.txt").rename(new / "net.txt")
    assert digest(source) != before


def test_the_digest_is_of_all_our_code_that_a_worker_imports(source, monkeypatch):
    """The modules that `execute` has imported are in it, but for the docstring of their room."""
    code = (
        "import json, sys; import autograder.grading.execute\n"
        "files = [m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'autograder']\n"
        "print(json.dumps([file for file in files if file]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    imported = {Path(file) for file in json.loads(done.stdout)}
    read, read_bytes = set(), Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.add(path) or read_bytes(path))
    package.digest(source)
    assert imported - read == {CLONE / "autograder" / "grading" / "__init__.py"}
    assert CLONE / "autograder" / "grading" / "execute.py" in read
