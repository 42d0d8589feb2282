"""Files from the network: what is wrong with a source costs time, never data."""

import gzip
import hashlib
import io
import multiprocessing
import os
import stat
import sys
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from data_scripts.fetch import Source, UnsafeArchive, extract, fetch, probe
from data_scripts.storage import DataNotFound, locked
from tests.data_server import serving

CONTENT = np.random.RandomState(0).bytes(3_000_000)
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
BY_HAND = "Do it by hand."


def source(address, name="here", digest=DIGEST):
    return Source(name, "data.bin", digest, len(CONTENT), address)


def client(code, name="client"):
    return Source(name, "data.bin", DIGEST, 0, command=(sys.executable, "-c", code))


def fetched(folder, *sources, only=None):
    return fetch("The set", sources, folder, BY_HAND, only)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_and_nothing_else_is_left(tmp_path):
    with serving(CONTENT) as server:
        used, path = fetched(tmp_path, source(server.url))
    assert (used.name, path.read_bytes()) == ("here", CONTENT)
    assert names(tmp_path) == ["data.bin"]


def test_what_is_there_is_not_fetched_again(tmp_path):
    (tmp_path / "data.bin").write_bytes(CONTENT)
    with serving(b"", status=500) as server:
        assert fetched(tmp_path, source(server.url))[1].read_bytes() == CONTENT
    assert server.asked == []


def test_a_beginning_of_a_digest_will_do(tmp_path):
    with serving(CONTENT) as server:
        fetched(tmp_path, source(server.url, digest=DIGEST[: len("sha256:") + 8]))
        with pytest.raises(DataNotFound, match="wrong digest"):
            fetched(tmp_path, source(server.url, digest="sha256:00000000"))


def test_the_next_source_is_asked(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    with serving(b"", status=404) as gone, serving(b"<html>moved</html>") as other:
        with serving(CONTENT) as right:
            sources = [source("http://127.0.0.1:9/", "dead"), source(gone.url, "gone"),
                       source(other.url, "other"), source(right.url, "right")]  # fmt: skip
            assert fetched(tmp_path, *sources)[0].name == "right"
        with pytest.raises(DataNotFound) as error:
            fetched(tmp_path / "elsewhere", *sources[:3])
    assert str(error.value) == (
        "The set cannot be fetched (dead: it does not answer; gone: it answers 404; "
        "other: it sent another file (wrong digest)). Do it by hand."
    )


def test_one_source_can_be_asked_for(tmp_path):
    with serving(CONTENT) as server:
        sources = source("http://127.0.0.1:9/", "dead"), source(server.url, "right")
        assert fetched(tmp_path, *sources, only="right")[0].name == "right"
        with pytest.raises(DataNotFound, match="has no source 'best'; there are: dead, right"):
            fetched(tmp_path, *sources, only="best")


def test_a_download_that_was_cut_off_goes_on_where_it_stopped(tmp_path):
    with serving(CONTENT, cut=1_234_567) as server:
        with pytest.raises(DataNotFound, match="here: "):
            fetched(tmp_path, source(server.url))
        assert names(tmp_path) == [".data.bin.part"]
        have = (tmp_path / ".data.bin.part").stat().st_size
        assert have > 0
        server.cut = None
        assert fetched(tmp_path, source(server.url))[1].read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={have}-"]
    assert names(tmp_path) == ["data.bin"]


def test_a_server_that_cannot_go_on_starts_again(tmp_path):
    (tmp_path / ".data.bin.part").write_bytes(CONTENT[:1000])
    with serving(CONTENT, ranges=False) as server:
        assert fetched(tmp_path, source(server.url))[1].read_bytes() == CONTENT


@pytest.mark.parametrize("part", [b"something else", CONTENT, CONTENT + b"more"])
def test_what_was_left_of_an_earlier_download_does_no_harm(part, tmp_path):
    (tmp_path / ".data.bin.part").write_bytes(part)
    with serving(CONTENT) as server:
        assert fetched(tmp_path, source(server.url))[1].read_bytes() == CONTENT


def test_a_client_leaves_the_file(tmp_path):
    code = f"import shutil; shutil.copy({str(tmp_path / 'there')!r}, 'data.bin')"
    (tmp_path / "there").write_bytes(CONTENT)
    (tmp_path / "to").mkdir()
    assert fetched(tmp_path / "to", client(code))[1].read_bytes() == CONTENT
    assert names(tmp_path / "to") == ["data.bin"]


@pytest.mark.parametrize("code, sentence", [
    ("import sys; sys.exit('log in first')", "client: python.* said: log in first"),
    ("pass", "left no file data.bin"),
    ("open('data.bin', 'w').write('x')", "wrong digest"),
])  # fmt: skip
def test_a_client_that_fails(code, sentence, tmp_path):
    with pytest.raises(DataNotFound, match=sentence):
        fetched(tmp_path, client(code))
    assert names(tmp_path) == []


def test_a_client_that_is_not_there(tmp_path):
    missing = Source("npm", "data.bin", DIGEST, 0, command=("no-such-client", "pack"))
    with pytest.raises(DataNotFound, match="npm: no-such-client is not installed"):
        fetched(tmp_path, missing)


def test_a_full_disk_is_one_sentence_and_keeps_what_there_is(tmp_path, small_disk):
    small_disk(tmp_path / "disk", "1m")
    sentence = pytest.raises(DataNotFound, match=r"no space is left in .*; make room")
    with serving(CONTENT) as server, sentence, locked(tmp_path / "disk"):
        fetched(tmp_path / "disk", source(server.url))
    assert (tmp_path / "disk" / ".data.bin.part").stat().st_size > 500_000


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "data").write_text("")
    for folder in (tmp_path / "data", tmp_path / "data" / "set"):
        sentence = pytest.raises(DataNotFound, match="data is a file where a folder should be")
        with sentence, locked(folder):
            pass


