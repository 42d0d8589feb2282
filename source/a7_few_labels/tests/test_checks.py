"""A card, a split, naming defects and the long tail: cases, oracles and adapters of a7."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from autograder.assignments.a7_few_labels.checks import card, classify, long_tail
from autograder.assignments.a7_few_labels.lesson import adapters, plots
from autograder.grading.notebooks import grade_id
from tests.submissions import source_notebook

SEEDS = (0, 1, 2, 3)
DECLARED = (
    card.described, card.promised,
    classify.resnet_properties, classify.mcnemar,
    long_tail.loss_and_slope, long_tail.gradient, long_tail.added_up,
)  # fmt: skip
CELLS = "stratified_split", "ResidualBlock"


@pytest.fixture(scope="module", params=SEEDS)
def checks(request):
    return {one.check.name: one.drawn(request.param) for one in DECLARED}


@pytest.fixture
def space():
    """What the notebook defines, with the instructor's block and split in it."""
    cells = {grade_id(c): c.source for c in source_notebook("a7_few_labels").cells}
    found = {"nn": nn, "F": F, "torch": torch}
    exec("\n\n".join(cells[name] for name in CELLS), found)
    return found


# The card


def test_the_extreme_sizes_are_in_both_splits(checks):
    """Neither training nor test images alone have the smallest and largest height and width."""
    for case in checks["card_values"].cases:
        found = card.described.oracle(**case.inputs)
        for split in ("train", "test"):
            only = {n: size for n, size in case.inputs["sizes"].items() if n.startswith(split)}
            part = card.described.oracle(only, case.inputs["masks"])
            assert not part["heights"].equal(found["heights"])
            assert not part["widths"].equal(found["widths"])


def test_the_darkest_pixel_of_a_defect_is_1(checks):
    for case in checks["card_values"].cases:
        assert all(mask[mask > 0].min() == 1 for mask in case.inputs["masks"].values())


def test_a_mean_of_shares_is_not_a_share_of_all_pixels(checks):
    for case in checks["card_values"].cases:
        kinds = {}
        for name, mask in case.inputs["masks"].items():
            kinds.setdefault(name.split("/")[0], []).append(mask)
        means = card.described.oracle(**case.inputs)["covered"].tolist()
        gaps = []
        for kind, mean in zip(sorted(kinds), means, strict=True):
            masks = kinds[kind]
            pooled = sum(int((m > 0).sum()) for m in masks) / sum(m.numel() for m in masks)
            gaps.append(abs(pooled - mean))
        assert max(gaps) > 3e-4


# The split


def test_right_splits_of_every_kind_keep_the_promises(space, checks):
    """Filling up to the share, from either end, or to the nearest."""

    def fill(y, groups, share, seed, from_the_end):
        rng, first = np.random.RandomState(seed), []
        for kind in y.unique().tolist():
            parts = [(groups == g).nonzero().flatten() for g in groups[y == kind].unique()]
            parts = [parts[i] for i in rng.permutation(len(parts))]
            total, taken = int((y == kind).sum()), []
            goal = (1 - share if from_the_end else share) * total
            while len(parts) > 1 and sum(map(len, taken)) + len(parts[0]) <= goal:
                taken.append(parts.pop(0))
            if not taken and len(parts) > 1:
                taken.append(parts.pop(0))
            first += parts if from_the_end else taken
        chosen = torch.zeros(len(y), dtype=torch.bool)
        chosen[torch.cat([*first, torch.zeros(0, dtype=torch.int64)])] = True
        return chosen.nonzero().flatten(), (~chosen).nonzero().flatten()

    for from_the_end in (False, True):
        space["stratified_split"] = lambda *a, end=from_the_end: fill(*a, end)
        for case in checks["split_values"].cases:
            found = adapters.split_values(space["stratified_split"], *case.inputs.values())
            expected = card.promised.oracle(*case.inputs.values())
            assert found == expected, case.name


def test_the_instructors_split_keeps_its_promises_for_many_seeds(space, checks):
    split, keeps = space["stratified_split"], adapters._keeps_promises
    for case in checks["split_values"].cases:
        y, groups, share, *_ = case.inputs.values()
        for seed in range(40):
            first, second = split(y, groups, share, seed)
            assert torch.cat([first, second]).sort().values.equal(torch.arange(len(y)))
            is_first = torch.isin(torch.arange(len(y)), first)
            assert keeps(y, groups, share, is_first[None]) == (True, True, True)


