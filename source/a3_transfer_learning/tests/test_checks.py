"""The cases and oracles of a3, and what its sample class gets."""

from math import inf, nan

import matplotlib
import pytest
import torch
from torch import nn

from autograder import assignments
from autograder.assignments.a3_transfer_learning.checks import blocks
from autograder.assignments.a3_transfer_learning.checks.domains import described
from autograder.assignments.a3_transfer_learning.checks.fine_tuning import stopped
from autograder.assignments.a3_transfer_learning.checks.freezing import frozen
from autograder.assignments.a3_transfer_learning.checks.intervals import wilson
from autograder.assignments.a3_transfer_learning.checks.preprocessing import prepared
from autograder.assignments.a3_transfer_learning.lesson import plots
from autograder.authoring.checks import load
from data_scripts import pretrained

SEEDS = (0, 1, 2)


@pytest.fixture(scope="module", params=SEEDS)
def checks(request):
    folder = assignments.find("a3_transfer_learning")
    return {check.name: check for check in load(folder, request.param).checks}


def test_residual_cases_are_clear_of_kinks(checks):
    for case in checks["residual_output"].cases:
        _, _, stride, weights, x, _, training = case.inputs.values()
        values = blocks.pre_activations(stride, weights, x, training)
        assert min(value.abs().min() for value in values) > blocks.MARGIN


def test_the_oracle_of_the_residual_block_is_torchvisions_block():
    from torchvision.models.resnet import BasicBlock

    case = next(c for c in blocks.RESIDUAL[0].drawn(5).cases if c.name == "stride")
    c_in, c_out, stride, weights, x, upstream, _ = case.inputs.values()
    shortcut = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))
    block = BasicBlock(c_in, c_out, stride, shortcut).double().eval()
    block.load_state_dict({n.replace("projection", "downsample"): w for n, w in weights.items()})
    assert torch.allclose(block(x), blocks.residual(*case.inputs.values())["output"])


def test_a_head_on_2048_features_has_20490_parameters(checks):
    (case,) = [c for c in checks["freeze_gradients"].cases if c.name == "resnet50"]
    assert frozen(**case.inputs)["trainable"] == 20_490


@pytest.mark.parametrize(
    "losses, patience, expected",
    [
        ([3.0, 2.0, 2.0, 2.0, 1.0], 2, (4, 1, 2, 2.0)),
        ([3.0, nan, nan], 2, (3, 1, 1, 3.0)),
        ([nan, nan, nan], 2, (2, 1, 0, 1e9)),
        ([2.0, 2.5, 1.5, 2.5, 2.0], 3, (5, 0, 3, 1.5)),
        ([1.0], 1, (1, 0, 1, 1.0)),
    ],
)
def test_when_to_stop_by_hand(losses, patience, expected):
    found = stopped.oracle(losses, patience, lower_after=1)
    names = ("epochs", "stopped", "best_epoch", "best_loss")
    assert tuple(found[name] for name in names) == expected


def test_sequences_have_no_ties_but_exact_ones(checks):
    """A difference to the best loss is zero, or far larger than rounding."""
    for case in checks["monitor_stop"].cases:
        best = inf
        for loss in case.inputs["losses"]:
            gap = abs(loss - best)
            assert gap == 0 or not gap < 5e-7
            best = loss if loss < best else best


def test_rates_are_lowered_before_training_stops_and_in_one_case_after(checks):
    """Else a count that lowering sets back could not be told from one that never ends."""
    sooner = [c.inputs["lower_after"] < c.inputs["patience"] for c in checks["monitor_stop"].cases]
    assert {True, False} == set(sooner)


def test_the_sequences_stop_and_do_not_stop(checks):
    ends = {c.name: stopped.oracle(**c.inputs)["stopped"] for c in checks["monitor_stop"].cases}
    assert {0.0, 1.0} <= set(ends.values())


