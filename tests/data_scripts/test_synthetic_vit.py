"""The drawn vision transformer: its shapes, its weights, and that they know more than none."""

import pytest
import torch

from data_scripts.synthetic.vit import WEIGHTS, ViTDrawn, load_vit_drawn
from tests.data_scripts.test_synthetic_resnet import gain


@torch.no_grad()
@pytest.mark.parametrize("size", [32, 100, 256])
def test_it_takes_any_size_and_a_token_is_a_patch_of_8_pixels(size):
    model, seen = load_vit_drawn(), []
    model.norm.register_forward_hook(lambda module, inputs, tokens: seen.append(tokens.shape))
    assert model(torch.zeros(2, 3, size, size)).shape == (2, model.features)
    assert seen == [(2, (-(-size // 8)) ** 2, model.features)]
    assert not model.training


@torch.no_grad()
def test_it_knows_where_a_patch_is():
    """Exchange the halves of an image: a network without positions would hardly notice."""
    model = load_vit_drawn()
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    moved = (model(x) - model(x.roll(32, dims=3))).abs().mean()
    model.position.zero_()
    without = (model(x) - model(x.roll(32, dims=3))).abs().mean()
    assert moved > 1.2 * without


def test_the_weights_are_small_enough_to_commit_and_those_of_the_network():
    assert WEIGHTS.stat().st_size < 3e6
    state, loaded = ViTDrawn().state_dict(), load_vit_drawn().state_dict()
    assert {n: t.shape for n, t in state.items()} == {n: t.shape for n, t in loaded.items()}
    assert all(t.isfinite().all() for t in loaded.values())
    assert loaded["norm.weight"].dtype is torch.float32


def test_pretrained_features_tell_unseen_textures_apart():
    assert gain(load_vit_drawn, ViTDrawn) > 0.2
