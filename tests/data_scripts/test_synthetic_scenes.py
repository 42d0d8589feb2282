"""Drawn places: each covers the page, whatever numbers it is drawn with."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from data_scripts.synthetic import scenes
from data_scripts.synthetic.shapes import paint

NAMES = ("sky", "sea", "road", "grass", "wood", "room", "pale")
NOWHERE = (255, 0, 254)
SIDE = 48
PAGE = np.array([[SIDE / 2, 0.0], [0.0, SIDE / 2], [SIDE / 2, SIDE / 2]])


def page(name, seed) -> np.ndarray:
    image = Image.new("RGB", (SIDE, SIDE), NOWHERE)
    paint(ImageDraw.Draw(image), getattr(scenes, name)(np.random.RandomState(seed)), PAGE)
    return np.asarray(image)


@pytest.mark.parametrize("name", NAMES)
def test_no_place_is_left_blank(name):
    for seed in range(50):
        assert not (page(name, seed) == NOWHERE).all(axis=2).any(), seed


@pytest.mark.parametrize("name", NAMES)
def test_a_place_is_a_function_of_the_numbers_drawn(name):
    assert np.array_equal(page(name, 3), page(name, 3))
    assert not np.array_equal(page(name, 3), page(name, 4))


@pytest.mark.parametrize("name", NAMES)
def test_a_place_is_neither_black_nor_of_one_colour(name):
    for seed in range(20):
        drawn = page(name, seed)
        assert drawn.mean() > 20 and len(np.unique(drawn.reshape(-1, 3), axis=0)) >= 3, seed


def test_two_grounds_meet_at_the_horizon_and_grow_lighter_towards_it():
    parts = scenes.layers((100, 100, 100), 0.25, (50, 50, 50))
    above, below = parts[:3], parts[3:]
    assert {part.outline[:, 1].max() for part in above} == {0.25}
    assert min(part.outline[:, 1].min() for part in below) == 0.25
    assert [part.colour[0] for part in parts] == [90, 100, 110, 55, 50, 44]
