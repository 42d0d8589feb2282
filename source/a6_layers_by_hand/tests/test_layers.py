"""The cases and oracles of a6, and its pictures."""

import re
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from autograder.assignments import find
from autograder.assignments.a6_layers_by_hand.checks import (
    batchnorm,
    convolution,
    optimisers,
    sizes,
    softmax,
)
from autograder.assignments.a6_layers_by_hand.checks.draws import bounded
from autograder.assignments.a6_layers_by_hand.lesson import plots
from autograder.authoring.checks import load
from autograder.authoring.mistakes import read_mistakes

SEEDS = (0, 1, 2)
DECLARED = (
    sizes.conv_shape, convolution.convolved, *convolution.GRADIENTS, batchnorm.batchnorm,
    *batchnorm.GRADIENTS, batchnorm.identity, *softmax.CROSS_ENTROPY, optimisers.adam,
    optimisers.adagrad, optimisers.gap,
)  # fmt: skip


@pytest.fixture(scope="module", params=SEEDS)
def checks(request):
    return {one.check.name: one.drawn(request.param) for one in DECLARED}


def test_the_reports_layers_have_the_reports_sizes():
    """64 pixels, four blocks of a 3 × 3 convolution and a pooling by 2: 4 × 4 × 512 = 8192."""
    shape = [128, 64, 64, 3]
    for filters in (64, 128, 256, 512):
        for kernel, padding, stride in ((3, 1, 1), (2, 0, 2)):
            pairs = ([kernel] * 2, [padding] * 2, [stride] * 2, [1, 1])
            found = sizes.conv_shape.oracle(shape, filters, *pairs)
            shape = [int(value) for value in found.values()]
    assert shape == [128, 4, 4, 512]


def test_sizes_of_every_case_differ_from_one_another(checks):
    for case in checks["conv_sizes"].cases:
        batch, width, height, channels = case.inputs["shape"]
        assert len({batch, channels, case.inputs["filters"]}) == 3
        found = sizes.conv_shape.oracle(**case.inputs)
        assert width > 0 and height > 0 and min(found.values()) >= 1
        if not case.name.endswith("one_place"):
            assert found["W'"] != found["H'"]


def test_the_oracle_of_batch_norm_is_torchs_batch_norm(checks):
    for case in checks["batchnorm_forward_values"].cases:
        x, gamma, beta, eps = case.inputs.values()
        if len(x) > 1:  # torch refuses a single sample
            right = F.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)
            found = batchnorm.batchnorm.oracle(x, gamma, beta, eps)["y"]
            assert torch.allclose(found, right, 1e-5)


def test_a_single_sample_is_its_own_mean(checks):
    for case in checks["batchnorm_gradient_x"].cases:
        found = batchnorm.gradients(**case.inputs)
        tolerance = 1e-12 if found["dx"].dtype is torch.float64 else 1e-5
        assert found["dx"].sum(dim=0).abs().max() < tolerance
        if case.name.endswith("single"):
            assert found["dx"].abs().max() < 1e-12 and found["dvar"].abs().max() == 0


def test_the_gradient_by_the_mean_is_the_same_without_the_way_through_the_variance(checks):
    """So that nobody has to guess which of the two is asked for."""
    for case in checks["batchnorm_gradients_inside"].cases:
        dout, x, gamma, eps = case.inputs.values()
        std = (x.var(dim=0, correction=0) + eps).sqrt()
        direct = -(dout * gamma).sum(dim=0) / std
        assert torch.allclose(batchnorm.gradients(**case.inputs)["dmean"], direct, 1e-4, 1e-6)


def test_the_identity_is_the_identity(checks):
    for case in checks["batchnorm_identity"].cases:
        x, eps = case.inputs.values()
        assert x.var(dim=0).min() > 0.05
        y = batchnorm.batchnorm.oracle(x, *batchnorm.identity.oracle(x, eps).values(), eps)["y"]
        assert torch.allclose(y, x, 1e-4, 1e-5)


def test_targets_sum_to_1_and_the_loss_is_finite(checks):
    for case in checks["softmax_loss"].cases:
        z, targets = case.inputs.values()
        assert torch.allclose(targets.sum(dim=1), torch.ones(len(z), dtype=z.dtype))
        assert all(v.isfinite().all() for v in softmax.cross_entropy(z, targets).values())
        if case.name.endswith("extreme"):
            assert z.abs().max() >= 10_000


def test_momentum_memory_and_eps_show_in_adams_iterates(checks):
    """Without any one of them the iterates are others, by far more than the tolerance."""
    for case in checks["adam_values"].cases:
        found = optimisers.adam.oracle(**case.inputs)["iterates"]
        for name, other in (("beta1", 0.45), ("beta2", 0.45), ("eps", 0.0)):
            if name != "eps" and len(found) == 1:
                continue  # after one step the bias correction has removed the betas
            if (name == "eps" and case.inputs["eps"] < 1e-3) or case.name.endswith("quiet"):
                continue
            changed = optimisers.adam.oracle(**{**case.inputs, name: other})["iterates"]
            assert (changed - found).abs().max() > 1e-2


