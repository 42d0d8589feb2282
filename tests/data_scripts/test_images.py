"""A set of small images as a file: written whole, mapped into memory, and compared with what it is.

The sets here have twelve images; what is true of them is true of each real one.
"""

import hashlib
import threading
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from data_scripts import images
from data_scripts.fetch import Source
from data_scripts.images import Contents, ImageSet, digest
from data_scripts.storage import DataNotFound
from tests.data_server import serving

CLASSES = "cat", "dog"


def splits(seed=0) -> dict:
    """Return eight images to train on and four to test on, half of them cats."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: (torch.randint(256, (n, 1, 4, 4), generator=generator).byte(), torch.arange(n) % 2)
        for name, n in (("train", 8), ("test", 4))
    }


REAL = splits(1)


def read(path):
    """Read a real set: a file that says so."""
    if path.read_text() != "the pictures":
        raise ValueError("these are\nother pictures")
    return Contents(REAL)


PETS = ImageSet(
    name="pets", title="Pets", classes=CLASSES, licence="free", by_hand="Use --from FILE.",
    sources=(), counts={"train": (4, 4), "test": (2, 2)}, digests={}, read=read,
    draw=splits, drawn=3,
)  # fmt: skip


@pytest.fixture
def given(tmp_path):
    (tmp_path / "pets.txt").write_text("the pictures")
    return tmp_path / "pets.txt"


def loaded(root, split="train", one=PETS, **how):
    options = {"real": False, "flatten": False, "dtype": torch.uint8, "device": "cpu"} | how
    return one.load(split, root=root, **options)


def without(**changes):
    """Return a reader of which the contents are changed."""
    return replace(PETS, read=lambda path: replace(Contents(REAL), **changes))


# The embedded set


def test_it_is_drawn_when_it_is_first_asked_for_and_then_read(tmp_path):
    found, labels = loaded(tmp_path)
    assert torch.equal(found, splits()["train"][0]) and labels.tolist() == [0, 1] * 4
    assert (found.dtype, labels.dtype) == (torch.uint8, torch.int64)
    again = replace(PETS, draw=pytest.fail)
    assert torch.equal(loaded(tmp_path, "test", again)[0], splits()["test"][0])


def test_another_version_of_what_is_drawn_is_another_file(tmp_path):
    loaded(tmp_path)
    later = replace(PETS, drawn=4, draw=lambda: splits(4))
    assert torch.equal(loaded(tmp_path, one=later)[0], splits(4)["train"][0])
    assert {path.name for path in (tmp_path / "pets").glob("*.safetensors")} == {
        "embedded-3.safetensors", "embedded-4.safetensors",
    }  # fmt: skip


def test_what_is_loaded_has_the_form_that_was_asked_for(tmp_path):
    whole, _ = loaded(tmp_path)
    flat, _ = loaded(tmp_path, flatten=True, dtype=torch.float64)
    assert flat.shape == (8, 16) and flat.dtype is torch.float64
    assert torch.equal((flat * 255).round().byte(), whole.flatten(1))
    assert int(whole.max()) > 250 and float(flat.max()) <= 1
    found, labels = loaded(tmp_path, device="meta")
    assert found.is_meta and labels.is_meta


def test_writing_to_what_was_loaded_changes_no_file(tmp_path):
    found, labels = loaded(tmp_path)
    found.zero_()
    labels.fill_(7)
    assert loaded(tmp_path)[0].any() and loaded(tmp_path)[1].max() == 1


def test_a_split_that_there_is_not_is_named_with_those_there_are(tmp_path):
    with pytest.raises(DataNotFound, match=r"has no split 'valid'; it has test, train\."):
        loaded(tmp_path, "valid")


@pytest.mark.parametrize("content", [b"", b"cut off", bytes(100)])
def test_a_damaged_file_is_one_sentence_with_the_remedy(tmp_path, content):
    path = PETS.path(False, tmp_path)
    path.parent.mkdir()
    path.write_bytes(content)
    (stored,) = PETS.stored(tmp_path)
    assert (stored.wrong, stored.size) == (
        "it cannot be read; delete it, and it is made again", len(content),
    )  # fmt: skip
    with pytest.raises(DataNotFound, match=r"cannot be read .*; delete it, and it is made again\."):
        loaded(tmp_path)


def test_a_file_appears_in_place_only_when_it_is_complete(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(images, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loaded(tmp_path)
    assert [path.name for path in (tmp_path / "pets").iterdir()] == [".lock"]


def test_two_that_ask_at_once_draw_once(tmp_path):
    drawn = []
    slow = replace(PETS, draw=lambda: drawn.append(1) or splits())
    threads = [threading.Thread(target=loaded, args=(tmp_path, "train", slow)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drawn == [1]


# The real set


def test_what_is_given_is_read_and_kept_with_its_name_and_licence(tmp_path, given, capsys):
    path = PETS.prepare(real=True, root=tmp_path, given=given)
    assert path == tmp_path / "pets" / "real.safetensors"
    assert capsys.readouterr().out == "Pets: free\n"
    (stored,) = PETS.stored(tmp_path)
    assert (stored.what, stored.origin, stored.digests) == ("Pets, real", "pets.txt", ())
    assert torch.equal(loaded(tmp_path, real=True)[0], REAL["train"][0])


def test_what_is_given_takes_the_place_of_what_was_there(tmp_path, given):
    PETS.prepare(real=True, root=tmp_path, given=given)
    other = replace(PETS, read=lambda path: Contents(splits(2)))
    assert PETS.prepare(real=True, root=tmp_path).exists()  # and asks no source
    other.prepare(real=True, root=tmp_path, given=given)
    assert torch.equal(loaded(tmp_path, real=True)[0], splits(2)["train"][0])


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(
        DataNotFound, match=r"gone\.txt: there is no such file .* Use --from FILE\."
    ):
        PETS.prepare(real=True, root=tmp_path, given=tmp_path / "gone.txt")


def test_what_a_reader_trips_over_is_told_in_its_first_line(tmp_path, given):
    given.write_text("other pictures")
    with pytest.raises(DataNotFound) as error:
        PETS.prepare(real=True, root=tmp_path, given=given)
    assert str(error.value) == (
        f"{given} is not Pets as it should be (these are). Use --from FILE."
    )


@pytest.mark.parametrize(
    "changed, sentence",
    [
        (without(splits={"test": REAL["test"]}), "it has no train split"),
        (without(splits={"train": REAL["train"]}), "it has no test split"),
        (
            without(splits=REAL | {"train": (REAL["train"][0], torch.zeros(8))}),
            "the train split has 8 cat instead of 4, 0 dog instead of 4",
        ),
        (
            without(splits=REAL | {"test": (REAL["test"][0], torch.tensor([0, 1, 7, 0]))}),
            "a label of the test split is 7",
        ),
        (
            replace(PETS, digests={"test": "0" * 64}),
            "the test split is not as published, byte for byte",
        ),
    ],
)
def test_what_is_not_the_set_is_refused_and_not_kept(tmp_path, given, changed, sentence):
    with pytest.raises(DataNotFound) as error:
        changed.prepare(real=True, root=tmp_path, given=given)
    assert str(error.value) == f"{given}: {sentence}. Use --from FILE."
    assert not changed.path(True, tmp_path).exists()


def test_a_form_that_lacks_a_part_or_has_other_bytes_will_do(tmp_path, given):
    train = {"train": REAL["train"]}
    without(splits=train, whole=False).prepare(real=True, root=tmp_path, given=given)
    saved_anew = replace(without(exact=False), digests={"test": "0" * 64})
    saved_anew.prepare(real=True, root=tmp_path, given=given)
    assert loaded(tmp_path, "test", real=True)[1].tolist() == [0, 1, 0, 1]


def test_labels_that_nobody_has_published_are_one_sentence(tmp_path, given):
    unlabelled = without(splits=REAL | {"test": (REAL["test"][0], None)})
    unlabelled.prepare(real=True, root=tmp_path, given=given)
    assert len(loaded(tmp_path, "train", real=True)[0]) == 8
    with pytest.raises(DataNotFound, match="the files it is from have no labels of the test split"):
        loaded(tmp_path, "test", real=True)


def source(url, content=b"the pictures"):
    return Source("here", "pets.txt", f"sha256:{hashlib.sha256(content).hexdigest()}", 0, url)


def test_what_was_fetched_is_kept_once(tmp_path):
    with serving(b"the pictures") as server:
        small = replace(PETS, sources=(source(server.url),))
        kept = small.prepare(real=True, root=tmp_path)
    assert {path.name for path in kept.parent.iterdir()} == {".lock", kept.name}
    (stored,) = small.stored(tmp_path, check=True)
    assert (stored.origin, stored.wrong) == ("here", "")


def test_what_was_fetched_and_refused_is_fetched_again(tmp_path):
    with serving(b"other pictures") as server:
        small = replace(PETS, sources=(source(server.url, b"other pictures"),))
        for _ in range(2):
            with pytest.raises(DataNotFound, match="is not Pets as it should be"):
                small.prepare(real=True, root=tmp_path)
    assert len(server.asked) == 2
    assert [path.name for path in (tmp_path / "pets").iterdir()] == [".lock"]


# What is on disk


def test_a_digest_is_of_the_images_and_then_of_the_labels():
    X, y = REAL["train"]
    expected = hashlib.sha256(bytes(X.flatten().tolist()) + bytes(y.tolist())).hexdigest()
    assert digest(X, y) == digest(X, y.int()) == expected
    assert digest(X, None) == hashlib.sha256(bytes(X.flatten().tolist())).hexdigest()
    assert digest(X.flip(0), y) != expected != digest(X, y.flip(0))


def test_a_check_compares_the_bytes_of_the_real_set_and_of_no_other(tmp_path, given):
    PETS.prepare(real=True, root=tmp_path, given=given)
    loaded(tmp_path)
    strict = replace(PETS, digests={"train": digest(*REAL["train"]), "test": "0" * 64})
    embedded, real = strict.stored(tmp_path, check=True)
    assert (embedded.what, embedded.wrong) == ("Pets, embedded", "")
    assert real.wrong == "not as published, byte for byte: test"
    assert real.digests[1] == f"train: sha256 {digest(*REAL['train'])}"
    assert [one.wrong for one in strict.stored(tmp_path)] == ["", ""]


def test_nothing_is_stored_in_an_empty_folder(tmp_path):
    assert list(PETS.stored(tmp_path, check=True)) == []


def test_the_file_is_one_that_others_can_read(tmp_path, given):
    with safe_open(PETS.prepare(real=True, root=tmp_path, given=given), "pt") as opened:
        names = set(opened.keys())
    assert names == {"train.images", "train.labels", "test.images", "test.labels"}
