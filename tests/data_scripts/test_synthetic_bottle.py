"""A drawn bottle: where its glass and its opening are, and where each defect can be."""

import numpy as np
import pytest

from data_scripts.synthetic import bottle
from data_scripts.synthetic.bottle import DEFECTS, EDGE, HOLE, good, paint

SIZE = 96
BROKEN = [name for name in DEFECTS if name != "good"]


def painted(defect, seed):
    return paint(np.random.RandomState(seed), defect, SIZE)


def changed(defect, seed) -> np.ndarray:
    """Return where a defect shows, (SIZE, SIZE)."""
    clean, broken = painted(defect, seed)
    return (np.abs(broken - clean) > 0.02).any(axis=0)


def test_the_glass_is_brown_on_a_white_table_around_a_dark_opening():
    for seed in range(5):
        one = good(np.random.RandomState(seed), SIZE)
        table, glass = one.r > EDGE + 0.02, (one.r > HOLE + 0.02) & (one.r < EDGE - 0.02)
        assert np.allclose(one.image[:, table].mean(axis=1), bottle.WHITE, atol=0.01)
        red, green, blue = one.image[:, glass].mean(axis=1)
        assert red > green > blue
        assert one.image[:, one.r < HOLE - 0.05].mean() < one.image[:, glass].mean()


def test_no_two_bottles_are_alike_and_a_seed_paints_the_same_one():
    one, again, other = (good(np.random.RandomState(seed), SIZE).image for seed in (0, 0, 1))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_a_good_bottle_has_no_defect():
    clean, same = painted("good", 0)
    assert same is clean


@pytest.mark.parametrize("defect", BROKEN)
def test_a_defect_changes_a_part_of_the_bottle_and_nothing_around_it(defect):
    for seed in range(10):
        where, r = changed(defect, seed), good(np.random.RandomState(seed), SIZE).r
        assert 0 < where.mean() < 0.2, seed
        assert r[where].max() < EDGE + 0.03, seed


def test_what_breaks_is_the_rim_and_what_contaminates_is_in_the_opening():
    for seed in range(10):
        r = good(np.random.RandomState(seed), SIZE).r
        assert r[changed("broken_small", seed)].min() > HOLE - 0.03
        assert r[changed("contamination", seed)].max() < HOLE + 0.03


def test_a_large_break_is_larger_than_a_small_one():
    large, small = (
        [changed(name, seed).mean() for seed in range(20)]
        for name in ("broken_large", "broken_small")
    )
    assert min(large) > np.median(small)
    assert np.median(large) > 3 * np.median(small)
