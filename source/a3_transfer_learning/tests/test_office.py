"""The office and its camera: what is drawn, and the story that section 6 tells with it."""

import pytest
import torch

from autograder.assignments.a3_transfer_learning.lesson import office
from bench.notebooks import Notebook
from data_scripts import pretrained

SHUFFLED, HONEST = (
    ("all images shuffled", "frames shuffled"),
    ("recordings", "photographs", "both, weighted", "photographs, then recordings"),
)


def test_frames_of_a_recording_are_alike_and_show_one_object():
    drawn = office.draw(seed=1)
    assert (drawn.recordings >= 0).equal(drawn.domains == 1)
    frames = drawn.X[drawn.domains == 1].float().reshape(office.RECORDINGS, office.FRAMES, -1)
    labels = drawn.y[drawn.domains == 1].reshape(office.RECORDINGS, office.FRAMES)
    assert (labels == labels[:, :1]).all()
    within = (frames[:, 0] - frames[:, 1]).abs().mean()
    between = (frames[1:, 0] - frames[:-1, 0]).abs().mean()
    assert within < 0.6 * between


def test_an_office_is_the_same_for_the_same_seed_and_no_frame_in_use_was_recorded():
    one, again, other = (office.draw(seed) for seed in (0, 0, 1))
    assert torch.equal(one.X, again.X) and torch.equal(one.X_in_use, again.X_in_use)
    assert not torch.equal(one.X, other.X)
    assert len(one.X_in_use.flatten(1).unique(dim=0)) == office.IN_USE
    both = torch.cat([one.X, one.X_in_use]).flatten(1)
    assert len(both.unique(dim=0)) == len(both)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_shuffled_dev_lies_and_photographs_before_recordings_are_best_in_use(seed):
    settings = {"backbone": pretrained.backbone(), "SIZE": 64, "DEVICE": "cpu"}
    names = Notebook("a3_transfer_learning", **settings)
    names.run("setup", "imagenet_statistics", "preprocess", "extract_features", "split_by_domain")
    names["at"] = lambda size: lambda batch: names["preprocess"](batch, size)
    names.run("office_features", change={"seed=0": f"seed={seed}"})
    names.run("office_ways", change={"manual_seed(0)": f"manual_seed({seed})"})
    found = names["found"]
    for way in SHUFFLED:
        dev, in_use = found[way]
        assert dev > in_use + 0.08, way
    for way in HONEST[:3]:
        assert found["photographs, then recordings"][1] > found[way][1], way
    print({way: [round(100 * share) for share in hits] for way, hits in found.items()})