def test_what_a_kind_lacks_may_not_be_made_up_for_without_end(checks):
    """Of two images one is on each side; then 0.8 are missing, or too many."""
    for name, lacks in (("few_left", 0.8), ("few_taken", -0.8)):
        case = next(c for c in checks["split_values"].cases if c.name == name)
        y, _, share, *_ = case.inputs.values()
        few, many = y.unique(return_counts=True)[1].tolist()
        assert (few, many) == (2, 21)
        taken = round(share * many + lacks)  # of the other kind
        is_first = torch.zeros(1, len(y))
        is_first[0, (y == y.max()).nonzero().flatten()[:taken]] = 1
        is_first[0, (y == y.min()).nonzero()[0]] = 1
        kept = adapters._keeps_promises(y, torch.arange(len(y)), share, is_first)
        assert kept == (True, True, False)


def test_a_single_group_may_be_on_either_side_by_chance(space, checks):
    split = space["stratified_split"]

    def tossed(y, groups, share, seed):
        inside = torch.isin(torch.arange(len(y)), split(y, groups, share, seed)[0])
        for kind in y.unique():
            if len(groups[y == kind].unique()) == 1:
                inside[y == kind] = bool(np.random.RandomState(seed).randint(2))
        return inside.nonzero().flatten(), (~inside).nonzero().flatten()

    space["stratified_split"] = tossed
    for case in checks["split_values"].cases:
        found = adapters.split_values(space["stratified_split"], *case.inputs.values())
        expected = card.promised.oracle(*case.inputs.values())
        assert found == expected, case.name


def test_a_seed_that_changes_nothing_is_seen(space, checks):
    split = space["stratified_split"]
    space["stratified_split"] = lambda *a: split(*a[:3], a[3] // 4)
    case = next(c for c in checks["split_values"].cases if c.name == "images")
    found = adapters.split_values(space["stratified_split"], *case.inputs.values())
    assert [name for name in card.PROMISES[:-2] if not found[name]] == ["other_seeds_other_splits"]


def test_the_classes_of_the_report_are_halved(space):
    y = torch.arange(6).repeat_interleave(torch.tensor([23, 23, 22, 21, 23, 20]))
    for seed in range(20):
        first, second = space["stratified_split"](y, torch.arange(132), 0.5, seed)
        assert len(first) == len(second) == 66


# The network


class Head(nn.Module):
    def __init__(self, K, C, pool, bias=True):
        super().__init__()
        self.pool, self.linear = pool, nn.Linear(K, C, bias=bias)

    def forward(self, maps):
        return self.linear(self.pool(maps))


def network(make_features, K, pool, **keywords):
    """Build a class of networks."""

    class Network(nn.Module):
        def __init__(self, num_classes):
            super().__init__()
            self.features = make_features()
            self.head = Head(K, num_classes, pool, **keywords)

        def forward(self, x):
            return self.head(self.features(x))

    return Network


def mean(maps):
    return maps.mean(dim=(2, 3))


def features(space, *, depth=1, norm=nn.BatchNorm2d, act=nn.ReLU, stride=2):
    block = space["ResidualBlock"]
    deep = [block(24, 24) for _ in range(depth)]
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, stride, 1), norm(12), act(), block(12, 24, 2), *deep, block(24, 40, 2)
    )


def described(space, network):
    torch.manual_seed(0)
    x, sequence = torch.randn(2, 3, 5, 4).double(), torch.randn(80).double()
    found = adapters.small_resnet(space["ResidualBlock"], network, x, 5, 2, sequence, [41, 38], 4)
    broken = {name for name in classify.KEPT if not found[name]}
    return broken | ({"without_gradient"} if found["without_gradient"] else set())


def test_other_right_networks_keep_the_promises(space):
    for build in (
        lambda: features(space),
        lambda: features(space, depth=6),
        lambda: features(space, norm=lambda c: nn.GroupNorm(3, c), act=nn.GELU),
        lambda: features(space, stride=1, norm=nn.InstanceNorm2d, act=nn.Tanh),
        lambda: features(space, norm=lambda c: nn.Dropout2d(0.3), act=nn.Hardswish),
    ):
        for bias in (True, False):
            assert described(space, network(build, 40, mean, bias=bias)) == set()


@pytest.mark.parametrize(
    "pool, depth, broken",
    [
        (lambda maps: maps.amax(dim=(2, 3)), 1, {"mean_of_each_map", "one_linear_layer"}),
        (lambda maps: maps[..., 0, 0], 1, {"places_do_not_matter", "mean_of_each_map"}),
        (lambda maps: maps.square().mean(dim=(2, 3)), 1, {"mean_of_each_map", "one_linear_layer"}),
        (lambda maps: mean(maps).tanh(), 1, {"one_linear_layer"}),
        (lambda maps: mean(maps).detach(), 1, {"without_gradient"}),
        (mean, 0, {"three_blocks"}),
        (mean, 15, {"within_budget"}),
    ],
)
def test_a_network_that_breaks_a_promise_is_told_which(space, pool, depth, broken):
    found = described(space, network(lambda: features(space, depth=depth), 40, pool))
    assert found == broken


