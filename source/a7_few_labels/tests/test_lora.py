"""LoRA begins as the network that it corrects, and only the corrections learn."""

import pytest
import torch

from autograder.assignments.a7_few_labels.lesson.lora import with_lora
from data_scripts import pretrained


@pytest.fixture
def network():
    torch.manual_seed(0)
    return pretrained.backbone("vit_drawn").module


def test_at_the_beginning_nothing_has_changed(network):
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        before = network.eval()(x)
        assert torch.equal(with_lora(network).eval()(x), before)


def test_one_step_changes_the_corrections_and_no_matrix(network):
    before = {name: p.clone() for name, p in network.named_parameters()}
    learning = [p for p in with_lora(network.train()).parameters() if p.requires_grad]
    assert sum(p.numel() for p in learning) == 40_960  # the text says 41,000
    network(torch.randn(2, 3, 64, 64)).square().sum().backward()
    assert all(p.grad is not None for p in learning)
    now = {name.replace("parametrizations.", "").replace(".original", ""): p
           for name, p in network.named_parameters() if not p.requires_grad}  # fmt: skip
    assert now.keys() == before.keys()
    assert all(torch.equal(now[name], before[name]) and now[name].grad is None for name in now)