def test_the_closed_form_of_the_gap_is_that_of_torchs_optimisers(checks):
    for case in checks["adagrad_limit"].cases:
        gradients, rate, beta2 = case.inputs.values()
        w, t = torch.zeros_like(gradients[0]), torch.arange(1, len(gradients) + 1)
        rates = rate / t.double().sqrt()
        one = optimisers.adam.oracle(w, gradients, rates, 0.0, beta2, 1e-15)["iterates"]
        other = optimisers.adagrad.oracle(w, gradients, rate, 1e-15)["iterates"]
        right = (one - other).abs().max().item()
        found = optimisers.gap.oracle(gradients, rate, beta2)["gap"]
        assert found == pytest.approx(right, rel=1e-5, abs=1e-8)


def test_adam_becomes_adagrad():
    """What the picture shows: ten times nearer to 1, ten times nearer to Adagrad."""
    gradients = bounded(np.random.RandomState(0), 30, 5)
    gaps = [optimisers.gap.oracle(gradients, 0.1, 1 - 10.0**-k)["gap"] for k in (3, 4, 5, 6)]
    ratios = [one / other for one, other in pairwise(gaps)]
    assert all(9.5 < ratio < 10.5 for ratio in ratios)


def test_a_pixel_that_no_tap_sees_has_no_gradient(checks):
    """With stride 3 and two taps, in padded coordinates, every third row and column."""
    for case in checks["conv_gradient_x"].cases:
        if case.name.endswith("gaps"):
            dx = convolution.gradients(**case.inputs)["dx"]
            rows, columns = (
                torch.tensor([n for n in range(size) if (n + 1) % 3 != 2]) for size in (7, 9)
            )
            seen = torch.zeros_like(dx, dtype=torch.bool)
            seen[:, :, rows[:, None], columns] = True
            assert dx[~seen].abs().max() == 0 < dx[seen].abs().min()


def test_the_gradient_of_a_convolution_is_a_convolution_with_the_kernel_turned(checks):
    """What the second derivation shows, for stride 1."""
    for case in checks["conv_gradient_x"].cases:
        dout, x, weight, padding, stride = case.inputs.values()
        if stride == 1:
            around = [n - 1 for n in weight.shape[2:]]
            back = F.conv2d(dout, weight.flip(2, 3).transpose(0, 1), padding=around)
            right = back[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]]
            assert torch.allclose(convolution.gradients(**case.inputs)["dx"], right)


def test_sizes_of_a_convolution_are_all_different(checks):
    """So that no two axes can be taken for one another."""
    for case in checks["conv_forward_values"].cases:
        x, weight, *_ = case.inputs.values()
        assert x.shape[2] != x.shape[3] and len(weight) != x.shape[1]


def test_every_mistake_is_promised_to_a_check_of_its_topic():
    loaded = load(find("a6_layers_by_hand"))
    assert {one.check.name for one in DECLARED} == {check.name for check in loaded.checks}
    for topic in (sizes, convolution, batchnorm, softmax, optimisers):
        known = read_mistakes(Path(topic.__file__).with_suffix(".diff"))
        promised = {name for mistake in known for name in mistake.checks}
        name = Path(topic.__file__).stem
        assert promised == {check.name for check in loaded.checks if check.topic == name}


def test_the_map_adds_up():
    """Minutes of tasks and derivations are those of their section, and 80 and 20 are the points."""
    text = find("a6_layers_by_hand").joinpath("a6_layers_by_hand.py").read_text()
    first, *sections = re.split(r"^# ## (?=\d)", text, flags=re.MULTILINE)
    rows = re.findall(r"^# \| (\d) (.+?) \| .+ \| (\d+) \|$", first, re.MULTILINE)
    assert [(number, title) for number, title, _ in rows] == [
        (section[0], section[4 : section.index("\n")]) for section in sections
    ]
    for (_, _, minutes), section in zip(rows, sections, strict=True):
        spent = re.findall(r"\*\*Task\*\* \((\d+) min|\(about (\d+) min\)", section)
        assert sum(int(task or paper) for task, paper in spent) == int(minutes)
    assert sum(int(minutes) for *_, minutes in rows) == 320  # about 5½ hours
    points = re.findall(r'"grade_id": "(\w+)".*"points": (\d+)', text)
    paper = sum(int(one) for name, one in points if name.startswith("derivation_"))
    assert (sum(int(one) for _, one in points), paper) == (100, 20)
    assert text.count("**Predict first.**") == text.count("*My prediction:* …") == 6


def test_its_pictures_draw_with_labelled_axes_and_not_while_grading(monkeypatch):
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    def draw():
        plots.kernel_places(11, 3, 1, 3, 2, 3)
        plots.kernel_places(11, 3, 1, 3, 2, 5)  # too many: they stick out
        plots.adagrad_gap([0.1, 0.01, 0.001], [2.0, 0.21, 0.02])

    figures = []
    monkeypatch.setattr(plt, "show", lambda: figures.append(plt.gcf()))
    draw()
    assert len(figures) == 3
    assert all(axes.get_xlabel() and axes.get_ylabel() for f in figures for axes in f.axes)
    assert figures[0].axes[0].get_xlim()[1] == 11.5 < figures[1].axes[0].get_xlim()[1]
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    draw()
    assert len(figures) == 3
    plt.close("all")
