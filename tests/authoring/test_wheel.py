"""The student's package of one's own course; that of this clone is in tests/test_package.py."""

import zipfile
from email import message_from_bytes

import pytest

import autograder
from autograder.authoring import wheel
from autograder.sandbox import package


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A course with one assignment, and its wheel in a folder that was not there."""
    root = tmp_path_factory.mktemp("course")
    folder = root / "source" / "a0_course"
    for name in ("lesson/plots.py", "public.safetensors", "references.safetensors", "checks/it.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return root, wheel.build(root / "source", root / "to" / "dist")


def test_it_is_put_where_it_was_asked_for(built):
    root, path = built
    assert path.parent == root / "to" / "dist"
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert path.name == f"autograder-{autograder.__version__}-py3-none-any.whl"


def test_it_has_the_files_of_the_package_byte_for_byte(built):
    root, path = built
    expected = package.contents(root / "source")
    with zipfile.ZipFile(path) as archive:
        found = [name for name in archive.namelist() if ".dist-info/" not in name]
        assert sorted(found) == list(expected)
        assert all(archive.read(name) == expected[name].read_bytes() for name in found)
    assert "autograder/assignments/a0_course/lesson/plots.py" in found


def test_it_says_what_it_needs_and_no_more_than_a_student_needs(built):
    _, path = built
    with zipfile.ZipFile(path) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(archive.read(name))
    needs = metadata.get_all("Requires-Dist")
    always = [need.split(">")[0] for need in needs if "extra ==" not in need]
    assert "torch" in always and not {"nbgrader", "nbclient", "distributed"} & set(always)


def test_a_second_build_takes_the_place_of_the_first(built):
    root, path = built
    (root / "source" / "a0_course" / "lesson" / "new.py").touch()
    try:
        again = wheel.build(root / "source", root / "to" / "dist")
    finally:
        (root / "source" / "a0_course" / "lesson" / "new.py").unlink()
    assert again == path
    with zipfile.ZipFile(path) as archive:
        assert "autograder/assignments/a0_course/lesson/new.py" in archive.namelist()
    wheel.build(root / "source", root / "to" / "dist")
