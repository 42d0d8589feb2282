"""Drawn images to pretrain on: three labels, each to be seen in the image."""

import numpy as np
import pytest

from data_scripts.synthetic import textures
from data_scripts.synthetic.textures import COLOURS, SHAPES, SIZE, TEXTURES, draw


@pytest.fixture(scope="module")
def drawn():
    return [draw(number) for number in range(600)]


def test_an_image_is_a_function_of_its_number():
    (image, labels), (again, same), (other, _) = draw(5), draw(5), draw(6)
    assert np.array_equal(image, again) and np.array_equal(labels, same)
    assert not np.array_equal(image, other)


def test_images_and_labels_have_their_form(drawn):
    for image, labels in drawn:
        assert (image.shape, image.dtype, labels.shape) == ((SIZE, SIZE, 3), np.float32, (3,))
        assert image.min() >= 0 and image.max() <= 1 and np.isfinite(image).all()


def test_every_label_occurs_about_as_often_as_the_others(drawn):
    labels = np.array([labels for _, labels in drawn])
    for column, names in zip(labels.T, (SHAPES, TEXTURES, COLOURS), strict=True):
        counts = np.bincount(column, minlength=len(names))
        assert len(counts) == len(names)
        assert counts.min() > 0.5 * len(drawn) / len(names)


def test_the_three_labels_do_not_tell_each_other(drawn):
    labels = np.array([labels for _, labels in drawn])
    assert np.abs(np.corrcoef(labels.T) - np.eye(3)).max() < 0.15


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_is_about_of_radius_one(shape):
    u, v = np.meshgrid(*[np.linspace(-2, 2, 81)] * 2)
    inside = textures._distance(shape, u, v) < 0
    assert 0.01 < inside.mean() < 0.25
    assert not inside[[0, -1]].any() and not inside[:, [0, -1]].any()


def test_no_two_shapes_are_the_same():
    u, v = np.meshgrid(*[np.linspace(-2, 2, 81)] * 2)
    insides = {shape: textures._distance(shape, u, v) < 0 for shape in SHAPES}
    for one in SHAPES:
        for other in SHAPES[: SHAPES.index(one)]:
            assert (insides[one] ^ insides[other]).mean() > 0.005, (one, other)


@pytest.mark.parametrize("texture", TEXTURES)
def test_each_texture_but_the_plain_one_has_a_pattern(texture):
    patterns = [textures._pattern(np.random.RandomState(seed), texture) for seed in range(10)]
    for pattern in patterns:
        assert pattern.shape == (SIZE, SIZE) and (np.std(pattern) > 0.02) == (texture != "plain")
    low, high = np.quantile(np.array(patterns, float), (0.25, 0.75))
    assert -0.5 < low <= high < 1.5


def test_the_figure_has_the_colour_of_its_label():
    """The mean of the middle of plain discs is nearer to their colour than to the others."""
    colours, right, seen = np.array(list(COLOURS.values())), 0, 0
    for number in range(1200):
        image, (shape, texture, colour) = draw(number)
        if SHAPES[shape] in ("disc", "square") and TEXTURES[texture] == "plain":
            middle = image[28:36, 28:36].mean(axis=(0, 1))
            right += np.abs(colours - middle).sum(axis=1).argmin() == colour
            seen += 1
    assert seen > 10 and right > 0.9 * seen