def test_total_weights_of_the_sources_are_equal_and_add_up_to_1(checks):
    for case in checks["split_weights"].cases:
        found = described(**case.inputs)
        total = found["total_weights"]
        assert found["refused"] or set(total.tolist()) in ({0.5}, {0.0, 1.0}, {0.0})


def test_frames_drawn_one_by_one_never_make_a_whole_recording(checks):
    for case in checks["split_parts"].cases:
        domains, recordings, dev, test = case.inputs.values()
        assert set(recordings[domains == 0].tolist()) <= {-1}
        _, lengths = recordings[domains == 1].unique(return_counts=True)
        assert (lengths > max(dev, test)).all() or described(**case.inputs)["refused"]


def test_recordings_are_in_no_order_in_the_list(checks):
    """Else whoever takes the first ones of the list would have split by time."""
    for case in checks["split_chance"].cases:
        domains, recordings, *_ = case.inputs.values()
        found = list(dict.fromkeys(recordings[domains == 1].tolist()))
        assert found not in (sorted(found), sorted(found, reverse=True))


def test_a_module_is_frozen_as_a_whole_and_as_a_layer_in_both_modes(checks):
    kinds = {tuple(c.inputs.values())[-2:] for c in checks["freeze_statistics"].cases}
    assert kinds == {("", False), ("", True), ("0.1", False), ("0.1", True)}


def test_the_interval_of_57_in_66_holds_59_in_66():
    low, high = wilson.oracle(57, 66, 1.96)["interval"]
    assert (round(low.item(), 3), round(high.item(), 3)) == (0.761, 0.927)
    assert low < 59 / 66 < high


def test_hidden_images_are_new(checks):
    """Neither the public ones nor those that students train on."""
    public, hidden = (
        {image.numpy().tobytes() for image in case.inputs["images"]}
        for case in sorted(checks["probe_predictions"].cases, key=lambda case: not case.public)
    )
    assert len(hidden) == 400 and not hidden & public


def test_enlarged_images_suit_the_embedded_backbone_better():
    """What section 7 shows: 33 % at 32 pixels, 43 % at 64, with 1,000 images."""
    from data_scripts.synthetic import objects

    drawn = objects.draw(600, 300, seed=7)
    backbone = pretrained.backbone()
    right = {}
    for size in (32, 64):
        parts = []
        for X, _ in drawn.values():
            with torch.no_grad():
                batches = [
                    backbone.module(prepared.oracle(x, size)["images"]) for x in X.split(100)
                ]
            parts.append(torch.cat(batches))
        mean, std = parts[0].mean(dim=0), parts[0].std(dim=0) + 1e-6
        train, test = ((part - mean) / std for part in parts)
        y, y_test = (labels.long() for _, labels in drawn.values())
        targets = nn.functional.one_hot(y, 10).float()
        ridge = torch.linalg.solve(train.T @ train + 60 * torch.eye(128), train.T @ (targets - 0.1))
        right[size] = ((test @ ridge).argmax(dim=1) == y_test).float().mean().item()
    assert right[64] > right[32] + 0.03


def test_its_pictures_draw_with_labelled_axes_and_not_while_grading(monkeypatch):
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    def draw():
        images, shifts = torch.zeros(1, 3, 32, 32), torch.tensor([0.1, 0.5, 0.9]).view(3, 1, 1)
        plots.what_a_backbone_sees(images, (32, 64), lambda x, _: x + shifts, pretrained.backbone())
        rates = [1, 1, 0.1]
        plots.fit_history({"loss": [2, 1, 1.5], "accuracy": [0.1, 0.5, 0.4], "rate": rates})
        plots.accuracies({"one": (5, 9), "other": (8, 9)}, lambda k, n: (k / n - 0.1, k / n + 0.1))

    figures = []
    monkeypatch.setattr(plt, "show", lambda: figures.append(plt.gcf()))
    draw()
    assert len(figures) == 3
    assert all(axes.get_xlabel() and axes.get_ylabel() for f in figures for axes in f.axes)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    draw()
    assert len(figures) == 3
    plt.close("all")
