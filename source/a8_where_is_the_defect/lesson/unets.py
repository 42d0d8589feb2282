"""What can be seen of a U-Net from outside, whatever its layers are called."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


class Cut(TorchFunctionMode):
    """Let all maps that are smaller than the images by one of these factors be 0."""

    def __init__(self, images: torch.Tensor, factors: Sequence[int]) -> None:
        super().__init__()
        self.sizes = [tuple(side // factor for side in images.shape[-2:]) for factor in factors]

    def __torch_function__(
        self, func: Callable, types: Any, args: Sequence = (), kwargs: dict | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        is_map = isinstance(result, torch.Tensor) and result.dim() == 4
        return 0 * result if is_map and tuple(result.shape[-2:]) in self.sizes else result


def strip_seen(model: nn.Module, images: torch.Tensor, factors: Sequence[int]) -> int:
    """Measure how wide a strip of the images has an influence on the middle of the output."""
    x = images.clone().requires_grad_()
    with Cut(images, factors):
        middle = model(x)[..., images.shape[-1] // 2].sum()
    (gradient,) = torch.autograd.grad(middle, x, allow_unused=True)
    if gradient is None:
        return 0
    columns = gradient.abs().sum(dim=(0, 1, 2)).nonzero()
    return int(columns.max() - columns.min()) + 1 if len(columns) else 0


class Calls(TorchFunctionMode):
    """Count transposed convolutions, and norms whose maps go on without an activation."""

    def __init__(self) -> None:
        super().__init__()
        self.norms: list[tuple[torch.Tensor, int]] = []
        self.straight = self.transposed = 0

    def is_of_a_norm(self, x: Any) -> bool:
        """Say whether these are the maps of a batch norm, unchanged."""
        return any(x is maps and x._version == version for maps, version in self.norms)

    def __torch_function__(
        self, func: Callable, types: Any, args: Sequence = (), kwargs: dict | None = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        self.transposed += name == "conv_transpose2d"
        if "conv" in name or "pool" in name or name in ("cat", "concat", "hstack", "interpolate"):
            given = [*args, *kwargs.values()]
            maps = [x for one in given for x in (one if isinstance(one, (list, tuple)) else [one])]
            self.straight += sum(self.is_of_a_norm(x) for x in maps)
        result = func(*args, **kwargs)
        if name == "batch_norm":
            self.norms.append((result, result._version))
        return result


def same_maps(one: torch.Tensor, other: torch.Tensor) -> int:
    """Say whether two results are equal, up to rounding in float32."""
    return int(one.shape == other.shape and torch.allclose(one, other, rtol=1e-3, atol=1e-4))


@torch.no_grad()
def shake(model: nn.Module, strength: float = 0.05) -> None:
    """Move all parameters a bit: a 0 that was set on purpose is no mistake."""
    for parameter in model.parameters():
        parameter += strength * torch.randn_like(parameter)


@torch.no_grad()
def settle(model: nn.Module, images: torch.Tensor) -> None:
    """Let each batch norm know the mean and variance of what it gets, as after training."""
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0
    model.train()(images)
    model.eval()


def idle_parameters(model: nn.Module, images: torch.Tensor) -> int:
    """Count the parameters that the output does not depend on."""
    parameters = list(model.parameters())
    found = torch.autograd.grad(model(images).square().sum(), parameters, allow_unused=True)
    return sum(gradient is None or not bool(gradient.any()) for gradient in found)


@torch.no_grad()
def follows_its_last_bias(model: nn.Module, images: torch.Tensor) -> int:
    """Say whether logits come out: a bias moved by 100 moves all of them by 100."""
    logits, biases = model(images), [p for p in model.parameters() if p.numel() == 1]
    same = bool(biases)
    for by in (100, -200, 100):
        for bias in biases[-1:]:
            bias += by
        logits = logits + by
        same = same and bool(same_maps(model(images), logits))
    return int(same)


def properties(
    network: Callable[[int], nn.Module], channels: int, N: int, H: int, W: int
) -> dict[str, Any]:
    """Say how a new U-Net is built, and what it does with images of N × 3 × H × W."""
    model, images = network(channels).eval(), torch.randn(N, 3, H, W)
    long = torch.randn(4, 3, 16, 128)
    with torch.no_grad():
        model(images)  # a lazy layer learns its shape
    parameters = sum(p.numel() for p in model.parameters())
    shake(model)
    settle(model, long)
    with torch.no_grad(), Calls() as calls:
        logits = model(images)
    with torch.no_grad():
        alone = torch.cat([model(image[None]) for image in images])
        again = model(images)
    strips = [strip_seen(model, long, cut) for cut in ((2, 4, 8), (4, 8), (8,), ())]
    found: dict[str, Any] = {
        "shape": torch.tensor(logits.shape), "parameters": parameters,
        "finite": int(logits.isfinite().all()),
        "skip_at_full_size": int(strips[0] > 0), "skip_at_a_half": int(strips[1] > strips[0]),
        "skip_at_a_quarter": int(strips[2] > strips[1]),
        "bottom_matters": int(strips[3] > strips[2]), "norms_not_activated": calls.straight,
        "columns_at_full_size": strips[0], "transposed_convolutions": calls.transposed,
        "logits": follows_its_last_bias(model, images),
        "same_answer_twice": same_maps(again, logits), "image_for_itself": same_maps(alone, logits),
        "without_gradient": idle_parameters(model, torch.cat([images, images.flip(-1)])),
    }  # fmt: skip
    model.train()
    with torch.no_grad():
        trained = model(long)
        found["same_when_training"] = same_maps(model(long), trained)
        found["batch_norm"] = 1 - same_maps(trained[:1], model(long[:1]))
    return found
