"""A drawn capsule: its two halves and its imprint, and what each defect does to them."""

import numpy as np
import pytest

from data_scripts.synthetic import capsule
from data_scripts.synthetic.capsule import (
    DEFECTS,
    HALF,
    JOINT,
    PRINT,
    RADIUS,
    digits,
    good,
    outline,
    paint,
    render,
)
from data_scripts.synthetic.strokes import plane

SIZE = 96
BROKEN = [name for name in DEFECTS if name != "good"]


def lying(seed=0):
    return good(np.random.RandomState(seed), SIZE)


def changed(defect, seed) -> np.ndarray:
    """Return where a defect shows, (SIZE, SIZE)."""
    clean, broken = paint(np.random.RandomState(seed), defect, SIZE)
    return (np.abs(broken - clean) > 0.02).any(axis=0)


@pytest.mark.parametrize(
    "u, v, distance",
    [
        (0, 0, -RADIUS),
        (0, RADIUS, 0),
        (HALF + RADIUS, 0, 0),
        (-HALF - RADIUS, 0, 0),
        (0, 0.4, 0.245),
    ],
)
def test_the_outline_is_two_half_circles_and_the_lines_between_them(u, v, distance):
    assert float(outline(np.float64(u), np.float64(v))) == pytest.approx(distance)


def test_the_cap_is_black_the_other_half_orange_and_the_ground_grey():
    for seed in range(5):
        one = lying(seed)
        image, edge = render(one), outline(one.u, one.v)
        inside = edge < -0.05
        cap, other = (image[:, inside & side] for side in (one.u < JOINT, one.u > JOINT + 0.02))
        halves = sorted((cap, other), key=lambda half: half.mean())
        assert halves[0].mean() < 0.3
        red, green, blue = halves[1].mean(axis=1)
        assert red > green > blue
        assert np.allclose(image[:, edge > 0.2].mean(axis=1), capsule.GREY, atol=0.02)


def test_the_imprint_is_dark_and_on_the_orange_half():
    one = lying()
    bare, printed = render(one, np.zeros((SIZE, SIZE))), render(one)
    where = (bare - printed).max(axis=0) > 0.05
    assert 0.002 < where.mean() < 0.05
    assert abs(one.u[where].mean() - PRINT) < 0.02 and (printed <= bare + 1e-6).all()


@pytest.mark.parametrize("text, wider_than", [("0", None), ("00", "0"), ("500", "00")])
def test_each_digit_of_the_imprint_adds_to_its_width(text, wider_than):
    u, v = plane(200)
    across = np.ptp(u[digits(text, u - PRINT, v) > 0.5])
    if wider_than:
        assert across > np.ptp(u[digits(wider_than, u - PRINT, v) > 0.5]) + 0.05
    assert 0.03 < across < 0.25


def test_a_five_is_no_zero():
    u, v = plane(200)
    zero, five = (digits(text, u - PRINT, v) > 0.5 for text in "05")
    assert (zero ^ five).sum() > zero.sum() / 2


def test_no_two_capsules_are_alike_and_a_seed_paints_the_same_one():
    one, again, other = (render(lying(seed)) for seed in (0, 0, 1))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_a_good_capsule_has_no_defect():
    clean, same = paint(np.random.RandomState(0), "good", SIZE)
    assert same is clean


@pytest.mark.parametrize("defect", BROKEN)
def test_a_defect_changes_a_part_of_the_capsule_and_nothing_around_it(defect):
    for seed in range(10):
        where, one = changed(defect, seed), lying(seed)
        assert 0 < where.mean() < 0.25, seed
        assert outline(one.u, one.v)[where].max() < 0.08, seed


def test_a_faulty_imprint_is_where_the_imprint_is():
    for seed in range(10):
        assert abs(lying(seed).u[changed("faulty_imprint", seed)].mean() - PRINT) < 0.12