def test_what_is_in_the_features_or_the_head_besides_is_seen(space):
    def pooled(pool):
        return lambda: nn.Sequential(*features(space), pool)

    def more(*layers):
        class Longer(network(lambda: features(space), 40, mean)):
            def __init__(self, num_classes):
                super().__init__(num_classes)
                self.head.linear = nn.Sequential(*layers, self.head.linear)

        return Longer

    for pool in (nn.AdaptiveMaxPool2d(1), nn.AdaptiveAvgPool2d(1)):
        assert described(space, network(pooled(pool), 40, mean)) == {"maps_have_places"}
    for layers in ([nn.Linear(40, 40)], [nn.BatchNorm1d(40)], [nn.LayerNorm(40)]):
        assert described(space, more(*layers)) == {"one_linear_layer"}
    assert described(space, more(nn.Dropout(0.4))) == set()
    halved_six_times = nn.Sequential(features(space), nn.MaxPool2d(2), nn.AvgPool2d(2, padding=1))
    assert described(space, network(lambda: halved_six_times, 40, mean)) == set()


def beginning(block, start):
    """Build a class of blocks that begin otherwise."""

    class Block(block):
        def __init__(self, *sizes):
            super().__init__(*sizes)
            start(self)

    return Block


def looked_at(block, checks):
    for case in checks["small_resnet"].cases:
        found = adapters._look_at_block(block, *list(case.inputs.values())[:4])
        yield {name for name in classify.BLOCK if not found[name]}


def test_a_block_that_cannot_learn_or_drops_numbers_is_seen(space, checks):
    right = space["ResidualBlock"]

    def first_at_zero(block):
        nn.init.zeros_(block.residual[1].weight)

    def second_filters_at_zero(block):
        second_as_ever(block)
        nn.init.zeros_(block.residual[3].weight)

    def second_as_ever(block):
        nn.init.ones_(block.residual[-1].weight)

    def of_he(block):
        nn.init.kaiming_normal_(block.residual[0].weight)
        nn.init.orthogonal_(block.residual[3].weight)

    def both_switched(block):
        first_at_zero(block)
        second_as_ever(block)

    for start, broken in (
        (of_he, set()),
        (second_as_ever, {"begins_as_shortcut"}),
        (second_filters_at_zero, {"filters_are_not_0"}),
        (first_at_zero, {"every_part_learns"}),
        (both_switched, {"every_part_learns"}),
    ):
        assert all(found == broken for found in looked_at(beginning(right, start), checks))
    drops = beginning(right, of_he)
    drops.forward = lambda self, x: F.relu(
        F.dropout(self.residual(x), 0.2, self.training) + self.shortcut(x)
    )
    assert all(found == {"nothing_dropped"} for found in looked_at(drops, checks))


def test_a_lambda_is_no_sub_module(space, checks):
    class Block(space["ResidualBlock"]):
        def __init__(self, *sizes):
            super().__init__(*sizes)
            del self.shortcut
            self.shortcut = lambda x: x

    with pytest.raises(TypeError, match="shortcut is no sub-module"):
        next(looked_at(Block, checks))


def test_the_oracle_of_the_block_is_torchs(space, checks):
    for case in checks["small_resnet"].cases:
        x, c_out, stride, sequence, *_ = case.inputs.values()
        found = adapters._look_at_block(space["ResidualBlock"], x, c_out, stride, sequence)
        assert torch.allclose(found["block"], classify.filled_block(x, c_out, stride, sequence))
        assert 0.2 < (found["block"] > 0).double().mean() < 0.95  # the last ReLU has work to do


# Which differences are real


def test_mcnemar_by_hand():
    a = torch.tensor([True] * 10 + [False] * 6)
    b = torch.tensor([True] * 9 + [False] + [True] * 3 + [False] * 3)
    found = classify.mcnemar.oracle(a, b)
    assert (found["b"], found["c"]) == (1, 3)
    assert found["p"] == pytest.approx(2 * (1 + 4) / 16)


