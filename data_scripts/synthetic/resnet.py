"""A small residual network (He et al. 2016) with weights trained on drawn images."""

from pathlib import Path

import safetensors.torch
import torch
from torch import nn

WEIGHTS = Path(__file__).parents[1] / "weights" / "resnet_drawn.safetensors"


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut, (N, C, H, W) -> (N, D, H/stride, W/stride)."""

    def __init__(self, C: int, D: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(C, D, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(D)
        self.conv2 = nn.Conv2d(D, D, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(D)
        self.shortcut = nn.Sequential()
        if stride != 1 or C != D:
            self.shortcut = nn.Sequential(nn.Conv2d(C, D, 1, stride, bias=False), nn.BatchNorm2d(D))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return relu(residual(x) + shortcut(x))."""
        residual = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (residual + self.shortcut(x)).relu()


class ResNetDrawn(nn.Module):
    """Images (N, 3, H, W), normalised by ImageNet's mean and std, 32 to 256 px -> (N, features).

    The maps after `layer1`, `layer2` and `layer3` have strides 4, 8 and 16, and 32, 64 and 128
    channels.
    """

    features = 128

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()
        )
        self.layer1 = nn.Sequential(BasicBlock(32, 32, stride=2), BasicBlock(32, 32))
        self.layer2 = nn.Sequential(BasicBlock(32, 64, stride=2), BasicBlock(64, 64))
        self.layer3 = nn.Sequential(BasicBlock(64, 128, stride=2), BasicBlock(128, 128))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the mean of the last feature map over its places, (N, features)."""
        return self.layer3(self.layer2(self.layer1(self.stem(x)))).mean(dim=(2, 3))


def load_resnet_drawn() -> ResNetDrawn:
    """Return the network in eval mode, with the weights that `train_backbone` wrote."""
    model = ResNetDrawn()
    # stored as float16; load_state_dict copies them into the model's float32
    model.load_state_dict(safetensors.torch.load_file(WEIGHTS))
    return model.eval()
