"""What an author types."""

import pytest

from autograder.authoring import publish
from autograder.cli import main
from tests import submissions
from tests.fixtures import A1


def test_an_unknown_assignment(linked_course, said):
    assert said("release", "a0_nothing") == (
        f"autograder: source/a0_nothing/a0_nothing.ipynb: no such notebook; there are {A1}.\n"
    )


def test_a_broken_source_notebook_is_named(linked_course, said):
    folder = linked_course / "source" / A1
    folder.unlink()
    folder.mkdir()
    text = (submissions.ROOT / "source" / A1 / f"{A1}.ipynb").read_text()
    (folder / f"{A1}.ipynb").write_text(text.replace("    ### END SOLUTION", "", 1))
    assert said("release") == (
        f"autograder: source/{A1}/{A1}.ipynb, cell 10 (nn_forward_pass): "
        "BEGIN SOLUTION and END SOLUTION do not match.\n"
    )


@pytest.mark.parametrize("arguments", [[], ["--no-sandbox"]])
def test_references_are_recorded_without_a_sandbox_only_if_that_is_asked_for(
    arguments, linked_course, monkeypatch
):
    seen = []

    def outcomes_of(notebook, challenge, config, artifacts):
        seen.append(config.Execute.get("sandbox", True))
        raise KeyboardInterrupt

    monkeypatch.setattr("autograder.authoring.record.outcomes_of", outcomes_of)
    assert main(["reference", A1, *arguments]) == 130
    assert seen == [not arguments]


def test_references_of_an_assignment_without_real_data_are_not_recorded_with_it(
    linked_course, said
):
    assert said("reference", A1, "--real") == (
        f"autograder: {A1} has no cases of real data; leave out --real.\n"
    )


def test_the_wheel_and_its_source_are_built_into_a_folder(linked_course, capsys):
    assert main(["wheel", "--output", "to"]) == 0
    built = sorted((linked_course / "to").iterdir())
    assert [path.suffix for path in built] == [".whl", ".gz"]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(", ")[0].split("/")[-1] for line in lines] == [one.name for one in built]


def test_publishing_says_where_it_is_and_takes_only_what_is_named(
    linked_course, capsys, monkeypatch
):
    asked = []
    monkeypatch.setattr(publish, "publish", lambda *how: asked.append(how) or ["README.md", "a"])
    address = "https://github.com/school/course"
    more = ["--repository", address, "--branch", "2027", "--package", "gradient-check"]
    assert main(["publish", "out", A1, *more]) == 0
    ((opened, folder, repository, package, chosen),) = asked
    assert opened.root == linked_course.resolve() and str(folder) == "out"
    assert repository == publish.Repository(address, "2027")
    assert (package, [one.name for one in chosen]) == ("gradient-check", [A1])
    out = capsys.readouterr().out
    assert out.startswith("wrote 2 files into out; nothing in them gives an answer away\n")
    assert "git -C out add -A" in out


def test_publishing_what_is_not_released_is_a_sentence(linked_course, said):
    assert said("publish", "out", A1) == (
        f"autograder: {A1}: the gradebook does not know this assignment; run `autograder release "
        f"{A1}` first.\n"
    )
    assert not (linked_course / "out").exists()
