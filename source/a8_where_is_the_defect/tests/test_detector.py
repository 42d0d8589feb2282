"""The detector that a8 gives its students, and the tiles that it trains on."""

import pytest
import torch

from autograder.assignments.a8_where_is_the_defect.lesson import detector, tiles
from data_scripts import mvtec_ad


@pytest.fixture(scope="module")
def bottles():
    """Thirty good bottles, and two that are not."""
    train, test = (mvtec_ad.load("bottle", split, size=96) for split in ("train", "test"))
    defective = [int(i) for i in (test.targets > 0).nonzero()[:2]]
    images = [torch.stack([data[i][0] for i in rows]) for data, rows in
              ((train, range(30)), (test, defective))]  # fmt: skip
    return *images, torch.stack([test[i][1] for i in defective])


def test_maps_are_those_of_mahalanobis_and_a_defect_is_bright(bottles):
    good, broken, masks = bottles
    maps_of = detector.padim(good, "resnet_drawn", (0, 1))
    usual, found = maps_of(good), maps_of(broken)
    assert found.shape == (2, 96, 96) and found.dtype == torch.float32
    # of 30 images with 29 degrees of freedom, squares average 29² / 30 where epsilon is 0
    assert 9 < float(usual.square().mean()) < 29**2 / 30
    assert float(found[masks[:, 0]].mean()) > 2 * float(usual.mean())


def test_tiles_lie_around_defects():
    torch.manual_seed(0)
    images, masks = torch.rand(3, 3, tiles.SIDE, tiles.SIDE), torch.zeros(3, 1, *2 * [tiles.SIDE])
    masks[1, 0, 60, 2] = 1.0
    drawn, there = tiles.draw_tiles(images, masks, n=20, around=1.0)
    assert drawn.shape == (20, 3, tiles.TILE, tiles.TILE) and there.dtype == torch.bool
    assert there.flatten(1).any(dim=1).all()
    assert tiles.shrunk(torch.zeros(2, 3, 96, 96)).shape == (2, 3, tiles.SIDE, tiles.SIDE)


def test_one_thread_is_given_back():
    before = torch.get_num_threads()
    with detector.one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
