"""What is said to people: a sentence with the remedy, and never a traceback."""

import importlib
import pkgutil

import pytest
from IPython.core.interactiveshell import InteractiveShell

import autograder
import data_scripts
from autograder.errors import SandboxError, UserError


class NothingThere(UserError):
    """An error of some room."""


def test_a_notebook_shows_one_line_and_no_traceback(capsys):
    shell = InteractiveShell(history_length=0)
    shell.user_ns["NothingThere"] = NothingThere
    result = shell.run_cell("def look():\n    raise NothingThere('x: not there; make it.')\nlook()")
    assert isinstance(result.error_in_exec, NothingThere)
    shown = capsys.readouterr()
    assert (shown.out + shown.err).strip() == "NothingThere: x: not there; make it."


@pytest.mark.parametrize(
    "message, sentences", [("one.", ("one.",)), ("one.\ntwo.", ("one.", "two.")), ("", ())]
)
def test_several_things_that_are_wrong_are_a_sentence_each(message, sentences):
    assert NothingThere(message).sentences == sentences


def every_error() -> list[type[Exception]]:
    """Find the exceptions that are defined in the course, assignments apart."""
    found = set()
    for package in (autograder, data_scripts):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith(f"{autograder.__name__}.assignments."):
                values = vars(importlib.import_module(module.name)).values()
                found |= {one for one in values if isinstance(one, type)}
    ours = [one for one in found if one.__module__.split(".")[0] in ("autograder", "data_scripts")]
    return sorted((one for one in ours if issubclass(one, Exception)), key=lambda one: one.__name__)


def test_every_error_says_in_a_sentence_what_has_happened():
    errors = every_error()
    assert {SandboxError, UserError} < set(errors) and len(errors) > 20
    for error in errors:
        assert error.__doc__ and error.__doc__.splitlines()[0].endswith("."), error


def test_an_author_and_a_student_are_told_every_error_in_its_sentences():
    """Those that are not of this kind are caught where they are raised, and told in other words."""
    caught = {
        "EvidenceTooLarge", "FolderTooLarge", "KernelLost", "Malformed", "MalformedEvidence",
        "NoSandbox", "NotByHand", "TooLarge", "_AllFound",
        "NotReady", "NotebookNotFound", "Stopped", "Unreadable", "UnsafeArchive", "WrongDigest",
    }  # fmt: skip
    assert {e.__name__ for e in every_error() if not issubclass(e, UserError)} == caught
