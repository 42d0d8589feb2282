"""The folders of assignments: found in the course one is in, and never in two courses at once."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from autograder import assignments
from autograder.assignments import AssignmentNotFound, find, lesson, use
from autograder.errors import UserError
from tests.submissions import ASSIGNMENTS, ROOT, folder


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """Forget the assignments of a test after it."""
    monkeypatch.setattr(assignments, "__path__", list(assignments.__path__))
    yield
    for name in [n for n in sys.modules if n.startswith(f"{assignments.__name__}.a0_")]:
        del sys.modules[name]
    for name in [n for n in vars(assignments) if n.startswith("a0_")]:
        delattr(assignments, name)


def course(root, **files) -> Path:
    """Lay out a course with the assignment a0_same. Returns its `source` folder."""
    root.mkdir(parents=True)
    (root / "nbgrader_config.py").touch()
    (root / "source" / "a0_same").mkdir(parents=True)
    for name, text in files.items():
        path = root / "source" / "a0_same" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return root / "source"


@pytest.fixture
def one(tmp_path):
    return course(tmp_path / "one", lesson__plots="course_name = 'one'\n")


@pytest.fixture
def two(tmp_path):
    return course(tmp_path / "two", lesson__plots="course_name = 'two'\n")


def imported(module):
    return importlib.import_module(f"{assignments.__name__}.{module}")


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_assignments_of_this_clone_are_found(assignment):
    assert find(assignment) == folder(assignment)


@pytest.mark.parametrize("name", ["a0_nothing", "a0_same.py"])
def test_an_assignment_that_is_not_there_is_one_sentence_with_the_remedy(one, name):
    (one / "a0_same.py").touch()
    use(one)
    with pytest.raises(AssignmentNotFound, match=rf"^{name}: there is no such assignment here; up"):
        find(name)
    assert issubclass(AssignmentNotFound, UserError)


def test_the_course_that_is_used_is_the_only_one(one, two):
    use(one)
    assert find("a0_same") == one / "a0_same"
    use(two)
    assert find("a0_same") == two / "a0_same"
    use(one)
    assert find("a0_same") == one / "a0_same"
    with pytest.raises(AssignmentNotFound):
        find(ASSIGNMENTS[0])


def test_what_was_imported_of_one_course_is_forgotten_in_another(one, two):
    for source, name in ((one, "one"), (two, "two"), (one, "one")):
        use(source)
        assert imported("a0_same.lesson.plots").course_name == name


STATEMENTS = """
from autograder.assignments import a0_same
import autograder.assignments.a0_same.lesson.plots
from autograder.assignments.a0_same.lesson import plots
"""


def test_it_is_forgotten_by_whatever_statement_it_was_imported(one, two):
    for source in (one, two):
        use(source)
        found = {}
        exec(STATEMENTS, found)
        assert found["plots"].course_name == source.parent.name
        assert found["a0_same"].__path__[0] == str(source / "a0_same")
        assert found["a0_same"].lesson.plots is found["plots"]


def test_what_is_used_again_is_not_imported_again(one):
    use(one)
    first = imported("a0_same.lesson.plots")
    use(one)
    assert imported("a0_same.lesson.plots") is first
    assert assignments.__path__.count(str(one)) == 1


def test_one_course_is_looked_in_at_a_time(one, two):
    for source in (one, two, one, two):
        use(source)
    assert assignments.__path__ == [str(two), assignments.OWN]


def test_what_only_another_course_has_is_not_found_in_this_one(one, two):
    (two / "a0_same" / "lesson" / "more.py").touch()
    use(two)
    assert imported("a0_same.lesson.more")
    use(one)
    with pytest.raises(ModuleNotFoundError):
        imported("a0_same.lesson.more")


def test_a_lesson_that_is_a_package_elsewhere_is_this_course_s_own(one, two):
    (two / "a0_same" / "lesson" / "__init__.py").touch()
    use(two)
    assert imported("a0_same.lesson.plots").course_name == "two"
    use(one)
    assert imported("a0_same.lesson.plots").course_name == "one"


def test_what_was_written_after_the_first_look_is_found(one):
    use(one)
    with pytest.raises(ModuleNotFoundError):
        imported("a0_same.lesson.later")
    (one / "a0_same" / "lesson" / "later.py").touch()
    use(one.parent / "nowhere")
    use(one)
    assert imported("a0_same.lesson.later")


# In a notebook, which is a process of its own


def says(code, cwd) -> list:
    command = [sys.executable, "-c", f"import sys; sys.path[0] = {str(ROOT)!r}\n{code}"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


LOOK = """
import json
from autograder.assignments import __path__, find
print(json.dumps([str(find("a0_same")), *__path__]))
"""


@pytest.mark.parametrize("below", ["", "assignments/a0_same", "submitted/kim/a0_same"])
def test_in_a_course_its_own_assignments_are_found(one, below):
    place = one.parent / below
    place.mkdir(parents=True, exist_ok=True)
    assert says(LOOK, place) == [str(one / "a0_same"), str(one), assignments.OWN]


def test_of_two_courses_above_the_nearest_counts(one):
    inner = course(one.parent / "submitted" / "inner", lesson__plots="course_name = 'inner'\n")
    code = "import json; from autograder.assignments.a0_same.lesson import plots\n"
    assert says(code + "print(json.dumps([plots.course_name]))", inner.parent) == ["inner"]
    assert says(code + "print(json.dumps([plots.course_name]))", one) == ["one"]


def test_in_no_course_the_clone_s_assignments_are_there(tmp_path):
    found = says(LOOK.replace("a0_same", ASSIGNMENTS[0]), tmp_path)
    assert found == [str(folder(ASSIGNMENTS[0])), str(ROOT / "source"), assignments.OWN]


def test_a_look_for_an_assignment_imports_nothing_else(tmp_path):
    code = "import json, sys, autograder.assignments\n"
    loaded = "print(json.dumps([n for n in sys.modules if n in ('torch', 'numpy', 'nbgrader')]))"
    assert says(code + loaded, tmp_path) == []


def test_a_module_of_a_lesson_is_returned_or_nothing(one):
    use(one)
    assert lesson("a0_same", "plots").course_name == "one"
    assert lesson("a0_same", "origin") is lesson("a0_none", "plots") is None


def test_a_module_of_a_lesson_that_lacks_another_module_says_so(tmp_path):
    use(course(tmp_path / "three", lesson__plots="import nowhere_to_be_found\n"))
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        lesson("a0_same", "plots")
