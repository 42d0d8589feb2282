"""Feedback goes back to whom the download came from, by the names that the system knows."""

import os
import zipfile

import pytest

from autograder.cli import main
from autograder.grading.course import CourseError
from autograder.lms import downloads, feedback, roster
from autograder.lms.collect import collect
from autograder.lms.downloads import DownloadUnreadable
from tests import worked_example
from tests.lms.test_downloads import METADATA, zipped
from tests.lms.test_roster import MOODLE
from tests.worked_example import NAME, RIGHT, hand_in

NAMES_OF_MOODLE = {
    f"{{}}_{{}}_assignsubmission_file{end}{NAME}.ipynb": "{}_{}_assignsubmission_file_" + NAME
    for end in ("/", "_/", "_")  # in folders since Moodle 4.1, before it, and not in folders
}


def write_page(example, student, text="your points", name=NAME):
    page = example.feedback(student) / f"{name}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text)
    return page


def read_back(path):
    """Return the contents of a zip by the names in it."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def by_moodle(name):
    """Return whose a name is to any version of Moodle, and the page's name."""
    full_name, number, kind, plugin, page = name.split("_", 4)
    assert (kind, plugin) == ("assignsubmission", "file") and full_name and "/" not in name
    return int(number), page


def by_canvas(name):
    """Return the two numbers by which Canvas knows a person and what they handed in."""
    return tuple(part for part in name.split("_") if part.isdigit())[:2]


# Round trips


@pytest.mark.parametrize("form", NAMES_OF_MOODLE)
def test_moodle_gets_each_page_for_the_person_whose_files_it_gave(example, tmp_path, form):
    path = zipped(tmp_path / "moodle.zip", {
        form.format("Jane Doe", 657737): "", form.format("José Díaz", 657768): "",
    })  # fmt: skip
    for student in collect(example, path).new:
        write_page(example, student, f"for {student}")
    feedback.write(feedback.pages(example, path), tmp_path / "back.zip")
    back = read_back(tmp_path / "back.zip")
    assert {by_moodle(name): text for name, text in back.items()} == {
        (657737, f"{NAME}.html"): "for jane_doe", (657768, f"{NAME}.html"): "for jose_diaz",
    }  # fmt: skip
    again = downloads.read(tmp_path / "back.zip")  # the same people, in the system's own form
    assert [(f.person.name, f.person.number) for f in again.files] == [
        ("Jane Doe", "657737"), ("José Díaz", "657768"),
    ]  # fmt: skip


def test_canvas_gets_both_numbers_of_the_notebook(example, tmp_path):
    path = zipped(tmp_path / "submissions.zip", {
        "doejane_48213_7712345_a_net.safetensors": "", f"doejane_48213_7712346_{NAME}-1.ipynb": "",
        f"diazjose_LATE_48214_7712350_{NAME}.ipynb": "",
    })  # fmt: skip
    collect(example, path)
    for student in ("doejane", "diazjose"):
        write_page(example, student, f"for {student}")
    feedback.write(feedback.pages(example, path), tmp_path / "back.zip")
    back = read_back(tmp_path / "back.zip")
    assert back == {
        f"doejane_48213_7712346_{NAME}.html": "for doejane",
        f"diazjose_LATE_48214_7712350_{NAME}.html": "for diazjose",
    }
    assert {*map(by_canvas, back)} == {("48213", "7712346"), ("48214", "7712350")}


def test_every_notebook_of_an_assignment_has_its_page(example, tmp_path):
    path = zipped(tmp_path / "c.zip", {"doejane_48213_77_all.zip": "", "doejane_48213_76_x.py": ""})
    write_page(example, "doejane")
    write_page(example, "doejane", name="more")
    assert set(feedback.pages(example, path).pages) == {
        f"doejane_48213_77_{NAME}.html", "doejane_48213_77_more.html",
    }  # fmt: skip


# Who is missing


def test_who_has_no_feedback_and_who_is_not_in_the_download_are_listed(example, tmp_path):
    path = zipped(tmp_path / "c.zip", {
        "doejane_1_77_a.ipynb": "", "diazjose_2_78_a.ipynb": "", "kim_3_79_a.ipynb": "",
    })  # fmt: skip
    write_page(example, "doejane")
    write_page(example, "max")
    example.feedback("eve").mkdir(parents=True)  # without a page
    found = feedback.pages(example, path)
    assert (found.students, found.without) == (["doejane"], ["diazjose", "kim"])
    assert (found.not_there, found.left_out) == (["max"], [])


