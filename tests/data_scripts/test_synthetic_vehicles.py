"""Drawn vehicles: four kinds, each from two or three sides, and no two alike."""

import numpy as np
import pytest

from data_scripts.synthetic import vehicles
from data_scripts.synthetic.vehicles import car_from_side, hull, lorry_from_side, wheel

KINDS = {"airplane": 2, "automobile": 2, "ship": 3, "truck": 2}  # and from how many sides, at least


def drawn(name, seed):
    return getattr(vehicles, name)(np.random.RandomState(seed))


def numbers(parts) -> list:
    return [(part.colour, part.outline.tolist()) for part in parts]


@pytest.mark.parametrize("name", KINDS)
def test_a_vehicle_is_a_function_of_the_numbers_drawn(name):
    assert numbers(drawn(name, 3)) == numbers(drawn(name, 3)) != numbers(drawn(name, 4))


@pytest.mark.parametrize("name", KINDS)
def test_a_vehicle_fills_the_square_and_hardly_leaves_it(name):
    for seed in range(50):
        corners = np.concatenate([part.outline for part in drawn(name, seed)])
        assert 0.8 < np.abs(corners).max() < 1.1, seed


@pytest.mark.parametrize("name", KINDS)
def test_colours_are_bytes(name):
    colours = [c for seed in range(50) for part in drawn(name, seed) for c in part.colour]
    assert min(colours) >= 0 and max(colours) <= 255


@pytest.mark.parametrize("name, sides", KINDS.items())
def test_it_is_seen_from_all_its_sides(name, sides):
    assert len({len(drawn(name, seed)) for seed in range(50)}) >= sides


@pytest.mark.parametrize("draw", [car_from_side, lorry_from_side])
def test_from_the_side_wheels_stand_on_one_level_below_all_else(draw):
    for seed in range(20):
        parts = draw(np.random.RandomState(seed))
        tyres = [part for part in parts if part.colour == vehicles.BLACK]
        lowest = [tyre.outline[:, 1].max() for tyre in tyres]
        assert len(tyres) >= 2 and np.ptp(lowest) < 1e-9
        assert max(part.outline[:, 1].max() for part in parts) == max(lowest)


def test_a_wheel_is_a_tyre_with_a_rim_in_its_middle():
    tyre, rim = wheel(0.2, 0.3, 0.4)
    assert np.allclose(tyre.outline.mean(axis=0), (0.2, 0.3))
    assert np.allclose((rim.outline - (0.2, 0.3)) * 2, tyre.outline - (0.2, 0.3))


def test_below_the_waterline_a_hull_is_red():
    above, below = hull((40, 44, 54), 0.1, 0.5)
    assert above.outline[:, 1].max() == pytest.approx(below.outline[:, 1].min())
    assert below.colour[0] > 2 * max(below.colour[1:])
