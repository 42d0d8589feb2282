"""Coloured outlines: where their corners are, and where they are painted."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from data_scripts.synthetic.shapes import box, ellipse, limb, paint, pick, polygon, shade

RED, BLUE = (200, 10, 20), (10, 20, 200)
PAGE = np.array([[10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])  # (-1, -1) to (0, 0), (1, 1) to (20, 20)


def area(part) -> float:
    x, y = part.outline.T
    return abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2


def painted(parts, page=PAGE):
    image = Image.new("RGB", (20, 20))
    paint(ImageDraw.Draw(image), parts, page)
    return np.asarray(image)


def test_a_box_is_upright_and_has_the_area_of_its_sides():
    part = box(RED, -0.5, -0.25, 0.5, 0.75)
    assert area(part) == 1
    assert part.outline.min(axis=0).tolist() == [-0.5, -0.25]
    assert part.outline.max(axis=0).tolist() == [0.5, 0.75]


def test_an_ellipse_is_about_its_centre_with_its_two_radii():
    part = ellipse(RED, 0.3, -0.2, 0.5, 0.25)
    x, y = (part.outline - (0.3, -0.2)).T
    assert np.allclose((x / 0.5) ** 2 + (y / 0.25) ** 2, 1)


def test_an_ellipse_is_turned_clockwise():
    """y runs down: what pointed to the right points down after a quarter of a turn."""
    tip = ellipse(RED, 0, 0, 0.5, 0.1, np.pi / 2).outline[0]
    assert np.allclose(tip, (0, 0.5))
    assert area(ellipse(RED, 0, 0, 0.5, 0.1, 1)) == pytest.approx(
        area(ellipse(RED, 0, 0, 0.5, 0.1))
    )


@pytest.mark.parametrize("end", [(1.0, 0.0), (0.0, 1.0), (3.0, -4.0)])
def test_a_limb_is_as_long_as_the_way_and_as_wide_as_asked_at_each_end(end):
    assert area(limb(RED, (0, 0), end, 0.2)) == pytest.approx(0.2 * np.hypot(*end))
    corners = limb(RED, (0, 0), end, 0.2, 0.1).outline
    assert np.linalg.norm(corners[0] - corners[3]) == pytest.approx(0.2)
    assert np.linalg.norm(corners[1] - corners[2]) == pytest.approx(0.1)
    assert np.allclose(corners[[0, 3]].mean(axis=0), 0)
    assert np.allclose(corners[[1, 2]].mean(axis=0), end)


def test_a_limb_without_length_is_no_error():
    assert np.isfinite(limb(RED, (1, 1), (1, 1), 0.2).outline).all()


def test_a_shade_is_darker_or_lighter_and_never_more_than_white():
    assert shade((100, 50, 200), 0.5) == (50, 25, 100)
    assert shade((100, 50, 200), 1.5) == (150, 75, 255)


def test_a_colour_is_picked_near_one_of_those_that_are_offered():
    rng, offered = np.random.RandomState(0), ((0, 100, 255), (200, 200, 10))
    picked = [pick(rng, offered) for _ in range(200)]
    away = np.abs(np.array(picked)[:, None] - np.array(offered)).max(axis=2)
    assert (away.min(axis=1) <= 22).all() and set(away.argmin(axis=1)) == {0, 1}
    assert np.min(picked) == 0 and np.max(picked) == 255
    assert pick(rng, (RED,), spread=0) == RED


def test_parts_are_painted_in_order_and_where_the_map_takes_them():
    left, middle = box(RED, -1, -1, -0.1, 1), box(BLUE, -0.5, -1, 0.5, 1)
    image = painted([left, middle])
    assert tuple(image[10, 2]) == RED
    assert tuple(image[10, 7]) == tuple(image[10, 12]) == BLUE
    assert tuple(image[10, 18]) == (0, 0, 0)
    mirrored = painted([left, middle], PAGE * np.array([[-1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]))
    assert tuple(mirrored[10, 17]) == RED


def test_parts_with_other_numbers_of_corners_do_not_disturb_each_other():
    triangle = polygon(RED, (-1, -1), (0, -1), (-1, 0))
    image = painted([triangle, ellipse(BLUE, 0.5, 0.5, 0.3, 0.3)])
    assert tuple(image[1, 1]) == RED and tuple(image[15, 15]) == BLUE
    assert tuple(image[15, 2]) == (0, 0, 0)