def test_a_page_that_is_older_than_the_grade_is_named(example, tmp_path, capsys, monkeypatch):
    path = zipped(tmp_path / "c.zip", {"jane_1_77_a.ipynb": "", "kim_3_79_a.ipynb": ""})
    for student, later in (("jane", 60), ("kim", -60)):
        page = write_page(example, student)
        graded = example.autograded(student) / f"{NAME}.ipynb"
        graded.parent.mkdir(parents=True)
        graded.write_text("{}")
        os.utime(graded, (0, page.stat().st_mtime + later))
    assert feedback.pages(example, path).old == ["jane"]
    monkeypatch.chdir(example.course.root)
    assert main(["feedback-zip", NAME, str(path)]) == 0
    said = f"graded since (nbgrader generate_feedback {NAME} --force): jane\n"
    assert capsys.readouterr().err == said


def test_with_a_roster_students_have_its_names_and_strangers_are_left_out(example, tmp_path):
    (tmp_path / "roster.csv").write_text(MOODLE)
    people = roster.read(tmp_path / "roster.csv")
    form = "{}_{}_assignsubmission_file/a.ipynb".format
    path = zipped(tmp_path / "m.zip", {form("Jane Doe", 657737): "", form("Eve Roe", 5): ""})
    write_page(example, "u1001")
    found = feedback.pages(example, path, people)
    assert list(found.pages) == [f"Jane Doe_657737_assignsubmission_file_{NAME}.html"]
    assert found.left_out == ["Eve Roe (5): not in the roster, or not the only one there"]
    with pytest.raises(
        CourseError, match=r"nobody in m\.zip has feedback; run `nbgrader generate_f"
    ):
        feedback.pages(example, path)  # jane_doe has none


def test_a_system_that_takes_no_feedback_is_a_sentence(example, tmp_path):
    files = {"submission_metadata.yml": METADATA, "submission_1001/a.ipynb": ""}
    with pytest.raises(DownloadUnreadable, match="which alone take feedback in a zip"):
        feedback.pages(example, zipped(tmp_path / "g.zip", files))


def test_a_zip_that_cannot_be_finished_leaves_nothing_and_the_earlier_one(example, tmp_path):
    path = zipped(tmp_path / "c.zip", {"jane_1_77_a.ipynb": ""})
    page = write_page(example, "jane", "first")
    found = feedback.pages(example, path)
    feedback.write(found, tmp_path / "back.zip")
    page.unlink()
    with pytest.raises(OSError):
        feedback.write(found, tmp_path / "back.zip")
    assert list(read_back(tmp_path / "back.zip").values()) == ["first"]
    assert {one.name for one in tmp_path.glob("*.part")} | {
        one.name for one in tmp_path.glob(".*")
    } == set()


# The command


def test_from_a_download_to_a_zip_of_feedback_with_the_documented_commands(
    example, tmp_path, capsys, monkeypatch
):
    notebook = hand_in(example, "scratch", RIGHT).read_bytes()
    place = "Jane Doe_657737_assignsubmission_file"
    path = zipped(tmp_path / "moodle.zip", {
        f"{place}/{NAME}.ipynb": notebook, "Kim Lee_2_assignsubmission_file/a.txt": "",
    })  # fmt: skip
    monkeypatch.chdir(example.course.root)
    assert main(["collect", NAME, str(path)]) == 0
    worked_example.grade(example)
    assert example.course.api.generate_feedback(NAME, "jane_doe")["success"]
    capsys.readouterr()
    assert main(["feedback-zip", NAME, str(path)]) == 0
    said = capsys.readouterr()
    back = tmp_path / "moodle-feedback.zip"
    size = back.stat().st_size / 1e6
    assert said.out == (
        f"wrote {back}: {size:.1f} MB, students with feedback: 1\n"
        "upload it in Moodle: Upload multiple feedback files in a zip\n"
    )
    assert said.err == "no feedback: kim_lee\n"
    ((name, page),) = read_back(back).items()
    assert name == f"{place}_{NAME}.html" and "squared_error" in page


def test_the_download_is_not_written_over_and_other_errors_are_sentences(
    example, tmp_path, said, monkeypatch
):
    monkeypatch.chdir(example.course.root)
    path = str(zipped(tmp_path / "c.zip", {"jane_1_77_a.ipynb": "", "x_y.txt": ""}))
    assert "nobody in c.zip has feedback" in said("feedback-zip", NAME, path)
    write_page(example, "jane")
    same = said("feedback-zip", NAME, path, "--output", str(tmp_path / "." / "c.zip"))
    assert "this is the download; name another file" in same
    gone = str(tmp_path / "gone" / "f.zip")
    assert "name another file with --output" in said("feedback-zip", NAME, path, "--output", gone)
    assert "no such notebook" in said("feedback-zip", "a0_nothing", path)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "unpacked")
    monkeypatch.chdir(tmp_path / "unpacked")
    course = str(example.course.root)
    assert main(["--course", course, "feedback-zip", NAME, "."]) == 0
    assert (tmp_path / "unpacked-feedback.zip").is_file()
    monkeypatch.chdir(example.course.root)
    assert "No such file" in said("feedback-zip", NAME, str(tmp_path / "gone.zip"))
