"""The order of the house: where a test stands, who may know of whom, and how things are called.

A module `autograder/<room>/<name>.py` has its tests in `tests/<room>/test_<name>.py`, and one at
the door, `autograder/<name>.py`, in `tests/test_<name>.py`. A folder inside a room is one module
to those outside of it: what is in it may be tested under the folder's name. The tests of
`data_scripts/<name>.py` and `data_scripts/synthetic/<name>.py` are in `tests/data_scripts`, as
`test_<name>.py` and `test_synthetic_<name>.py`.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from autograder.authoring import checks
from tests.submissions import ASSIGNMENTS, ROOT, folder

ALIASES = {"autograder/plots.py", "autograder/handed_in.py", "data_scripts/curves.py"}
EXEMPT = ("autograder/authoring/template/", "data_scripts/drawn/")
MODULES = sorted(
    name
    for top in ("autograder", "data_scripts")
    for path in (ROOT / top).rglob("*.py")
    if not (name := str(path.relative_to(ROOT))).startswith(EXEMPT)
    and path.stem not in ("__init__", "__main__")
    and name not in ALIASES
)


def homes_of(module: str) -> set[str]:
    """Return the files that the tests of a module may be in; one of them has to be there."""
    top, *rooms, name = module.removesuffix(".py").split("/")
    if top == "data_scripts":
        return {"tests/" + "/".join([top, "_".join(["test", *rooms, name])]) + ".py"}
    room, inner = "/".join(["tests", *rooms[:1]]), [*rooms[1:], name]
    return {f"{room}/test_{one}.py" for one in inner}


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_tests_of_its_name(module):
    wanted = homes_of(module)
    assert [name for name in wanted if (ROOT / name).is_file()], f"write {' or '.join(wanted)}"


def test_the_rule_for_tests_is_the_one_that_is_stated():
    assert homes_of("autograder/cli.py") == {"tests/test_cli.py"}
    assert homes_of("autograder/grading/files.py") == {"tests/grading/test_files.py"}
    assert homes_of("autograder/grading/repair/rebuild.py") == {
        "tests/grading/test_repair.py", "tests/grading/test_rebuild.py",
    }  # fmt: skip
    assert homes_of("data_scripts/toy.py") == {"tests/data_scripts/test_toy.py"}
    assert homes_of("data_scripts/synthetic/faces.py") == {
        "tests/data_scripts/test_synthetic_faces.py"
    }
    assert len(MODULES) > 60


def test_no_module_imports_from_a_floor_above_its_own():
    """The contracts are in pyproject.toml, docs/architecture.md has the picture."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# The engine knows no assignment


def said_by(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield names, imports and text in a module's code, docstrings apart, with their lines."""
    of_people = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            of_people |= {id(node.body[0].value)} if ast.get_docstring(node) is not None else set()
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str | bytes) and id(node) not in of_people:
                yield line, str(node.value)
            continue
        for _, value in ast.iter_fields(node):  # names of any kind are plain text in a node
            values = value if isinstance(value, list) else [value]
            yield from ((line, one) for one in values if isinstance(one, str))


@pytest.mark.parametrize("file", sorted((ROOT / "autograder").rglob("*.py")), ids=lambda f: f.stem)
def test_the_engine_names_no_assignment_but_in_an_example(file):
    names = {path.name for path in (ROOT / "source").iterdir() if path.is_dir()}
    assert names >= set(ASSIGNMENTS)
    tree = ast.parse(file.read_text())
    named = [(line, one) for line, one in said_by(tree) if any(name in one for name in names)]
    assert named == []


@pytest.mark.parametrize(
    "code, found",
    [
        ('"""As in a1_net."""\nx = 1', False),
        ('def f():\n    """As in a1_net."""', False),
        ("x = 1  # as in a1_net", False),
        ("x = 1\n'a1_net'", True),
        ("x = f'source/a1_net/{1}'", True),
        ("x = b'a1_net'", True),
        ("import a.a1_net.b", True),
        ("from a.a1_net import b", True),
        ("from a import a1_net as b", True),
        ("from a import b as a1_net", True),
        ("a1_net = 1", True),
        ("x.a1_net", True),
        ("def a1_net(): pass", True),
        ("def f(a1_net): pass", True),
        ("f(a1_net=1)", True),
        ("def f():\n    global a1_net", True),
        ("match x:\n    case {'a': 1, **a1_net}: pass", True),
    ],
)
def test_wherever_an_assignment_could_be_named_it_would_be_found(code, found):
    assert any("a1_net" in one for _, one in said_by(ast.parse(code))) is found


# What an author calls things


def function_of(one) -> str:
    """Return the name of a function, also of one with some arguments filled in."""
    while isinstance(one, partial):
        one = one.func
    return one.__name__


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_cases_and_oracles_can_be_told_apart_by_their_names(assignment):
    """A generator of cases is called `…_cases`, and an oracle is not."""
    place = folder(assignment)
    found = [one for topic in checks.topics(place) for one in checks.declared(place, topic)]
    assert found
    for one in found:
        assert function_of(one.cases).endswith("_cases"), one.check.name
        assert one.oracle is None or not function_of(one.oracle).endswith("_cases"), one.check.name


# Who loads what


def loaded_by(code: str) -> set[str]:
    """Run code in a fresh Python. Returns the modules that it has loaded."""
    command = [sys.executable, "-c", f"{code}\nimport json, sys; print(json.dumps([*sys.modules]))"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_grading_a_class_loads_nothing_of_the_authors():
    loaded = loaded_by(
        "import autograder.cli as cli\n"
        f"options = cli.parser().parse_args(['grade', {ASSIGNMENTS[0]!r}])\n"
        "assert options.command is cli.COMMANDS['grade']\n"
        "from autograder.grading import cluster, pipeline, progress\n"
        "from autograder.reports import results"
    )
    assert "autograder.grading.pipeline" in loaded
    authors = {name for name in loaded if name.startswith("autograder.authoring")}
    assert authors | {name for name in loaded if "checks" in name.split(".")} == set()


def test_a_worker_loads_neither_torch_nor_nbgrader():
    loaded = loaded_by("import autograder.grading.execute")
    assert "autograder.grading.execute" in loaded
    assert {name.split(".")[0] for name in loaded} & {"torch", "nbgrader"} == set()