def fetch_slowly(folder, url, results):
    with locked(folder):
        fetched(folder, source(url))
        results.put((folder / "data.bin").read_bytes() == CONTENT)


def test_two_processes_fetch_once(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    results = spawn.Queue()
    with serving(CONTENT) as server:
        arguments = tmp_path / "data", server.url, results
        processes = [spawn.Process(target=fetch_slowly, args=arguments) for _ in range(2)]
        for process in processes:
            process.start()
        assert [results.get(timeout=60) for _ in processes] == [True, True]
        for process in processes:
            process.join()
    assert len(server.asked) == 1


def test_a_probe_says_which_source_has_the_right_file():
    with serving(CONTENT) as server:
        assert probe(source(server.url)).startswith("right digest, ")
        assert "wrong digest" in probe(source(server.url, digest="sha256:00"))
    assert probe(source("http://127.0.0.1:9/")) == "it does not answer"


def nothing_but(folder, *files):
    found = [path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()]
    return sorted(path.name for path in found) == sorted(files) and not any(
        path.is_symlink() for path in found
    )


def tar_of(path, *members):
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def member(name, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
    return info


@pytest.mark.parametrize("bad", [
    member("../outside"), member("a/../../outside"), member("/tmp/outside"),
    member("link", tarfile.SYMTYPE, "/etc/passwd"), member("link", tarfile.LNKTYPE, "good"),
    member("pipe", tarfile.FIFOTYPE), member("device", tarfile.CHRTYPE),
])  # fmt: skip
def test_a_tar_with_one_bad_member_is_not_extracted(bad, tmp_path):
    archive = tar_of(tmp_path / "bad.tar.gz", member("good"), bad)
    with pytest.raises(UnsafeArchive, match=r"bad\.tar\.gz holds"):
        extract(archive, tmp_path / "into")
    assert nothing_but(tmp_path, "bad.tar.gz", "good")


@pytest.mark.parametrize("name, mode", [
    ("../outside", 0), ("/outside", 0), ("C:\\outside", 0), ("a\\..\\..\\outside", 0),
    ("link", stat.S_IFLNK),
])  # fmt: skip
def test_a_zip_with_one_bad_member_is_not_extracted(name, mode, tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("good", "x")
        info = zipfile.ZipInfo("placeholder")
        info.filename, info.external_attr = name, mode << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(UnsafeArchive, match=r"bad\.zip holds"):
        extract(tmp_path / "bad.zip", tmp_path / "into")
    assert nothing_but(tmp_path, "bad.zip", "good")


def test_good_archives_are_extracted(tmp_path):
    tar_of(tmp_path / "good.tar.gz", member("a/b"), member("c"))
    with zipfile.ZipFile(tmp_path / "good.zip", "w") as archive:
        archive.writestr("a/b", "x")
        archive.writestr("c", "x")
    for name in ("good.tar.gz", "good.zip"):
        extract(tmp_path / name, tmp_path / f"into_{name}")
        assert names(tmp_path / f"into_{name}") == ["a", "c"]


@pytest.mark.parametrize("content", [b"", b"<html>", os.urandom(10_000)])
def test_what_is_no_archive(content, tmp_path):
    (tmp_path / "bad.tar.gz").write_bytes(content)
    with pytest.raises(UnsafeArchive, match="is damaged or not an archive"):
        extract(tmp_path / "bad.tar.gz", tmp_path / "into")


def test_an_archive_that_was_cut_off(tmp_path):
    whole = tar_of(tmp_path / "whole.tar.gz", *(member(f"file{number}") for number in range(500)))
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(UnsafeArchive, match="is damaged"):
        extract(cut, tmp_path / "into")


@pytest.mark.parametrize("damage", [
    lambda content: content[:1024],  # at the end of a member
    lambda content: content[:1024] + b"x" + content[1025:],  # in a header
    lambda content: content[:1030],
])  # fmt: skip
def test_a_tar_that_is_damaged_is_not_taken_for_a_short_one(damage, tmp_path):
    with tarfile.open(tmp_path / "whole.tar", "w") as archive:
        for number in range(4):
            archive.addfile(member(f"file{number}"), io.BytesIO(b"x"))
    (tmp_path / "bad.tar").write_bytes(damage((tmp_path / "whole.tar").read_bytes()))
    with pytest.raises(UnsafeArchive, match="is damaged"):
        extract(tmp_path / "bad.tar", tmp_path / "into")


def test_a_checksum_at_the_end_is_looked_at(tmp_path):
    content = bytearray(tar_of(tmp_path / "bad.tar.gz", member("good")).read_bytes())
    content[-8] ^= 1
    (tmp_path / "bad.tar.gz").write_bytes(content)
    with pytest.raises(UnsafeArchive, match="is damaged"):
        extract(tmp_path / "bad.tar.gz", tmp_path / "into")


def test_a_folder_that_was_packed_from_within(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").touch()
    with tarfile.open(tmp_path / "good.tar", "w") as archive:
        archive.add(tmp_path / "in", ".")
    extract(tmp_path / "good.tar", tmp_path / "into")
    assert names(tmp_path / "into") == ["file"]


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / ".tmp-abc").mkdir()
    (tmp_path / ".tmp-abc" / "file").touch()
    (tmp_path / ".tmp-def").touch()
    (tmp_path / ".data.bin.part").touch()
    with locked(tmp_path):
        assert names(tmp_path) == [".data.bin.part", ".lock"]


def test_an_archive_that_a_server_calls_an_encoding_stays_one(tmp_path):
    content = gzip.compress(CONTENT)
    right = source("", digest=f"sha256:{hashlib.sha256(content).hexdigest()}")
    with serving(content, headers={"Content-Encoding": "gzip"}) as server:
        fetched(tmp_path, replace(right, address=server.url, size=len(content)))
    assert (tmp_path / "data.bin").read_bytes() == content
