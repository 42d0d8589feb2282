"""How good is it, and at which threshold: the cases and oracles of sections 3 and 4 of a5."""

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from autograder.assignments.a5_anomaly_detection.checks.measures import area
from autograder.assignments.a5_anomaly_detection.checks.pro import flooded, overlap
from autograder.assignments.a5_anomaly_detection.checks.thresholds import tried
from autograder.assignments.a5_anomaly_detection.lesson import plots, regions
from autograder.authoring.checks import answer_of

DECLARED = (area, overlap, tried)
SEEDS = (0, 1, 2)
WHOLE = 1e-3  # how near to a whole number is too near


@pytest.fixture(scope="module", params=SEEDS)
def checks(request):
    return {one.check.name: one.drawn(request.param) for one in DECLARED}


def inputs_of(check):
    return [tuple(case.inputs.values()) for case in check.cases]


def test_no_long_answer_of_a_hidden_case_is_that_of_a_public_one(checks):
    for check in checks.values():
        answers = {True: set(), False: set()}
        for case in check.cases:
            leaves = answer_of(check, case).values()
            answers[case.public] |= {leaf.tensor.numpy().tobytes() for leaf in leaves}
        assert not [a for a in answers[True] & answers[False] if len(a) >= 64]


# AUROC


def test_the_area_is_the_share_of_pairs_and_a_sum_of_ranks(checks):
    for scores, labels in inputs_of(checks["auroc_values"]):
        good, defective = (scores[labels == kind].double().numpy() for kind in (False, True))
        difference = defective[:, None] - good[None]
        found = area.oracle(scores, labels)["AUROC"]
        assert found == pytest.approx(((difference > 0) + 0.5 * (difference == 0)).mean())
        n = len(defective)
        ranks = stats.rankdata(scores.double().numpy())[labels.numpy()].sum()
        assert found == pytest.approx((ranks - n * (n + 1) / 2) / n / len(good))


def test_scores_tie_only_where_a_case_says_so(checks):
    for case in checks["auroc_values"].cases:
        scores = case.inputs["scores"]
        says = any(word in case.about for word in ("tied", "equal", "values"))
        assert (len(scores.unique()) < len(scores)) == says, case.name


# PRO


def two_regions():
    """One region of four pixels, found; one of one pixel, missed; eleven good pixels."""
    masks = torch.zeros(1, 4, 4, dtype=torch.bool)
    masks[0, :2, :2] = masks[0, 3, 3] = True
    maps = torch.where(masks, 5.0, torch.arange(16.0).reshape(1, 4, 4) / 10)
    maps[0, 3, 3] = -1.0
    return maps, masks


def test_overlap_by_hand():
    maps, masks = two_regions()
    assert overlap.oracle(maps, masks, 0.3)["PRO"] == pytest.approx(0.5)
    maps[0, 3, 3] = 5.0
    assert overlap.oracle(maps, masks, 0.3)["PRO"] == pytest.approx(1)
    assert overlap.oracle(-maps, masks, 0.3)["PRO"] == pytest.approx(0)
    assert overlap.oracle(0 * maps, masks, 0.3)["PRO"] == pytest.approx(0.15)


def test_pixels_that_touch_at_a_corner_are_one_piece_and_holes_have_their_own():
    mask = np.eye(5, dtype=bool)
    assert [len(piece) for piece in flooded(mask)] == [5]
    ring = np.ones((5, 5), bool)
    ring[1:4, 1:4] = False
    ring[2, 2] = True
    assert sorted(len(piece) for piece in flooded(ring)) == [1, 16]


def published(maps, masks, limit):
    """Compute what MVTec's evaluation does: one pass over the sorted pixels.

    Bergmann et al., IJCV 2021; its code merges points of equal values, puts (0, 0) before
    them, and cuts the last trapezoid at the limit.
    """
    good, weight, regions = ~masks, np.zeros(masks.shape), 0
    for n, mask in enumerate(masks):
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        for k in range(1, count + 1):
            weight[n][labels == k] = 1 / (labels == k).sum()
        regions += count
    order = np.argsort(maps.ravel(), kind="stable")[::-1]
    fpr = np.cumsum(good.ravel()[order]) / good.sum()
    pro = np.cumsum(weight.ravel()[order]) / regions
    last = np.append(np.diff(maps.ravel()[order]) != 0, True)
    fpr, pro = np.append(0, fpr[last]), np.append(0, pro[last])
    inside = fpr <= limit
    k = inside.sum()
    end = [] if k == len(fpr) else [
        pro[k - 1] + (pro[k] - pro[k - 1]) * (limit - fpr[k - 1]) / (fpr[k] - fpr[k - 1])
    ]  # fmt: skip
    x, y = np.append(fpr[inside], [limit] * len(end)), np.append(pro[inside], end)
    return ((x[1:] - x[:-1]) * (y[1:] + y[:-1])).sum() / 2 / limit


