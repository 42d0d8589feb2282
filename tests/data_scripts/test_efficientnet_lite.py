"""EfficientNet-Lite0: its shapes are those that were published, and so are its weights."""

import pytest
import torch
from torch import nn

from data_scripts.efficientnet_lite import (
    CLASSES,
    HEAD,
    STAGES,
    EfficientNetLite0,
    InvertedResidual,
    SamePadding,
)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return EfficientNetLite0().eval()


def test_it_has_the_published_number_of_parameters(net):
    """4.7 million (R. Liu, 2020), and exactly as many as the weights that are fetched."""
    assert sum(p.numel() for p in net.parameters()) == 4_652_008


@torch.no_grad()
@pytest.mark.parametrize("size", [33, 64])
def test_images_of_any_size_become_logits(net, size):
    assert net(torch.zeros(2, 3, size, size)).shape == (2, CLASSES)


@torch.no_grad()
def test_each_stage_has_its_channels_and_halves_the_map_where_it_should(net):
    x, side = torch.zeros(1, 3, 64, 64), 64
    x, side = net.features[0](x), 32
    for stage, (_, _, stride, _, channels) in zip(net.features[1:-1], STAGES, strict=True):
        x, side = stage(x), side // stride
        assert x.shape == (1, channels, side, side)
    assert net.features[-1](x).shape == (1, HEAD, 2, 2)


@pytest.mark.parametrize("size", [7, 8, 9])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_gives_the_size_divided_by_the_stride_and_more_at_the_end(size, kernel, stride):
    x = torch.arange(1.0, 1 + 2 * size * size).reshape(1, 2, size, size)
    padded = SamePadding(kernel, stride)(x)
    assert nn.functional.avg_pool2d(padded, kernel, stride).shape[-1] == -(-size // stride)
    before = int((padded[0, 0].sum(1) == 0).to(torch.int).argmin())
    after = padded.shape[-1] - size - before
    assert 0 <= after - before <= 1
    assert torch.equal(padded[..., before : before + size, before : before + size], x)


@torch.no_grad()
def test_a_block_adds_its_input_where_the_shapes_allow_it():
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    for out, stride, adds in ((4, 1, True), (4, 2, False), (6, 1, False)):
        block = InvertedResidual(4, out, 3, stride, 6).eval()
        assert torch.equal(block(x), x + block.body(x) if adds else block.body(x)), (out, stride)


def test_published_weights_are_taken_in_their_order_whatever_they_are_called(net):
    published = {f"other.{i}": 2 * t for i, t in enumerate(net.state_dict().values())}
    loaded = EfficientNetLite0()
    loaded.load_published(published)
    for own, theirs in zip(loaded.state_dict().values(), published.values(), strict=True):
        assert torch.equal(own, theirs)


@pytest.mark.parametrize("damage", ["one less", "one more", "another order"])
def test_other_weights_do_not_fit(net, damage):
    state = list(net.state_dict().items())
    if damage == "one less":
        state.pop()
    elif damage == "one more":
        state.append(("more", torch.zeros(3)))
    else:
        state[0], state[1] = state[1], state[0]
    with pytest.raises(ValueError, match="not the weights of EfficientNet-Lite0"):
        EfficientNetLite0().load_published(dict(state))
