"""The package of one's own course; that of this clone is in tests/test_package.py."""

import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes

import pytest

import autograder
from autograder.authoring import wheel
from autograder.sandbox import package

PLOTS = "autograder/assignments/a0_course/lesson/plots.py"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A course with one assignment, and its wheel and its source in a folder that was not there."""
    root = tmp_path_factory.mktemp("course")
    folder = root / "source" / "a0_course"
    for name in ("lesson/plots.py", "public.safetensors", "references.safetensors", "checks/it.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return root, *wheel.build(root / "source", root / "to" / "dist")


def files_in(path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        return {name: archive.read(name) for name in names}


def about(path):
    with zipfile.ZipFile(path) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


def test_wheel_and_source_are_put_where_they_were_asked_for(built):
    root, path, sdist = built
    assert {one for one in (root / "to" / "dist").iterdir()} == {path, sdist}
    version = rf"{re.escape(autograder.__version__)}\.post20\d{{12}}"
    assert re.fullmatch(rf"gradient_check-{version}-py3-none-any\.whl", path.name)
    assert sdist.name == path.name.replace("-py3-none-any.whl", ".tar.gz")


def test_the_version_is_the_same_in_the_name_for_pip_and_for_python(built):
    _, path, _ = built
    said, init = about(path), files_in(path)["autograder/__init__.py"].decode()
    assert said["Name"] == "gradient-check"
    assert said["Version"] == path.name.split("-")[1]
    assert f'__version__ = "{said["Version"]}"' in init


def test_it_has_the_files_of_the_package_byte_for_byte_but_for_the_version(built):
    root, path, _ = built
    found = files_in(path)
    expected = {n: p.read_bytes() for n, p in package.distributed(root / "source").items()}
    names = "pyproject.toml", "README.md", "LICENSE", "nbgrader_config.py", "constraints.txt"
    project = {f"{wheel.PROJECT}/{name}": (package.CLONE / name).read_bytes() for name in names}
    assert set(found) == {*expected, *project}
    init = "autograder/__init__.py"
    differ = [name for name, data in found.items() if data != {**expected, **project}[name]]
    assert differ == [init]
    lines = found[init].splitlines(), expected[init].splitlines()
    assert [old for new, old in zip(*lines, strict=True) if new != old] == [
        f'__version__ = "{autograder.__version__}"'.encode()
    ]
    assert PLOTS in found
    assert not [name for name in found if "references" in name or "checks/it" in name]


def test_an_index_would_take_both(built):
    """Whether the names, the metadata and the page are valid, as PyPI checks them."""
    _, path, sdist = built
    command = [sys.executable, "-m", "twine", "check", "--strict", path, sdist]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout.count("PASSED")) == (0, 2), done.stdout + done.stderr


def test_what_it_holds_is_known_before_it_is_built(built):
    root, path, _ = built
    assert set(files_in(path)) == set(wheel.contents(root / "source"))


def test_the_source_has_what_the_wheel_has_and_no_answer(built):
    _, path, sdist = built
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    assert set(files_in(path)) <= names
    assert {"pyproject.toml", "README.md", "LICENSE"} <= names
    assert not [name for name in names if "references" in name]


def test_it_says_what_it_needs_and_no_more_than_a_student_needs(built):
    _, path, _ = built
    needs = about(path).get_all("Requires-Dist")
    always = [need.split(">")[0] for need in needs if "extra ==" not in need]
    assert "torch" in always and not {"nbgrader", "nbclient", "distributed"} & set(always)


def test_a_package_that_has_not_changed_is_not_built_again(built, monkeypatch):
    root, *before = built
    monkeypatch.setattr(wheel, "_built", pytest.fail)
    assert wheel.build(root / "source", root / "to" / "dist") == tuple(before)


@pytest.mark.parametrize("lost", ["source", "wheel"])
def test_what_is_lost_or_damaged_is_built_again(built, tmp_path, monkeypatch, lost):
    root, *before = built
    for path in before:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    if lost == "source":
        (tmp_path / before[1].name).unlink()
    else:
        (tmp_path / before[0].name).write_bytes(b"PK half")
    asked = []
    monkeypatch.setattr(wheel, "_built", lambda _, what, __: asked.append(what) or before[0])
    wheel.build(root / "source", tmp_path)
    assert asked == ["wheel", "sdist"]


def test_a_package_that_has_changed_is_a_newer_one_beside_the_older(built, tmp_path, monkeypatch):
    root, path, _ = built
    older = tmp_path / path.name.replace(path.name.split(".post")[1][:14], "20200101000000")
    older.write_bytes(path.read_bytes())
    new = root / "source" / "a0_course" / "lesson" / "new.py"
    new.touch()
    try:
        again, _ = wheel.build(root / "source", tmp_path)
    finally:
        new.unlink()
    assert again.name > older.name and older.is_file()
    assert "autograder/assignments/a0_course/lesson/new.py" in files_in(again)


def test_a_package_that_was_installed_builds_from_what_it_brought(built, tmp_path, monkeypatch):
    """An instructor who has no clone builds the same package from the one that is installed."""
    root, path, _ = built
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "site")
    monkeypatch.setattr(package, "CLONE", tmp_path / "site")
    assert not package.is_clone()
    again, _ = wheel.build(root / "source", tmp_path / "dist")
    assert set(files_in(again)) == set(files_in(path))
    assert again.name.count(".post") == 1
