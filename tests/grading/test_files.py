"""The files of a submission in one piece: only what is a file, of a size, and in its place."""

import io
import os
import tarfile

import pytest

from autograder.grading import files
from autograder.grading.files import FolderTooLarge, MiB

ODD_NAMES = (
    "a", "A", "-rf", "..hidden", ".hidden", "new\nline", "sp ace", "é/ü/ö.txt", "x" * 200,
    "deep/" + "d/" * 100 + "f", "<script>", "\x1b[31mred", os.fsdecode(b"no\xfftext"),
)  # fmt: skip


def unpacked(packed, folder):
    """Unpack into a folder. Returns contents by name."""
    files.unpack(packed, folder)
    return {name: path.read_bytes() for name, path in files.in_folder(folder).items()}


def written(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape"))
    return {name: folder / name for name in names}


# Packed and unpacked


def test_what_was_packed_is_unpacked_under_the_same_names(tmp_path):
    found = written(tmp_path / "before", *ODD_NAMES)
    again = unpacked(files.pack(found), tmp_path / "after")
    assert again == {name: name.encode("utf-8", "surrogateescape") for name in ODD_NAMES}


def test_contents_may_be_bytes_that_are_in_no_file(tmp_path):
    found = {"of a file": written(tmp_path / "before", "a")["a"], "of none": b"bytes", "empty": b""}
    again = unpacked(files.pack(found), tmp_path / "after")
    assert again == {"of a file": b"a", "of none": b"bytes", "empty": b""}


def test_nothing_packed_is_nothing_unpacked(tmp_path):
    assert unpacked(files.pack({}), tmp_path) == {}


def test_the_same_contents_are_the_same_bytes_whoever_wrote_them_when(tmp_path):
    packed = []
    for place, mode, time in (("one", 0o644, 0), ("other", 0o700, 10**9)):
        found = written(tmp_path / place, "data/a.txt", "b")
        for path in found.values():
            path.chmod(mode)
            os.utime(path, (time, time))
        packed.append(files.pack(found))
    assert packed[0] == packed[1]


@pytest.mark.parametrize(
    "make",
    [
        lambda path: None,
        lambda path: path.mkdir(),
        lambda path: path.symlink_to("secret"),
        lambda path: path.symlink_to("nowhere"),
        os.mkfifo,
    ],
    ids=["nothing", "a folder", "a link", "a broken link", "a FIFO"],
)
def test_what_is_no_regular_file_is_not_read_and_not_packed(make, tmp_path):
    (tmp_path / "secret").write_text("secret")
    make(tmp_path / "handed_in")
    assert files.read(tmp_path / "handed_in", 100) is None
    packed = files.pack({"a": b"a", "handed_in": tmp_path / "handed_in"})
    assert unpacked(packed, tmp_path / "after") == {"a": b"a"}


def test_a_file_is_read_up_to_a_byte_more_than_the_limit(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert [files.read(path, limit) for limit in (0, 3, 4, 5)] == [
        b"1", b"1234", b"12345", b"12345",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["file", "bytes"])
def test_files_may_take_as_much_as_the_limit_together_and_no_byte_more(kind, tmp_path):
    (tmp_path / "a").write_bytes(bytes(MiB))
    (tmp_path / "b").write_bytes(bytes(MiB))
    content = {name: tmp_path / name if kind == "file" else bytes(MiB) for name in "ab"}
    assert len(files.pack(content, 2 * MiB)) > 2 * MiB
    with pytest.raises(FolderTooLarge) as caught:
        files.pack({**content, "c": b"1"}, 2 * MiB)
    assert str(caught.value) == (
        "the files beside the notebook take more than 2 MiB; hand in only what the notebook needs."
    )


def test_a_file_that_is_far_too_large_is_refused_and_not_read(tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(FolderTooLarge):
        files.pack({"sparse": tmp_path / "sparse"}, MiB)


@pytest.mark.parametrize("name", ["../out", "data/../../out", "inside/../../../out"])
def test_nothing_is_unpacked_outside_the_folder(name, tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(tarfile.OutsideDestinationError):
        files.unpack(files.pack({name: b""}), tmp_path / "in")
    assert list(tmp_path.iterdir()) == [tmp_path / "in"]


def test_a_link_in_a_tar_file_from_elsewhere_leads_nowhere(tmp_path):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "../outside"
        tar.addfile(link)
    with pytest.raises(tarfile.LinkOutsideDestinationError):
        files.unpack(archive.getvalue(), tmp_path / "in")


# The course's own files among them


@pytest.mark.parametrize(
    ("submitted", "own", "kept"),
    [
        (["mine"], ["ours"], ["mine"]),
        (["ours"], ["ours"], []),
        (["ours/mine"], ["ours"], []),
        (["ours/deep/mine"], ["ours"], []),
        (["data"], ["data/ours"], []),
        (["data/deep"], ["data/deep/ours"], []),
        (["data/mine"], ["data/ours"], ["data/mine"]),
        (["ours.txt", "our", "Ours"], ["ours"], ["ours.txt", "our", "Ours"]),
        ([], ["ours"], []),
        (["mine"], [], ["mine"]),
    ],
)
def test_what_is_in_the_way_of_the_course_s_own_files_is_left_out(submitted, own, kept, tmp_path):
    theirs, ours = dict.fromkeys(submitted, b"theirs"), dict.fromkeys(own, b"ours")
    merged = files.merge(theirs, ours)
    assert merged == dict.fromkeys(kept, b"theirs") | ours
    assert unpacked(files.pack(merged), tmp_path) == merged


# What lies in a folder


def test_a_folder_holds_its_files_hidden_ones_too_and_no_notebooks(tmp_path):
    names = ["a.txt", ".hidden", "data/b.txt", "data/.git/config"]
    found = written(tmp_path, *names)
    written(tmp_path, "a.ipynb", "data/b.ipynb")
    (tmp_path / "empty").mkdir()
    assert files.in_folder(tmp_path, ["*.ipynb"]) == found


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert files.in_folder(tmp_path / "nowhere") == {}


def test_what_a_linked_folder_holds_is_not_in_the_folder(tmp_path):
    written(tmp_path / "elsewhere", "secret")
    (tmp_path / "handed_in").mkdir()
    (tmp_path / "handed_in" / "linked").symlink_to(tmp_path / "elsewhere")
    assert "linked/secret" not in files.in_folder(tmp_path / "handed_in")


def test_folders_in_folders_may_be_deeper_than_python_calls_functions(tmp_path, deepen):
    found = written(tmp_path, "a")
    deepen(tmp_path)
    assert files.in_folder(tmp_path) == found
