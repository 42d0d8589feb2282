"""The drawn backbone: its shapes, its weights, and that they know more than none."""

import numpy as np
import pytest
import torch
from torch import nn

from data_scripts import train_backbone
from data_scripts.synthetic.resnet import WEIGHTS, BasicBlock, ResNetDrawn, load_resnet_drawn
from tests.data_scripts.test_synthetic_parts import MEAN, STD, probe_accuracy


@pytest.mark.parametrize("size", [32, 100, 256])
def test_it_takes_any_size_at_strides_4_8_and_16(size):
    model = load_resnet_drawn()
    x = torch.zeros(2, 3, size, size)
    for stride, stage in ((4, model.layer1), (8, model.layer2), (16, model.layer3)):
        x = stage(model.stem(x) if stride == 4 else x)
        assert x.shape[2] == -(-size // stride)
    assert model(torch.zeros(2, 3, size, size)).shape == (2, model.features)
    assert not model.training


@torch.no_grad()
def test_a_block_adds_its_input_or_what_a_convolution_makes_of_it():
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    same, other = BasicBlock(4, 4).eval(), BasicBlock(4, 6, stride=2).eval()
    for block in (same, other):
        nn.init.zeros_(block.bn2.weight)
    assert torch.equal(same(x), x.relu())
    assert torch.equal(other(x), other.shortcut(x).relu()) and other(x).shape == (1, 6, 4, 4)


@torch.no_grad()
def test_the_features_are_the_mean_of_the_last_map():
    model = load_resnet_drawn()
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    maps = model.layer3(model.layer2(model.layer1(model.stem(x))))
    assert torch.allclose(model(x), maps.mean(dim=(2, 3)))


def test_the_weights_are_small_enough_to_commit():
    assert WEIGHTS.stat().st_size < 2e6


def test_the_weights_are_those_of_the_network_and_no_other():
    state, loaded = ResNetDrawn().state_dict(), load_resnet_drawn().state_dict()
    assert {n: t.shape for n, t in state.items()} == {n: t.shape for n, t in loaded.items()}
    assert all(t.isfinite().all() for t in loaded.values())
    assert loaded["stem.0.weight"].dtype is torch.float32


@torch.no_grad()
def gain(load, build):
    """Return by how much a probe on pretrained features tells unseen textures better apart."""
    batches = [train_backbone.batch(20_000_000 + i * train_backbone.BATCH) for i in range(8)]
    images = (torch.cat([images for images, _ in batches]) - MEAN) / STD
    textures = np.concatenate([labels[:, 1] for _, labels in batches])
    torch.manual_seed(0)
    trained, untrained = (
        probe_accuracy(model(images).numpy(), textures) for model in (load(), build().eval())
    )
    return trained - untrained


def test_pretrained_features_tell_unseen_textures_apart():
    assert gain(load_resnet_drawn, ResNetDrawn) > 0.2
