"""A detector that has seen good parts only: where to look, before anybody has drawn a mask."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F

from data_scripts import pretrained

Maps = Callable[[torch.Tensor], torch.Tensor]
EPSILON = 0.01  # added to the variance of each feature


@torch.no_grad()
def padim(good: torch.Tensor, backbone: str, stages: Sequence[int]) -> Maps:
    """Learn from good images (N, 3, S, S), uint8, what is usual at each position (PaDiM).

    Returns a function from images (n, 3, S, S), uint8, to maps (n, S, S): how unusual pixels are.
    """
    network = pretrained.backbone(backbone)
    network.module.to(memory_format=torch.channels_last)  # takes two thirds of the time on a CPU
    prepare = pretrained.preprocessing(None)

    def places(images: torch.Tensor) -> torch.Tensor:
        found = []
        for batch in images.split(8):
            maps = [F.avg_pool2d(one, 3, 1, 1) for one in network.maps(prepare(batch), stages)]
            size = maps[0].shape[-2:]
            maps = [F.interpolate(m, size, mode="bilinear", align_corners=False) for m in maps]
            found.append(torch.cat(maps, dim=1))
        return torch.cat(found).permute(2, 3, 0, 1)  # (h, w, n, C)

    around = places(good)
    usual = around.mean(dim=2, keepdim=True)
    around = around - usual
    spread = around.mT @ around / (len(good) - 1)
    precision = torch.linalg.inv(spread + EPSILON * torch.eye(spread.shape[-1]))

    @torch.no_grad()
    def maps_of(images: torch.Tensor) -> torch.Tensor:
        away = places(images) - usual
        squares = ((away @ precision) * away).sum(dim=3).permute(2, 0, 1)
        return at_full_size(squares.clamp(min=0).sqrt(), images.shape[-1])

    return maps_of


def at_full_size(maps: torch.Tensor, size: int) -> torch.Tensor:
    """Enlarge maps (N, h, w), bilinearly, to (N, size, size)."""
    larger = F.interpolate(maps[:, None], (size, size), mode="bilinear", align_corners=False)
    return larger[:, 0]


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: for small tasks, two threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
