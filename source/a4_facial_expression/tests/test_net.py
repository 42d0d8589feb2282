"""The cases and oracles of sections 2, 3 and 9 of a4."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from autograder.assignments.a4_facial_expression.checks import (
    attention,
    augmentation,
    networks,
)
from autograder.assignments.a4_facial_expression.lesson import adapters, plots

SEEDS = (0, 1, 2, 3)
DECLARED = (
    networks.report_cnn_properties, networks.report_cnn, networks.small_cnn_properties,
    augmentation.statistics, attention.grad_cam,
)  # fmt: skip


@pytest.fixture(scope="module", params=SEEDS)
def checks(request):
    return {one.check.name: one.drawn(request.param) for one in DECLARED}


# Networks


def test_the_report_counted_right(checks):
    check = checks["report_cnn_structure"]
    assert check.oracle(**check.cases[0].inputs)["parameters"] == 39_569_799


def test_the_oracle_of_the_linear_layers_is_a_matrix_product():
    """A correlation with the sequence is a product with the matrix whose rows are its windows."""
    s, x = torch.randn(30).double(), torch.randn(3, 20).double()
    rows = s.unfold(0, 20, 1)[:7]
    found = torch.cat([F.conv1d(s[:26].view(1, 1, -1), one.view(1, 1, -1))[0] for one in x])
    assert torch.allclose(found, x @ rows.T)


def test_logits_have_both_signs_and_depend_on_the_image(checks):
    for case in checks["report_cnn_output"].cases:
        logits = networks.report_cnn.oracle(**case.inputs)["logits"]
        assert (logits.amin(dim=1) < -0.1).all() and (logits.amax(dim=1) > 0.1).all()
        assert (logits[0] - logits[1]).abs().max() > 0.1


def test_the_slope_is_that_of_rrelu_in_evaluation_mode():
    x = -torch.rand(5).double()
    assert torch.allclose(nn.RReLU().eval()(x), networks.SLOPE * x)


# Small networks of others


class WithoutNorm(nn.Module):
    """No batch norm, a hidden layer in the head, biases everywhere."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 24, 7, stride=2, padding=3), nn.LeakyReLU(0.1),
            nn.Conv2d(24, 48, 3, padding=1), nn.GroupNorm(4, 48), nn.ELU(),
            nn.MaxPool2d(3, 2, 1), nn.Dropout2d(0.1),
            nn.Conv2d(48, 96, 3), nn.GELU(), nn.AvgPool2d(2, ceil_mode=True),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Flatten(), nn.LazyLinear(64), nn.Tanh(), nn.Linear(64, 7))

    def forward(self, x):
        maps = self.features(x)
        return self.head(maps)


class Separable(nn.Module):
    """Depthwise separable residual blocks whose last norm begins at zero."""

    class Residual(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(c, c, 3, padding=1, groups=c, bias=False), nn.BatchNorm2d(c), nn.SiLU(),
                nn.Conv2d(c, c, 1, bias=False), nn.BatchNorm2d(c),
            )  # fmt: skip
            nn.init.zeros_(self.body[-1].weight)

        def forward(self, x):
            return F.silu(x + self.body(x))

    def __init__(self):
        super().__init__()
        stages, c_in = [], 1
        for c in (32, 64, 128):
            stages += [nn.Conv2d(c_in, c, 3, 2, 1, bias=False), nn.BatchNorm2d(c), nn.SiLU()]
            stages += [Separable.Residual(c)]
            c_in = c
        self.features = nn.Sequential(*stages)
        last = nn.Linear(128, 7)
        nn.init.zeros_(last.weight)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1), nn.Dropout(), last)

    def forward(self, x):
        return self.head(self.features(x))


class Squeezed(nn.Module):
    """Channels weighted through two units, which are often dead at the start."""

    class Excitation(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.weights = nn.Sequential(
                nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, 2, 1), nn.ReLU(), nn.Conv2d(2, c, 1),
                nn.Sigmoid(),
            )  # fmt: skip

        def forward(self, x):
            return x * self.weights(x)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)  # always the same weights, and a fixed generator behind them
        first, second = Squeezed.Excitation(16), Squeezed.Excitation(32)
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), first, nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
            second,
        )  # fmt: skip
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 7))

    def forward(self, x):
        return self.head(self.features(x))


