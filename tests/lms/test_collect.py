"""A download becomes submissions: each student's own, nothing lost, and who is missing is said."""

import nbformat
import pytest

from autograder.cli import main
from autograder.grading.repair.submitted import time_of
from autograder.lms import roster
from autograder.lms.collect import collect
from autograder.lms.downloads import DownloadUnreadable
from autograder.sandbox.limits import Limits
from tests import worked_example
from tests.lms.test_downloads import METADATA, zipped
from tests.lms.test_roster import CANVAS, MOODLE
from tests.worked_example import NAME, RIGHT


@pytest.fixture
def people(tmp_path):
    def read(text):
        (tmp_path / "roster.csv").write_text(text)
        return roster.read(tmp_path / "roster.csv")

    return read


def moodle(tmp_path, **notebooks):
    numbers = {"Jane Doe": 657737, "José Díaz": 657768}
    return zipped(tmp_path / "moodle.zip", {
        f"{name.replace('_', ' ')}_{numbers.get(name.replace('_', ' '), 1)}_assignsubmission_file_/"
        f"{NAME}.ipynb": text
        for name, text in notebooks.items()
    })  # fmt: skip


def text_of(example, student):
    return (example.submitted(student) / f"{NAME}.ipynb").read_text()


def test_each_student_s_files_are_where_they_are_graded(example, tmp_path, people):
    done = collect(example, moodle(tmp_path, Jane_Doe="jane"), people(MOODLE))
    assert (done.system, done.new, done.absent) == ("moodle", ["u1001"], ["u1002"])
    assert not done.left_out and text_of(example, "u1001") == "jane"
    when, note = time_of(example.submitted("u1001"))
    assert when.strftime("%d %M") == "27 21" and not note  # the hour depends on the machine's zone


def test_without_a_roster_names_are_made_of_what_there_is(example, tmp_path):
    assert collect(example, moodle(tmp_path, Jane_Doe="j")).new == ["jane_doe"]
    canvas = zipped(tmp_path / "canvas.zip", {"doejane_48213_77_a.ipynb": "c"})
    assert collect(example, canvas).new == ["doejane"]
    files = {"submission_metadata.yml": METADATA, "submission_1001/a.ipynb": "g"}
    done = collect(example, zipped(tmp_path / "g.zip", files))
    assert done.new == ["jane_doe", "yuki"] or (done.replaced, done.new) == (["jane_doe"], ["yuki"])
    assert f"{time_of(example.submitted('yuki'))[0]}".startswith("2026-11-27 21:21:09")


def test_a_second_download_replaces_what_differs_and_loses_nothing(example, tmp_path, people):
    class_ = people(MOODLE)
    collect(example, moodle(tmp_path, Jane_Doe="first", José_Díaz="same"), class_)
    done = collect(example, moodle(tmp_path, Jane_Doe="second", José_Díaz="same"), class_)
    assert (done.new, done.replaced, done.unchanged) == ([], ["u1001"], ["u1002"])
    assert text_of(example, "u1001") == "second"
    kept = example.course.root / "earlier" / "u1001" / NAME / "1" / f"{NAME}.ipynb"
    assert kept.read_text() == "first"
    done = collect(example, moodle(tmp_path, Jane_Doe="third"), class_)
    assert (kept.parents[1] / "2" / f"{NAME}.ipynb").read_text() == "second"
    assert text_of(example, "u1002") == "same"  # who is not in the download keeps what there was


def test_who_is_not_in_the_roster_or_is_there_twice_is_left_out_with_a_reason(
    example, tmp_path, people
):
    path = zipped(tmp_path / "canvas.zip", {
        "doejane_48213_77_a.ipynb": "jane", "roerob_5_78_a.ipynb": "rob",
    })  # fmt: skip
    done = collect(example, path, people(CANVAS))
    assert done.new == ["jdoe"]
    assert done.left_out == ["roerob (5): not in the roster, or not the only one there"]
    twins = zipped(tmp_path / "twins.zip", {
        f"Kim Lee_{number}_assignsubmission_file_/a.ipynb": "" for number in (1, 2)
    })  # fmt: skip
    done = collect(example, twins)
    assert not done.new and not example.submitted("kim_lee").exists()
    assert sorted(done.left_out) == [
        f"Kim Lee ({n}): another kim_lee; give a roster with --roster" for n in (1, 2)
    ]


