"""The U-Net of a8, what is seen of it, and its loss."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from autograder.assignments.a8_where_is_the_defect.checks import unet
from autograder.assignments.a8_where_is_the_defect.lesson import adapters
from autograder.grading.notebooks import grade_id
from tests.submissions import source_notebook

SEEDS = (0, 1, 2, 3)


@pytest.fixture(scope="module", params=SEEDS)
def checks(request):
    return {one.check.name: one.drawn(request.param) for one in (unet.promised, unet.loss_by_hand)}


@pytest.fixture(scope="module")
def cells():
    return {grade_id(cell): cell.source for cell in source_notebook("a8_where_is_the_defect").cells}


# The U-Net


def structure(network, *inputs):
    torch.manual_seed(inputs[0])
    return adapters.unet_structure(network, *inputs)


def built(cells):
    space = {"torch": torch, "nn": nn, "F": F}
    exec(cells["UNet"], space)
    return space["UNet"]


@pytest.mark.parametrize("channels", [2, 3, 5, 8])
def test_a_right_network_keeps_its_promises_whatever_its_weights(channels, cells):
    for seed in range(3):
        torch.manual_seed(100 * channels + seed)
        found = structure(built(cells), channels, 2, 8 * (seed + 1), 24)
        assert all(found[name] == 1 for name in unet.PROMISES), found
        assert all(found[name] == count for name, count in unet.COUNTS.items()), found


@pytest.mark.parametrize(
    "activation",
    ["Sigmoid()", "Hardsigmoid()", "Tanhshrink()", "Softshrink()", "Softplus(beta=0.3)", "Tanh()",
     "ReLU6()", "CELU(inplace=True)"],
)  # fmt: skip
def test_every_activation_is_one(activation, cells):
    network = changed(cells, {"nn.ReLU()": f"nn.{activation}"})
    found = structure(network, 4, 2, 16, 24)
    assert all(found[name] == 1 for name in unet.PROMISES), found
    assert all(found[name] == count for name, count in unet.COUNTS.items()), found


def changed(cells, change):
    """Build the reference's network with a change."""
    source = cells["UNet"]
    for right, wrong in change.items():
        assert right in source
        source = source.replace(right, wrong)
    return built({"UNet": source})


@pytest.mark.parametrize(
    "activation, missing",
    [("nn.ReLU() if c_in == 3 else nn.Identity()", 14), ("nn.Identity()", 17)],
)
def test_norms_without_activation_are_counted(activation, missing, cells):
    network = changed(cells, {"nn.ReLU()": activation})
    found = structure(network, 4, 2, 16, 24)
    assert found["norms_not_activated"] == missing  # a skip counts twice


def test_what_is_clipped_far_away_is_no_logit(cells):
    network = changed(cells, {"return self.last(x)": "return self.last(x).clamp(-20, 20)"})
    assert structure(network, 4, 2, 16, 24)["logits"] == 0


def test_parameters_by_hand():
    for c in (1, 8, 16):
        found = unet.promised.oracle(c, 1, 8, 8)["parameters"]
        assert found == 1878 * c**2 + 123 * c + 1
    assert unet.promised.oracle(16, 1, 8, 8)["parameters"] == 482_737


def closed(cells, level):
    """Build the reference's network with one skip connection closed by force."""

    class Closed(built(cells)):
        def __init__(self, channels):
            super().__init__(channels)
            c = channels * 2**level

            def close(module, inputs):
                return torch.cat([0 * inputs[0][:, :c], inputs[0][:, c:]], dim=1)

            self.merge[level].register_forward_pre_hook(close)

    return Closed


@pytest.mark.parametrize(
    "level, name", [(0, "skip_at_full_size"), (1, "skip_at_a_half"), (2, "skip_at_a_quarter")]
)
def test_a_closed_skip_connection_is_seen(level, name, cells):
    found = structure(closed(cells, level), 4, 1, 16, 16)
    broken = {promise for promise in unet.PROMISES if found[promise] != 1}
    assert broken == {name}


# The loss


def test_the_oracle_of_the_loss_is_autograd(checks):
    for case in checks["dice_loss"].cases:
        logits, masks, weight = case.inputs.values()
        z, t = logits.double().clone().requires_grad_(), masks.double()
        p = z.sigmoid()
        loss = F.binary_cross_entropy_with_logits(z, t)
        for n in range(len(z)):
            dice = (2 * (p[n] * t[n]).sum() + 1) / (p[n].sum() + t[n].sum() + 1)
            loss = loss + weight * (1 - dice) / len(z)
        (gradient,) = torch.autograd.grad(loss, z)
        found = unet.loss_by_hand.oracle(**case.inputs)
        assert found["loss"].item() == pytest.approx(loss.item(), rel=1e-9)
        assert torch.allclose(found["gradient"].double(), gradient, rtol=1e-6, atol=1e-9)


def test_both_parts_of_the_loss_count(checks):
    for case in checks["dice_loss"].cases:
        logits, masks, weight = case.inputs.values()
        value = unet.loss_by_hand.oracle(logits, masks, weight)["loss"].item()
        alone = unet.loss_by_hand.oracle(logits, masks, 0.0)["loss"].item()
        assert alone > 0.1
        assert weight == 0 or value - alone > 0.05
