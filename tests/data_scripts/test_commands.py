"""The command line of a data set: what it asks of the set, what it prints, and how it ends."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from data_scripts import __main__ as everything
from data_scripts import commands
from data_scripts.fetch import Source
from data_scripts.storage import SHARED, DataNotFound, Stored, roots

HERE = Path("set/real.safetensors")
WHOLE = Stored("The set, real", HERE, 1_500_000, "official", ("train: sha256 12ab",))


@dataclass
class Set:
    """A data set that notes what it is asked for."""

    name: str = "set"
    title: str = "The set"
    parts: tuple[str, ...] = ()
    sources: tuple[Source, ...] = tuple(
        Source(name, "set.zip", "", 0) for name in ("official", "copy", "copy")
    )
    here: tuple[Stored, ...] = (WHOLE,)
    fails: BaseException | None = None
    asked: list = field(default_factory=list)

    def prepare(self, **how):
        self.asked.append(how)
        if self.fails:
            raise self.fails
        return HERE

    def stored(self, root=None, check=False):
        self.asked.append((root, check))
        yield from self.here


def asked(*arguments, **more) -> list:
    one = Set(**more)
    commands.main(one, arguments)
    return one.asked


PLAIN = {"real": True, "root": None, "source": None, "given": None}


@pytest.mark.parametrize(
    "arguments, wanted",
    [
        ((), {}),
        (("--source", "copy"), {"source": "copy"}),
        (("--source", "embedded"), {"real": False}),
        (("--from", "a/file.zip"), {"given": Path("a/file.zip")}),
        (("--root", "data"), {"root": Path("data")}),
        (("--shared",), {"root": SHARED}),
        (("--shared", "--source", "official"), {"root": SHARED, "source": "official"}),
    ],
)
def test_a_set_is_prepared_as_the_command_says_and_then_listed(arguments, wanted):
    how = PLAIN | wanted
    assert asked(*arguments) == [how, (how["root"], False)]


def test_a_check_prepares_nothing_and_looks_at_the_bytes():
    assert asked("--check", "--root", "data") == [(Path("data"), True)]


def test_a_set_of_parts_can_be_had_in_part_and_another_one_not(capsys):
    assert asked("--only", "nut", parts=("nut", "bolt"))[0] == PLAIN | {"only": "nut"}
    assert asked(parts=("nut", "bolt"))[0] == PLAIN
    with pytest.raises(SystemExit):
        asked("--only", "nut")
    assert "unrecognized arguments: --only" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--source", "best"),
        ("--source", "copy", "--from", "file"),
        ("--check", "--source", "copy"),
        ("--root", "data", "--shared"),
    ],
)
def test_what_cannot_be_at_once_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        asked(*arguments)
    assert end.value.code == 2
    assert "usage: python -m data_scripts.set" in capsys.readouterr().err


def test_the_help_names_the_sources_once_and_where_data_is_kept(capsys):
    with pytest.raises(SystemExit):
        asked("--help")
    said = capsys.readouterr().out
    assert "{official,copy,embedded}" in said
    assert str(roots()[0]) in said.replace("\n", "").replace(" ", "")


def test_what_cannot_be_had_is_one_sentence(capsys):
    with pytest.raises(SystemExit, match=r"^set: it cannot be had\.$"):
        asked(fails=DataNotFound("it cannot be had."))
    assert capsys.readouterr().out == ""


def test_stopped_by_hand_it_ends_quietly():
    with pytest.raises(SystemExit) as end:
        asked(fails=KeyboardInterrupt())
    assert end.value.code == 130


def test_what_is_there_has_a_line_and_its_digests(capsys):
    asked()
    first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["The", "set,", "real", "1.5", "MB", "official", str(HERE)]
    assert second.strip() == "train: sha256 12ab"


def test_nothing_is_said_to_be_nothing(capsys):
    asked(here=())
    assert capsys.readouterr().out == "There is no data yet.\n"


def test_what_is_wrong_is_said_in_the_end_and_of_each_file(capsys):
    damaged = Stored("The set, embedded", Path("a"), 1, "", wrong="it cannot be read")
    other = Stored("The set, real", Path("b"), 1, "", wrong="wrong digest")
    with pytest.raises(SystemExit, match=r"^set: a: it cannot be read; b: wrong digest$"):
        asked("--check", here=(damaged, WHOLE, other))
    assert capsys.readouterr().out.count("MB") == 3


def test_a_file_that_the_system_does_not_let_be_read_is_one_sentence():
    def stored():
        yield WHOLE
        raise PermissionError(13, "Permission denied", "set/file")

    assert commands.show(stored()) == "set/file: it cannot be read (Permission denied)"


# All sets together: `python -m data_scripts`


@pytest.fixture
def run_all(monkeypatch):
    """Return a function that runs the command for two sets."""

    def run(*arguments, **more):
        sets = Set(**more), Set(name="other", here=())
        monkeypatch.setattr(everything, "DATA_SETS", sets)
        monkeypatch.setattr(everything, "probe", lambda source: f"{source.name} answers")
        monkeypatch.setattr(sys, "argv", ["data_scripts", *arguments])
        everything.main()
        return [one.asked for one in sets]

    return run


def test_every_set_is_looked_at_and_none_prepared(run_all, capsys):
    assert run_all("--root", "data") == 2 * [[(Path("data"), True)]]
    assert capsys.readouterr().out.splitlines()[0].startswith("The set, real")


def test_what_is_wrong_with_a_set_is_the_end_of_it(run_all):
    damaged = Stored("The set, embedded", Path("a"), 1, "", wrong="it cannot be read")
    with pytest.raises(SystemExit, match=r"^a: it cannot be read$"):
        run_all(here=(damaged,))


def test_every_source_is_tried_if_that_is_asked_for(run_all, capsys):
    assert run_all("--links") == [[], []]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        [name, source.name] for name in ("set", "other") for source in Set.sources
    ]
    assert all(line.endswith("answers") for line in lines)
