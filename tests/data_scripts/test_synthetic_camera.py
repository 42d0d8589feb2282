"""The camera: what it changes in a picture, and what it leaves as it is."""

import numpy as np
import pytest

from data_scripts.synthetic.camera import blurred, photograph


def pictures(n=40, value=120):
    return np.full((n, 16, 16, 3), value, np.uint8)


def taken(images, seed=0):
    return photograph(np.random.RandomState(seed), images)


def test_photographs_have_the_form_of_the_pictures_and_leave_them_alone():
    images = pictures()
    found = taken(images)
    assert (found.shape, found.dtype) == (images.shape, np.uint8)
    assert (images == 120).all()


def test_the_same_numbers_take_the_same_photographs_and_others_others():
    images = pictures()
    assert np.array_equal(taken(images), taken(images))
    assert not np.array_equal(taken(images), taken(images, 1))


def test_no_two_photographs_of_one_picture_are_alike():
    found = taken(pictures())
    assert len(np.unique(found.reshape(len(found), -1), axis=0)) == len(found)


def test_light_differs_and_comes_from_a_side():
    found = taken(pictures(200)).astype(float)
    assert 15 < found.mean(axis=(1, 2, 3)).std() < 30
    rows, columns = found.mean(axis=(2, 3)), found.mean(axis=(1, 3))
    for side in (rows, columns):
        assert 10 < (side[:, -1] - side[:, 0]).std() < 45


def test_there_is_grain_in_every_photograph():
    across = np.diff(taken(pictures()).astype(float), axis=2)
    assert (across.std(axis=(1, 2, 3)) > 1).all()


def test_what_was_brighter_stays_brighter():
    """On the average over many photographs, and by less: contrast is lost, not turned round."""
    images = pictures(200)
    images[:, :, :8] = 60
    found = taken(images).astype(float)
    step = (found[:, :, 12:] - found[:, :, :4]).mean()
    assert 25 < step < 60


@pytest.mark.parametrize("value", [0, 255])
def test_nothing_wraps_round_at_black_and_white(value):
    found = taken(pictures(value=value)).astype(int)
    assert abs(np.median(found) - value) < 60


def test_a_blur_keeps_what_is_even_and_spreads_a_point_over_its_neighbours():
    assert (blurred(np.full((2, 5, 5, 3), 7.0)) == 7).all()
    point = np.zeros((1, 5, 5, 1))
    point[0, 2, 2] = 16
    expected = np.zeros((5, 5))
    expected[1:4, 1:4] = np.outer([1, 2, 1], [1, 2, 1])
    assert np.array_equal(blurred(point)[0, ..., 0], expected)
