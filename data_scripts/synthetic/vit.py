"""A small vision transformer (Dosovitskiy et al. 2021) with weights trained on drawn images."""

from itertools import pairwise
from pathlib import Path

import safetensors.torch
import torch
from torch import nn
from torch.nn import functional

WEIGHTS = Path(__file__).parents[1] / "weights" / "vit_drawn.safetensors"


class Block(nn.Module):
    """A block of a transformer on maps (N, C, H, W): each position is a token."""

    def __init__(self, C: int) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            C, nhead=4, dim_feedforward=4 * C, dropout=0.0, activation="gelu", batch_first=True,
            norm_first=True,
        )  # fmt: skip

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return maps of the same shape."""
        tokens = maps.flatten(2).transpose(1, 2)
        return self.layer(tokens).transpose(1, 2).reshape(maps.shape)


class ViTDrawn(nn.Module):
    """Images (N, 3, H, W), normalised by ImageNet's mean and std, 32 to 256 px -> (N, features).

    Each patch of 8 × 8 pixels is one token. Three convolutions with stride 2 read it, in place of
    one linear map: with so few images to learn from, a transformer trains better that way (Xiao et
    al. 2021). Positions were learned for 8 × 8 patches, and are interpolated for others. The maps
    after `stem` and each of the five `blocks` have stride 8 and 128 channels.
    """

    features = 128

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(C, D, 3, stride=2, padding=1, bias=False),
                    nn.BatchNorm2d(D),
                    nn.ReLU(),
                )
                for C, D in pairwise((3, 32, 64, 128))
            ),
            nn.Conv2d(128, self.features, 1),
        )
        self.position = nn.Parameter(0.02 * torch.randn(1, self.features, 8, 8))
        self.blocks = nn.Sequential(*(Block(self.features) for _ in range(5)))
        self.norm = nn.LayerNorm(self.features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the mean of the tokens after the last block, (N, features)."""
        patches = self.stem(x)
        position = functional.interpolate(self.position, patches.shape[2:], mode="bicubic")
        tokens = self.blocks(patches + position).flatten(2).transpose(1, 2)
        return self.norm(tokens).mean(dim=1)


def load_vit_drawn() -> ViTDrawn:
    """Return the network in eval mode, with the weights that `train_backbone` wrote."""
    model = ViTDrawn()
    model.load_state_dict(safetensors.torch.load_file(WEIGHTS))  # float16 becomes float32
    return model.eval()