class Activated(WithoutNorm):
    """What comes out are no logits."""

    def __init__(self):
        super().__init__()
        self.head.append(nn.Sigmoid())


@pytest.mark.parametrize("network", [WithoutNorm, Separable, Squeezed])
def test_other_small_networks_keep_the_promises(network, checks):
    """What the check looks at, on networks unlike the reference's."""
    case = checks["small_cnn"].cases[-1]
    found = adapters.small_cnn(network, **case.inputs)
    expected = checks["small_cnn"].oracle(**case.inputs)
    for name, value in expected.items():
        same = torch.equal(torch.as_tensor(found[name]).double(), torch.as_tensor(value).double())
        assert same, name


def test_an_activation_behind_the_logits_is_seen(checks):
    case = checks["small_cnn"].cases[-1]
    assert adapters.small_cnn(Activated, **case.inputs)["logits"] == 0


# Augmentation


def test_a_half_is_found_but_for_once_in_a_billion():
    """The probability that a fair coin falls outside of what counts as half."""
    N, low, high = augmentation.CALLS, 0.35, 0.65
    inside = sum(math.comb(N, k) for k in range(N + 1) if low < k / N <= high)
    assert 1 - inside / 2**N < 1e-8


# Attention


def test_the_oracle_is_autograd(checks):
    for case in checks["grad_cam_values"].cases:
        weights, x, classes, training = case.inputs.values()
        w = {name: value.double() for name, value in weights.items()}
        x = x.double()
        z = F.conv2d(x, w["features.0.weight"], w["features.0.bias"], padding=1)
        norm = [w[f"features.1.{n}"] for n in ("running_mean", "running_var", "weight", "bias")]
        maps = F.avg_pool2d(F.relu(F.batch_norm(z, *norm)), 2).requires_grad_()
        units = torch.tanh(F.linear(maps.flatten(1), w["head.1.weight"], w["head.1.bias"]))
        logits = F.linear(units, w["head.4.weight"], w["head.4.bias"])
        chosen = logits[torch.arange(len(x)), classes].sum()
        (by_maps,) = torch.autograd.grad(chosen, maps)
        inputs = weights, x, classes, training
        alpha = by_maps.mean(dim=(2, 3), keepdim=True)
        large = (alpha * maps).sum(dim=1, keepdim=True).relu()
        large = F.interpolate(large, x.shape[2:], mode="bilinear", align_corners=False)[:, 0]
        large = large / large.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)
        assert torch.allclose(attention.grad_cam.oracle(*inputs)["maps"], large)


def test_maps_are_clear_of_kinks_and_two_are_empty(checks):
    for case in checks["grad_cam_values"].cases:
        weights, x, classes, training = case.inputs.values()
        assert np.abs(attention.forward(weights, x)["z"]).min() > 1e-4
        maps = attention.grad_cam.oracle(weights, x.double(), classes, training)["maps"].numpy()
        empty = [n for n, one in enumerate(maps) if not one.any()]
        assert empty == ([1, 4] if case.name.endswith("nothing") else [])
        assert np.allclose(np.delete(maps, empty, axis=0).max(axis=(1, 2)), 1)


# Pictures


def draw_all():
    faces = torch.zeros(3, 1, 8, 8, dtype=torch.uint8)
    plots.face_rows({"happy": faces, "sad": faces[:1]}, "faces")
    plots.face_rows({"happy": faces.float()}, "faces")
    counts = torch.tensor([3, 1])
    plots.class_shares({"training": counts, "test": counts}, ("happy", "sad"))
    maps = {"trained": torch.rand(3, 8, 8), "untrained": torch.zeros(3, 8, 8)}
    plots.attention(faces, maps, ["one", "two", "three"])


def test_every_picture_has_labelled_axes(drawn):
    draw_all()
    assert len(drawn) == 4
    assert all(axes.get_xlabel() and axes.get_ylabel() for f in drawn for axes in f.axes)


def test_nothing_is_drawn_while_a_notebook_is_graded(drawn, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    draw_all()
    assert drawn == []
