"""LoRA (Hu et al. 2022): matrices stay as they were trained, and learn small corrections."""

import torch
from torch import nn
from torch.nn.utils import parametrize


class LowRank(nn.Module):
    """Adds to a matrix (rows, columns) a product of rank `rank`, which is 0 at the beginning."""

    def __init__(self, rows: int, columns: int, rank: int) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.zeros(rows, rank))
        self.down = nn.Parameter(torch.randn(rank, columns) / columns**0.5)

    def forward(self, matrix: torch.Tensor) -> torch.Tensor:
        """Return the corrected matrix."""
        return matrix + self.up @ self.down


def with_lora(network: nn.Module, rank: int = 4) -> nn.Module:
    """Freeze a transformer, and let every matrix of its linear and attention layers learn again.

    Changes the network in place, and returns it.
    """
    network.requires_grad_(False)
    for layer in list(network.modules()):
        if isinstance(layer, nn.Linear | nn.MultiheadAttention):
            for name, matrix in list(layer.named_parameters(recurse=False)):
                if matrix.dim() == 2:
                    correction = LowRank(*matrix.shape, rank)
                    parametrize.register_parametrization(layer, name, correction)
    return network