def test_the_overlap_is_that_of_the_published_evaluation(checks):
    for maps, masks, limit in inputs_of(checks["region_overlap_values"]):
        expected = published(maps.numpy(), masks.numpy(), limit)
        assert overlap.oracle(maps, masks, limit)["PRO"] == pytest.approx(expected, rel=1e-9)


def test_no_rate_of_false_alarms_is_the_limit(checks):
    """There a curve may go straight up, and its height is a matter of taste."""
    for _, masks, limit in inputs_of(checks["region_overlap_values"]):
        pixels = limit * int((~masks).sum())
        assert limit == 1 or abs(pixels - round(pixels)) > WHOLE


def test_a_vertical_rise_at_the_limit_adds_no_area(checks):
    """All but one region are found at the limit, and the last one behind it."""
    maps, masks = two_regions()  # the second region is below everything else
    found = overlap.oracle(maps, masks, 1.0)["PRO"]
    maps[0, 3, 3] = -99.0
    assert overlap.oracle(maps, masks, 1.0)["PRO"] == found == pytest.approx(0.5)
    case = next(c for c in checks["region_overlap_values"].cases if c.name == "low")
    maps, masks, limit = case.inputs.values()
    assert limit == 1 and (maps[masks] < maps[~masks].min()).any()


def test_every_case_has_a_region_of_one_pixel(checks):
    for _, masks, _ in inputs_of(checks["region_overlap_values"]):
        pieces = [piece for mask in masks.numpy() for piece in flooded(mask)]
        assert min(map(len, pieces)) == 1 < max(map(len, pieces))


def test_values_of_maps_tie_only_where_a_case_says_so(checks):
    for case in checks["region_overlap_values"].cases:
        maps = case.inputs["maps"]
        assert (len(maps.unique()) < maps.numel()) == (
            "few" in case.about or "one value" in case.about
        )


def test_a_limit_of_one_takes_in_the_whole_curve():
    maps, masks = two_regions()
    assert overlap.oracle(maps, masks, 1.0)["PRO"] == pytest.approx(0.5)


# Regions


def test_regions_are_those_found_by_flooding(checks):
    for _, masks, _ in inputs_of(checks["region_overlap_values"]):
        pieces = [(n, piece) for n, mask in enumerate(masks.numpy()) for piece in flooded(mask)]
        assert sorted(regions.sizes(masks)) == sorted(len(piece) for _, piece in pieces)
        expected = torch.zeros(masks.shape).double()
        for n, piece in pieces:
            for row, column in piece:
                expected[n, row, column] = 1 / len(piece)
        assert torch.equal(regions.weights(masks), expected)


# Thresholds


def test_thresholds_by_hand():
    scores = torch.tensor([5.0, 1.0, 4.0, 2.0, 3.0])
    expected = {0.0: 5, 0.19: 5, 0.25: 4, 0.41: 3, 0.99: 1}
    for rate, threshold in expected.items():
        assert tried.oracle(scores, rate)["threshold"] == threshold


def test_how_many_may_is_beyond_doubt(checks):
    for scores, rate in inputs_of(checks["false_alarm_values"]):
        alarms = rate * len(scores)
        exact = rate in (0.0, 0.25)
        assert exact or abs(alarms - round(alarms)) > 0.05


def test_ties_lie_at_the_threshold(checks):
    for case in checks["false_alarm_values"].cases:
        if "ties" in case.name:
            scores, threshold = case.inputs["scores"], tried.oracle(**case.inputs)["threshold"]
            assert (scores == threshold).sum() > 1


# Pictures


def draw_all():
    plots.score_strips({"good": torch.rand(9), "defective": torch.rand(3)}, {"5 %": 0.5})


def test_every_picture_has_labelled_axes(drawn):
    draw_all()
    assert len(drawn) == 1
    for axes in (axes for figure in drawn for axes in figure.axes):
        assert axes.get_ylabel() and (axes.get_xlabel() or axes.get_label() == "<colorbar>")


def test_nothing_is_drawn_while_a_notebook_is_graded(drawn, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    draw_all()
    assert drawn == []
