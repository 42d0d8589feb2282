"""Numbers of 16 bits, where a device has units for them."""

import torch
from torch import nn


def half_precision(device: torch.device) -> torch.autocast:
    """Compute with 16 bits where that is fast: on a GPU, and on processors with AMX."""
    supported = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)  # from torch 2.6 on
    fast = device.type == "cuda" or supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)


class HalfPrecision(nn.Module):
    """A network that computes with 16 bits where that is fast; its weights have 32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute as the network does. Returns float32."""
        with half_precision(x.device):
            return self.network(x.contiguous(memory_format=torch.channels_last)).float()
