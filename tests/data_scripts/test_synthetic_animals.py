"""Drawn animals: six kinds, each from two or more sides, and no two alike."""

import numpy as np
import pytest

from data_scripts.synthetic import animals
from data_scripts.synthetic.animals import Build, four_legged, head_of

KINDS = {"bird": 2, "cat": 3, "deer": 2, "dog": 2, "frog": 2, "horse": 2}  # and from how many sides


def drawn(name, seed):
    return getattr(animals, name)(np.random.RandomState(seed))


def numbers(parts) -> list:
    return [(part.colour, part.outline.tolist()) for part in parts]


@pytest.mark.parametrize("name", KINDS)
def test_an_animal_is_a_function_of_the_numbers_drawn(name):
    assert numbers(drawn(name, 3)) == numbers(drawn(name, 3)) != numbers(drawn(name, 4))


@pytest.mark.parametrize("name", KINDS)
def test_an_animal_fills_the_square_and_hardly_leaves_it(name):
    for seed in range(50):
        corners = np.concatenate([part.outline for part in drawn(name, seed)])
        assert 0.8 < np.abs(corners).max() < 1.5, seed


@pytest.mark.parametrize("name", KINDS)
def test_colours_are_bytes(name):
    colours = [c for seed in range(50) for part in drawn(name, seed) for c in part.colour]
    assert min(colours) >= 0 and max(colours) <= 255


@pytest.mark.parametrize("name, sides", KINDS.items())
def test_it_is_seen_from_all_its_sides(name, sides):
    """Each side has other parts; a few are there or not."""
    assert len({len(drawn(name, seed)) for seed in range(50)}) >= sides


def test_a_four_legged_animal_has_four_legs_to_the_ground_and_a_head_at_its_neck():
    build = Build(half_length=0.5, depth=0.2, leg=0.4, leg_width=0.1, neck=(0.2, 0.3),
                  neck_width=0.1, head=(0.2, 0.1), nod=0.3)  # fmt: skip
    parts = four_legged(np.random.RandomState(0), (100, 80, 60), build)
    legs, (head, eye) = parts[:4], parts[-2:]
    feet = [leg.outline[:, 1].max() for leg in legs]
    assert np.allclose(feet, build.depth + build.leg, atol=build.leg_width)
    x, y = head_of(build)
    assert (x, y) == pytest.approx((0.625, -0.38))
    assert np.allclose(head.outline.mean(axis=0), (x + 0.1, y))
    assert eye.colour == animals.EYE
