"""What leaves an assignment's folder: the notebook, what its author names, and nothing else."""

import os

import pytest
from nbgrader.utils import find_all_files
from traitlets.config import Config

from autograder.grading import released

NAME = "a0"
STRAY = (
    "notes.txt", "a0.py", "Untitled.ipynb", "a0 (1).ipynb", "references.safetensors",
    "public.safetensors", ".hidden", ".git/config", ".ipynb_checkpoints/a0-checkpoint.ipynb",
    "checks/loss.py", "checks/a0.ipynb", "submissions/kim.ipynb", "submissions/kim/a0.ipynb",
    "artifacts/net.pt", "figures/net.png", "a[0].txt", "[a]*?/x", "deep/d/d/d/f", "A0.ipynb",
    "sp ace", "new\nline", "-rf", os.fsdecode(b"\xff"), "!a", "{x}", "é.txt",
)  # fmt: skip


@pytest.fixture(params=["course", "[a]*? course"])
def source(request, tmp_path):
    """The folder of an assignment, in a course whose name may have a pattern's signs in it."""
    folder = tmp_path / request.param / "source" / NAME
    return put(folder, f"{NAME}.ipynb")


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


def including(*patterns):
    return Config({"Release": {"include": list(patterns)}})


def found(source, *patterns):
    """Return what is released, and what nbgrader finds if it ignores the rest: the same."""
    config = including(*patterns)
    files = released.files(source, config)
    assert all(path == source / name for name, path in files.items())
    left = find_all_files(str(source), released.ignored(str(source), config))
    assert sorted(left) == sorted(map(str, files.values()))
    return set(files)


@pytest.mark.parametrize("stray", STRAY)
def test_what_nobody_named_stays_at_home(stray, source):
    assert found(put(source, stray)) == {f"{NAME}.ipynb"}


def test_all_of_it_together_stays_at_home(source):
    assert found(put(source, *STRAY)) == {f"{NAME}.ipynb"}


@pytest.mark.parametrize("named", [name for name in STRAY if not set(name) & set("[*?")])
def test_what_is_named_goes_along_alone(named, source):
    assert found(put(source, *STRAY), named) == {f"{NAME}.ipynb", named}


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["figures/*.png"], ["figures/net.png", "figures/loss.png"]),
        (["figures/*"], ["figures/net.png", "figures/loss.png", "figures/draft.svg"]),
        (["**/*.png"], ["figures/net.png", "figures/loss.png", "figures/deep/far.png"]),
        (["*.csv", "figures/net.png"], ["data.csv", "figures/net.png"]),
        (["data.csv", "*.csv"], ["data.csv"]),
        (["second.ipynb"], ["second.ipynb"]),
        (["*.ipynb"], ["second.ipynb"]),
        (["figures"], []),
        (["nothing.txt", "none/*"], []),
        ([], []),
    ],
)
def test_a_pattern_names_files_from_the_folder_on(patterns, names, source):
    put(source, "data.csv", "second.ipynb", "notes.txt", "figures/net.png", "figures/loss.png")
    put(source, "figures/draft.svg", "figures/deep/far.png", "figures/deep/far.txt")
    assert found(source, *patterns) == {f"{NAME}.ipynb", *names}


def link_to_a_file(path, secret):
    path.symlink_to(secret / "secret.txt")


def link_to_a_folder(path, secret):
    path.symlink_to(secret)


def link_to_nothing(path, _):
    path.symlink_to("nowhere")


def fifo(path, _):
    os.mkfifo(path)


def empty_folder(path, _):
    path.mkdir()


@pytest.mark.parametrize("patterns", [(), ("*",), ("**/*",), ("odd", "odd/*")])
@pytest.mark.parametrize(
    "make", [link_to_a_file, link_to_a_folder, link_to_nothing, fifo, empty_folder]
)
def test_only_regular_files_go_along(make, patterns, source, tmp_path):
    secret = put(tmp_path / "secret", "secret.txt")
    make(source / "odd", secret)
    assert found(source, *patterns) == {f"{NAME}.ipynb"}


def test_a_notebook_that_is_a_link_is_not_released(source, tmp_path):
    (source / f"{NAME}.ipynb").unlink()
    (source / f"{NAME}.ipynb").symlink_to(put(tmp_path, "elsewhere.ipynb") / "elsewhere.ipynb")
    assert found(source) == set()


def test_without_its_notebook_a_folder_still_keeps_the_rest(source):
    (source / f"{NAME}.ipynb").unlink()
    assert found(put(source, "notes.txt", "b.ipynb")) == set()


def test_of_a_folder_that_is_not_there_nothing_is_released(tmp_path):
    assert released.files(tmp_path / NAME, including("*")) == {}


def test_folders_that_are_kept_whole_are_one_pattern_each(source):
    """A course with thousands of drafts asks nbgrader to compare a few paths."""
    put(source, *(f"drafts/{number}/{number}.txt" for number in range(50)), "notes.txt")
    assert len(released.ignored(str(source), including())) == 2
