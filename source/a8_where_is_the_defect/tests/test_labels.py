"""Boxes and the formats of labels: the cases and oracles of a8, and its pictures."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import ndimage

from autograder.assignments.a8_where_is_the_defect.checks.formats import grouped, rewritten, shares
from autograder.assignments.a8_where_is_the_defect.checks.places import boxed, flooded
from autograder.assignments.a8_where_is_the_defect.lesson import plots
from autograder.authoring.checks import answer_of

SEEDS = (0, 1, 2)


@pytest.fixture(scope="module", params=SEEDS)
def checks(request):
    return {one.check.name: one.drawn(request.param) for one in (boxed, rewritten, grouped)}


def inputs_of(check):
    return [tuple(case.inputs.values()) for case in check.cases]


def test_no_long_answer_of_a_hidden_case_is_that_of_a_public_one(checks):
    for check in checks.values():
        answers = {True: set(), False: set()}
        for case in check.cases:
            leaves = answer_of(check, case).values()
            answers[case.public] |= {leaf.tensor.numpy().tobytes() for leaf in leaves}
        assert not [a for a in answers[True] & answers[False] if len(a) >= 64]


# Boxes


def test_boxes_by_hand():
    mask = torch.zeros(4, 7).bool()
    mask[1:3, 2] = mask[3, 3] = True
    mask[0, 5:] = True
    assert boxed.oracle(mask, 1)["boxes"].tolist() == [[5, 0, 7, 1], [2, 1, 4, 4]]
    assert boxed.oracle(mask, 3)["boxes"].tolist() == [[2, 1, 4, 4]]
    assert boxed.oracle(mask, 4)["boxes"].shape == (0, 4)


def test_order_is_not_that_of_labels_and_takes_all_four_numbers(checks):
    case = next(c for c in checks["boxes_of_masks"].cases if c.name == "corners")
    boxes = boxed.oracle(**case.inputs)["boxes"]
    assert any(one[:2].equal(other[:2]) for one, other in pairwise(boxes))
    labels, _ = ndimage.label(case.inputs["mask"].numpy(), np.ones((3, 3)))
    found = [[x.start, y.start, x.stop, y.stop] for y, x in ndimage.find_objects(labels)]
    assert found != boxes.tolist() and sorted(found) == sorted(boxes.tolist())


def test_a_piece_lies_in_the_hole_of_another(checks):
    for case in checks["boxes_of_masks"].cases:
        if case.name.endswith("hole"):
            boxes = boxed.oracle(**case.inputs)["boxes"]
            inside = (boxes[:, None, :2] < boxes[None, :, :2]).all(2)
            inside &= (boxes[:, None, 2:] > boxes[None, :, 2:]).all(2)
            assert inside.any()


def test_pixels_that_touch_at_a_corner_are_one_piece_and_holes_have_their_own():
    mask = np.eye(5, dtype=bool)
    assert [len(piece) for piece in flooded(mask)] == [5]
    ring = np.ones((5, 5), bool)
    ring[1:4, 1:4] = False
    ring[2, 2] = True
    assert sorted(len(piece) for piece in flooded(ring)) == [1, 16]


# Formats


def test_rows_of_a_file_give_back_their_boxes(checks):
    for boxes, _, height, width in inputs_of(checks["box_formats"]):
        rows = shares(boxes, height, width).round(decimals=6)
        assert rewritten.oracle(boxes, rows, height, width)["read"].equal(boxes)


def test_corners_of_rows_are_near_whole_numbers_but_not_whole(checks):
    cut = 0
    for _, rows, height, width in inputs_of(checks["box_formats"]):
        centre, size = rows[:, :2], rows[:, 2:]
        corners = torch.cat([centre - size / 2, centre + size / 2], dim=1)
        corners = corners * torch.tensor([width, height, width, height])
        assert not len(rows) or (corners - corners.round()).abs().max() < 0.02
        cut += int((corners.long() != corners.round().long()).sum())
    assert cut > 5  # who cuts off is seen


def test_run_lengths_by_hand():
    mask = torch.tensor([[True, False, True], [True, False, False]])
    assert grouped.oracle(mask)["lengths"].tolist() == [0, 2, 2, 1, 1]
    assert grouped.oracle(~mask)["lengths"].tolist() == [2, 2, 1, 1]


def test_run_lengths_can_be_decoded(checks):
    for (mask,) in inputs_of(checks["run_length_values"]):
        lengths = grouped.oracle(mask)["lengths"].int().numpy()
        pixels = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
        assert torch.from_numpy(pixels.reshape(mask.T.shape).T).equal(mask)


# Pictures


def draw_all():
    images, masks = torch.zeros(2, 3, 12, 16, dtype=torch.uint8), torch.zeros(2, 1, 12, 16).bool()
    masks[0, 0, 3:6, 4:9] = True
    boxes = [torch.tensor([[4, 3, 9, 6]]), torch.zeros(0, 4, dtype=torch.int64)]
    plots.found_boxes(images, (masks[:, 0], boxes), (~masks[:, 0], boxes), ["one", "two"])
    plots.found_boxes(images[:1], (masks[:1, 0], boxes[:1]), (masks[:1, 0], boxes[:1]), ["one"])
    plots.masks_beside(images, {"truth": masks[:, 0], "found": ~masks[:, 0]}, "ab")
    plots.pairs(images, masks, ["one", "two"])


def test_every_picture_has_labels(drawn):
    draw_all()
    assert len(drawn) == 4
    for figure in drawn[:3]:
        assert {"x [pixels]"} <= {axes.get_xlabel() for axes in figure.axes}
        assert figure.axes[0].get_ylabel() == "y [pixels]"
    assert [one.get_text() for one in drawn[3].axes[0].get_yticklabels()] == ["part", "mask"]


def test_nothing_is_drawn_while_a_notebook_is_graded(drawn, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    draw_all()
    assert drawn == []