def test_the_large_case_is_too_large_for_floats(checks):
    for case in checks["paired_difference_values"].cases:
        found = classify.mcnemar.oracle(**case.inputs)
        if case.name.endswith("large"):
            n = found["b"] + found["c"]
            assert 0.5**n == 0 and 1e-6 < found["p"] < 0.5
            with pytest.raises(OverflowError):
                float(math.comb(n, n // 2))


# The long tail


def usual(checks):
    """Cases in which no probability is 0 or 1."""
    cases = checks["focal_loss_value"].cases
    return [case.inputs for case in cases if "extreme" not in case.name]


def test_the_oracle_of_the_focal_loss_is_its_formula(checks):
    for inputs in usual(checks):
        logits, y, gamma, weights = inputs.values()
        z = logits.double().requires_grad_()
        p = z.softmax(dim=1)[torch.arange(len(y)), y]
        loss = (-weights[y].double() * (1 - p) ** gamma * p.log()).sum() / len(y)
        (gradient,) = torch.autograd.grad(loss, z)
        found = long_tail.by_autograd(**inputs)
        assert torch.allclose(found["loss"].double(), loss, rtol=1e-6)
        assert torch.allclose(found["gradient"].double(), gradient, rtol=1e-5, atol=1e-7)


def test_gamma_0_is_weighted_cross_entropy(checks):
    for inputs in usual(checks):
        logits, y, _, weights = inputs.values()
        each = F.cross_entropy(logits, y, weights, reduction="none")
        found = long_tail.by_autograd(logits, y, 0.0, weights)
        assert torch.allclose(found["loss"], each.sum() / len(y))


def test_at_the_extremes_the_gradient_is_0_or_that_of_cross_entropy(checks):
    for case in checks["focal_loss_gradient"].cases:
        if "extreme" in case.name:
            logits, y, gamma, weights = case.inputs.values()
            p = logits.softmax(dim=1)[torch.arange(len(y)), y]
            assert sorted(p.tolist())[:2] == [0, 0] and sorted(p.tolist())[-3:] == [1, 1, 1]
            found = long_tail.by_autograd(**case.inputs)
            assert found["loss"].isfinite() and found["gradient"].isfinite().all()
            assert found["gradient"][p == 1].abs().max() < 1e-9
            wrong = weights[y] * (logits.softmax(dim=1) - F.one_hot(y, 4)).T / len(y)
            assert torch.allclose(found["gradient"][p == 0], wrong.T[p == 0])


def test_class_balanced_weights_lie_between_equal_ones_and_sklearns_balanced():
    counts = torch.tensor([60, 0, 11, 2])
    assert long_tail.added_up.oracle(counts, 0.0)["weights"].tolist() == [1, 0, 1, 1]
    y = np.repeat(np.arange(4), counts)
    there = compute_class_weight("balanced", classes=np.array([0, 2, 3]), y=y)
    nearly = long_tail.added_up.oracle(counts, 1 - 1e-9)["weights"]
    assert nearly[counts > 0].tolist() == pytest.approx(there.tolist(), rel=1e-6)


def test_class_balanced_weights_average_1_over_images_and_nothing_else(checks):
    for case in checks["class_balanced_weight_values"].cases:
        counts, beta = case.inputs.values()
        w = long_tail.added_up.oracle(counts, beta)["weights"]
        assert (counts * w).sum().item() == pytest.approx(counts.sum().item())
        if beta and (counts > 0).sum() > 1:
            assert abs(w.sum() - len(counts)) > 0.01
            assert abs(w[counts > 0].mean() - 1) > 0.01


# Pictures


def draw_pictures():
    images, masks = torch.zeros(3, 3, 24, 20, dtype=torch.uint8), torch.zeros(3, 1, 24, 20).bool()
    masks[1, :, 5:9, 4:8] = True
    plots.defect_rows({"good": (images, masks), "poke": (images[:2], masks[:2])})
    plots.focal_losses([0.1, 0.5], {0: [2, 1], 2: [1, 0]}, {0: [1, 0.5], 2: [0.5, 0.1]})


def test_its_pictures_draw_with_labelled_axes_and_not_while_grading(drawn, monkeypatch):
    draw_pictures()
    assert len(drawn) == 2
    assert all(axes.get_xlabel() and axes.get_ylabel() for fig in drawn for axes in fig.axes)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    draw_pictures()
    assert len(drawn) == 2


def test_a_mask_is_outlined_outside_of_it_and_nowhere_else():
    images, masks = torch.zeros(1, 3, 9, 9, dtype=torch.uint8), torch.zeros(1, 1, 9, 9).bool()
    masks[..., 3:6, 3:5] = True
    painted = plots._outlined(images, masks)[0].any(dim=0)
    assert int(painted.sum()) == 5 * 4 - 3 * 2 and not painted[3:6, 3:5].any()
