"""A contact sheet: which images are on it, and where."""

import numpy as np
import pytest
import torch

from data_scripts.synthetic.sheet import CAPTION, MARGIN, contact_sheet, tile

CLASSES = "cat", "dog", "emu"
LABELS = torch.arange(12) % 3


def pictures(*shape) -> torch.Tensor:
    """Return twelve images, the nth one of the grey 10 n."""
    return (10 * torch.arange(12).byte()).reshape(-1, *[1] * len(shape)).expand(12, *shape)


@pytest.mark.parametrize("shape", [(8, 6), (1, 8, 6), (3, 8, 6)])
def test_each_class_has_a_block_in_grey_and_in_colour(shape):
    sheet = contact_sheet(pictures(*shape), LABELS, CLASSES, rows=2, columns_per_class=2)
    wide, high = 2 * (6 + MARGIN) + 2 * MARGIN, 2 * (8 + MARGIN) + CAPTION + MARGIN
    assert (sheet.mode, sheet.size) == ("RGB", (wide, 3 * high))


def test_the_first_images_of_a_class_stand_below_its_name_row_by_row():
    sheet = np.asarray(contact_sheet(pictures(8, 6), LABELS, CLASSES, rows=2, columns_per_class=2))
    for block in range(3):
        top = block * (2 * (8 + MARGIN) + CAPTION + MARGIN)
        assert (sheet[top : top + CAPTION] < 128).any()  # the name
        for n in range(4):
            y, x = top + CAPTION + n // 2 * (8 + MARGIN), MARGIN + n % 2 * (6 + MARGIN)
            assert (sheet[y : y + 8, x : x + 6] == 10 * (block + 3 * n)).all()


def test_blocks_may_stand_abreast_and_pixels_be_larger():
    sheet = contact_sheet(
        pictures(8, 6), LABELS, CLASSES, columns_per_class=1, blocks_across=2, zoom=3
    )
    wide, high = 3 * 6 + MARGIN + 2 * MARGIN, 3 * 8 + MARGIN + CAPTION + MARGIN
    assert sheet.size == (2 * wide, 2 * high)
    second = np.asarray(sheet)[CAPTION : CAPTION + 24, wide + MARGIN : wide + MARGIN + 18]
    assert (second == 10).all()


def test_a_class_with_fewer_images_leaves_room():
    sheet = contact_sheet(pictures(8, 6), torch.zeros(12), CLASSES, columns_per_class=4)
    last = np.asarray(sheet)[-(8 + MARGIN) :]
    assert (last == 255).all()


def test_a_tile_has_each_pixel_as_large_as_the_zoom():
    image = torch.tensor([[[1, 2]], [[3, 4]], [[5, 6]]], dtype=torch.uint8)
    found = np.asarray(tile(image, 2))
    assert found.tolist() == 2 * [[[1, 3, 5], [1, 3, 5], [2, 4, 6], [2, 4, 6]]]
