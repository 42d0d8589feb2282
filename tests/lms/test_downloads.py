"""Downloads as Moodle, Canvas and Gradescope make them: whose each file is."""

import io
import json
import zipfile

import pytest

from autograder.lms import downloads
from autograder.lms.downloads import DownloadUnreadable
from autograder.notebook.hand_in import ABOUT

METADATA = """---
submission_1001:
  :submitters:
  - :name: Jane Doe
    :sid: '0012'
    :email: jane.doe@uni.org
  - :name: Yuki
    :sid: 0100
    :email: yuki@uni.org
  :created_at: 2026-11-27 21:21:09.123456789 Z
  :score: 7.5
  :status: !ruby/object:Status {}
  :history: []
submission_1002:
  :submitters:
  - :name: José Díaz
    :sid:
    :email: jose@uni.org
  :created_at: 2026-11-28 09:00:00 Z
"""


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def hand_in(**about):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a1.ipynb", "{}")
        archive.writestr(ABOUT, json.dumps({"assignment": "a1", **about}))
    return data.getvalue()


def owners(download):
    return [(f.person.name, f.person.number, f.name, f.read()) for f in download.files]


@pytest.mark.parametrize("end", ["/", "_/", "_"])  # in folders since 4.1, before it, and flat
def test_moodle_names_the_person_and_a_number(tmp_path, end):
    path = zipped(tmp_path / "moodle.zip", {
        f"Jane Doe_657737_assignsubmission_file{end}a1.ipynb": "jane",
        f"Jane Doe_657737_assignsubmission_file{end}net_1.safetensors": "net",
        f"Anna_Maria de Jong_657768_assignsubmission_file{end}a1.zip": "anna",
        f"Jane Doe_657737_assignsubmission_onlinetext{end}onlinetext.html": "",
        "__MACOSX/._Jane Doe_657737_assignsubmission_file_": "",
    })  # fmt: skip
    found = downloads.read(path)
    assert found.system == "moodle"
    assert owners(found) == [
        ("Jane Doe", "657737", "a1.ipynb", b"jane"),
        ("Jane Doe", "657737", "net_1.safetensors", b"net"),
        ("Anna_Maria de Jong", "657768", "a1.zip", b"anna"),
    ]
    text = f"Jane Doe_657737_assignsubmission_onlinetext{end}onlinetext.html"
    assert found.left_out == [text]


def test_canvas_has_flat_files_some_of_them_late_or_of_a_second_attempt(tmp_path):
    path = zipped(tmp_path / "submissions.zip", {
        "doejane_48213_7712345_a1-1.ipynb": "jane", "diazjose_LATE_48214_7712350_my_net.zip": "j",
        "readme.txt": "",
    })  # fmt: skip
    found = downloads.read(path)
    assert found.system == "canvas" and found.left_out == ["readme.txt"]
    assert owners(found) == [
        ("doejane", "48213", "a1-1.ipynb", b"jane"), ("diazjose", "48214", "my_net.zip", b"j"),
    ]  # fmt: skip


def test_gradescope_says_who_and_when_beside_the_folders(tmp_path):
    root = "assignment_9100_export"
    path = zipped(tmp_path / "export.zip", {
        f"{root}/submission_metadata.yml": METADATA,
        f"{root}/submission_1001/a1.ipynb": "two of them", f"{root}/submission_1002/a1.zip": "j",
        f"{root}/submission_9/a1.ipynb": "",
    })  # fmt: skip
    found = downloads.read(path)
    assert found.system == "gradescope" and found.left_out == ["submission_9/a1.ipynb"]
    assert owners(found) == [
        ("Jane Doe", "0012", "a1.ipynb", b"two of them"),
        ("Yuki", "0100", "a1.ipynb", b"two of them"),
        ("José Díaz", "", "a1.zip", b"j"),
    ]  # fmt: skip
    assert {f.person.email for f in found.files} == {
        "jane.doe@uni.org", "yuki@uni.org", "jose@uni.org",
    }  # fmt: skip
    assert found.files[0].when.startswith("2026-11-27 21:21:09")


@pytest.mark.parametrize("as_zip", [True, False])
def test_folders_and_zips_of_hand_in_are_by_student(tmp_path, as_zip):
    files = {
        "kim/a1.ipynb": b"kim", "a1-lee.zip": hand_in(student=""), "a1.zip": hand_in(student="max"),
        "notes.txt": b"", "photos.zip": b"no zip",
    }  # fmt: skip
    if as_zip:
        source = zipped(tmp_path / "all.zip", files)
    else:
        source = tmp_path / "all"
        for name, data in files.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(data)
    found = downloads.read(source)
    assert {(f.person.name, f.name) for f in found.files} == {
        ("kim", "a1.ipynb"), ("lee", "a1-lee.zip"), ("max", "a1.zip"),
    }  # fmt: skip
    assert sorted(found.left_out) == ["notes.txt", "photos.zip"]


def test_a_file_that_would_leave_its_folder_is_nobody_s(tmp_path):
    path = zipped(tmp_path / "bad.zip", {"kim/a1.ipynb": "", "kim/../../x": "", "/etc/x": ""})
    assert [f.name for f in downloads.read(path).files] == ["a1.ipynb"]


def test_a_folder_around_all_is_no_student(tmp_path):
    path = zipped(tmp_path / "w.zip", {
        "download/doejane_48213_77_a1.ipynb": "", "download/diazjose_48214_78_a1.ipynb": "",
    })  # fmt: skip
    assert downloads.read(path).system == "canvas"


@pytest.mark.parametrize(("make", "said"), [
    (lambda p: p.write_text("no zip"), "neither a folder nor a zip"),
    (lambda p: p.mkdir(), "there are no files in it"), (lambda p: None, "No such file"),
    (lambda p: zipped(p, {"submission_metadata.yml": "[1, 2"}), "export the submissions"),
])  # fmt: skip
def test_what_cannot_be_read_is_a_sentence(tmp_path, make, said):
    make(tmp_path / "download")
    with pytest.raises(DownloadUnreadable, match=said):
        downloads.read(tmp_path / "download")