def test_what_is_too_large_is_left_out(example, tmp_path, monkeypatch):
    monkeypatch.setattr(Limits, "beside", property(lambda self: (3, 10)))
    done = collect(example, moodle(tmp_path, Jane_Doe="four", José_Díaz="two"[:2]))
    assert done.new == ["jose_diaz"] and "more than 0 MiB" in done.left_out[0]


def test_a_zip_of_hand_in_is_taken_as_it_is_and_graded(example, tmp_path, capsys, monkeypatch):
    """From the LMS to points, with the documented commands."""
    from autograder.notebook import hand_in
    from autograder.notebook.hand_in import Looked, Notebook
    from autograder.notebook.restart import Restarted

    path = worked_example.hand_in(example, "scratch", RIGHT)
    looked = Looked(Notebook(nbformat.read(path, 4), path, NAME), Restarted({}, ()), ())
    written = hand_in.write(looked, tmp_path, "jane")
    download = zipped(tmp_path / "moodle.zip", {
        f"Jane Doe_657737_assignsubmission_file_/{NAME}.zip": written.read_bytes(),
    })  # fmt: skip
    (tmp_path / "roster.csv").write_text(MOODLE)
    monkeypatch.chdir(example.course.root)
    command = ["collect", NAME, str(download), "--roster", str(tmp_path / "roster.csv")]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert out.startswith("moodle: 1 submissions; 1 new, 0 replaced")
    assert "not handed in: u1002" in out
    assert main([*command, "--id", "email address"]) == 0
    assert (example.submitted("jane_doe") / f"{NAME}.zip").is_file()
    assert worked_example.grade(example)["u1001"] == ""


def test_the_command_lists_what_it_left_out(example, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(example.course.root)
    path = zipped(tmp_path / "c.zip", {"doejane_48213_77_a.ipynb": "", "x.txt": ""})
    assert main(["collect", NAME, str(path)]) == 1
    assert capsys.readouterr().err == "left out: x.txt: nobody's\n"
    assert main(["collect", "a0_nothing", str(path)]) == 1
    assert "no such notebook" in capsys.readouterr().err


def test_a_download_that_cannot_be_read_changes_nothing(example, tmp_path):
    with pytest.raises(DownloadUnreadable):
        collect(example, tmp_path / "gone.zip")
    assert not (example.course.root / "submitted").exists()


def test_a_damaged_file_costs_nobody_else_and_replaces_nothing(example, tmp_path):
    path = moodle(tmp_path, Jane_Doe="first one", José_Díaz="his")
    collect(example, path)
    path = moodle(tmp_path, Jane_Doe="second one", José_Díaz="his second")
    path.write_bytes(path.read_bytes().replace(b"second one", b"sec0nd one"))  # its sum is wrong
    done = collect(example, path)
    assert done.replaced == ["jose_diaz"] and text_of(example, "jane_doe") == "first one"
    assert done.left_out[0].endswith(".ipynb: it is damaged; download it again.")


def test_names_that_no_folder_can_hold_together_are_said_and_nothing_is_lost(example, tmp_path):
    collect(example, moodle(tmp_path, Jane_Doe="first"))
    place = "Jane Doe_657737_assignsubmission_file_"
    clash = zipped(tmp_path / "clash.zip", {f"{place}/a": "a file", f"{place}/a/b": "inside it"})
    done = collect(example, clash)
    assert "its files cannot be written (" in done.left_out[0]
    assert text_of(example, "jane_doe") == "first"
