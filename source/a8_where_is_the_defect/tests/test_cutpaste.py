"""The margins of what is measured of pasted rectangles in a8."""

import numpy as np
import pytest

from autograder.assignments.a8_where_is_the_defect.checks import cutpaste


def test_margins_of_pasted_rectangles_are_six_standard_errors():
    N, tolerance = cutpaste.SIZES[0][0], cutpaste.MARGIN
    assert tolerance.atol >= 6 * (1 / 12 / N) ** 0.5
    assert (1 - tolerance.atol) ** N < 1e-12  # that no number is near an end


def test_usual_sides_are_those_of_many_rectangles():
    rng, (N, H, W) = np.random.RandomState(0), cutpaste.SIZES[1]
    area = H * W * rng.uniform(0.02, 0.15, 10**6)
    ratio = np.exp(rng.uniform(np.log(0.3), np.log(3.3), 10**6))
    sides = [np.sqrt(area * ratio).round().clip(1, H) / H, np.sqrt(area / ratio).round() / W]
    assert cutpaste.usual_sides(H, W).tolist() == pytest.approx(np.mean(sides, 1), abs=1e-3)
    assert 6 * max(np.std(sides, axis=1)) / N**0.5 <= cutpaste.MARGIN.atol


def test_among_so_many_some_sides_are_one_pixel_and_some_the_whole_image():
    rng, (_, tiny, flat, narrow) = np.random.RandomState(0), cutpaste.SIZES
    for (N, H, W), row, wanted in ((tiny, 0, 1), (tiny, 1, 1), (flat, 0, 3), (narrow, 1, 3)):
        area = H * W * rng.uniform(0.02, 0.15, 10**5)
        ratio = np.exp(rng.uniform(np.log(0.3), np.log(3.3), 10**5))
        side = np.sqrt(area * ratio if row == 0 else area / ratio).round().clip(1, (H, W)[row])
        assert (side == wanted).any() and (side != wanted).mean() ** N < 1e-9
