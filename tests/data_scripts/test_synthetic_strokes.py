"""Signed distances and soft edges: the same at every size, negative inside."""

import numpy as np
import pytest

from data_scripts.synthetic.strokes import (
    bump,
    clouds,
    cover,
    crack,
    fibre,
    jagged,
    over,
    plane,
    turn,
)


def numbers(seed=0):
    return np.random.RandomState(seed)


def test_the_plane_has_the_centres_of_the_pixels():
    x, y = plane(4)
    assert x[0].tolist() == y[:, 0].tolist() == [-0.375, -0.125, 0.125, 0.375]
    assert np.ptp(x, axis=0).max() == np.ptp(y, axis=1).max() == 0
    assert x.dtype == np.float32


def test_a_turned_frame_keeps_lengths_and_turns_back():
    x, y = plane(8)
    u, v = turn(x, y, 0.7)
    assert np.allclose(np.hypot(u, v), np.hypot(x, y))
    assert np.allclose(turn(u, v, -0.7), (x, y), atol=1e-6)
    assert np.allclose(turn(x, y, np.pi / 2), (y, -x), atol=1e-6)


def test_a_pixel_is_covered_inside_half_at_the_edge_and_not_outside():
    distance = np.array([[-1.0, 0.0, 1.0]] * 3)
    assert cover(distance).tolist() == [[1, 0.5, 0]] * 3
    soft = cover(np.array([[-0.01, 0.01]]), soft=0.04, size=100)
    assert np.allclose(soft, [[0.75, 0.25]])


@pytest.mark.parametrize("size", [32, 200])
def test_what_is_covered_is_the_area_at_every_size(size):
    x, y = plane(size)
    assert cover(np.hypot(x, y) - 0.3).mean() == pytest.approx(np.pi * 0.3**2, rel=0.01)
    window = slice(0, size // 2)
    part = cover((np.hypot(x, y) - 0.3)[window, window], size=size)
    assert np.array_equal(part, cover(np.hypot(x, y) - 0.3)[window, window])


def test_a_bump_is_one_in_the_middle_and_nothing_from_one_on():
    assert bump(np.array([-2.0, -1.0, 0.0, 0.5, 1.0])).tolist() == [0, 0, 1, 0.5625, 0]


def test_a_colour_is_painted_over_as_much_as_it_covers():
    image = np.zeros((3, 1, 3), np.float32)
    found = over(image, (1, 0.5, 0), np.array([[0.0, 0.5, 1.0]]))
    assert found[:, 0].T.tolist() == [[0, 0, 0], [0.5, 0.25, 0], [1, 0.5, 0]]
    assert not image.any()


def test_a_blob_that_is_not_rough_is_a_disc():
    x, y = plane(64)
    assert np.allclose(jagged(numbers(), x, y, 0.2, rough=0), np.hypot(x, y) - 0.2, atol=1e-6)


def test_a_rough_blob_is_about_as_large_as_asked():
    x, y = plane(64)
    areas = [(jagged(numbers(s), x, y, 0.2, rough=0.5) < 0).mean() for s in range(20)]
    assert 0.4 < np.mean(areas) / (np.pi * 0.2**2) < 1.2
    assert np.std(areas) > 0.001


@pytest.mark.parametrize("stroke", ["fibre", "crack"])
def test_a_stroke_goes_through_the_origin_and_ends_where_it_should(stroke):
    x, y = plane(256)
    for seed in range(5):
        if stroke == "fibre":
            distance = fibre(numbers(seed), x, y, length=0.2, width=0.02, bend=0.01)
        else:
            distance = crack(numbers(seed), x, y, length=0.2, width=0.03, rough=0.01)
        inside = distance < 0
        assert inside[126:130, 126:130].any() and inside.mean() < 0.05
        assert np.hypot(x, y)[inside].max() < 0.22


@pytest.mark.parametrize("size", [64, 400])
def test_clouds_look_the_same_at_every_size(size):
    found, small = clouds(numbers(), size, 8), clouds(numbers(), 32, 8)
    assert found.shape == (size, size) and np.abs(found).max() < 2
    at = np.linspace(0, size - 1, 32).round().astype(int)
    assert np.abs(found[np.ix_(at, at)] - small).max() < 0.15


def test_every_stroke_draws_as_many_numbers_at_every_size():
    """Or what is drawn next would look another way."""
    following = []
    for size in (16, 64):
        (x, y), rng = plane(size), numbers()
        jagged(rng, x, y, 0.2, 0.5)
        fibre(rng, x, y, 0.2, 0.02, 0.01)
        crack(rng, x, y, 0.2, 0.02, 0.01)
        clouds(rng, size, 6)
        following.append(rng.rand())
    assert following[0] == following[1]
