"""How a network is built, and how it behaves in both modes."""

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


class Undrawn(TorchFunctionMode):
    """While it is on, matrices and filters are not drawn: forty million numbers take too long."""

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Call a function, or leave a matrix as it is."""
        given = *args, *(kwargs or {}).values()
        if getattr(func, "__module__", "") == "torch.nn.init" and given[0].dim() > 1:
            return given[0]
        return func(*args, **(kwargs or {}))


@lru_cache(maxsize=1)
@torch.no_grad()
def built(network: type) -> nn.Module:
    """Build the network of a class, once, in evaluation mode."""
    with Undrawn():
        model = network().eval()
        model(torch.zeros(1, 1, 64, 64))  # a lazy layer learns its shape
    return model


@torch.no_grad()
def filled(model: nn.Module, sequence: torch.Tensor) -> nn.Module:
    """Fill a network with numbers of a sequence (L,), by type and shape; evaluation mode."""
    torch.manual_seed(0)  # what is dropped does not depend on what was computed before
    for name, values in model.eval().state_dict().items():
        C, kind = len(values) if values.dim() else 0, name.rsplit(".", 1)[-1]
        if values.dim() > 1:  # row k of a matrix, or filter k, is sequence[k : k + fan_in]
            fan_in = values[0].numel()
            rows = (sequence * fan_in**-0.5).unfold(0, fan_in, 1)[:C]
            values.copy_(rows.view(values.shape))
        elif kind == "weight":
            values.copy_(sequence.flip(0)[:C])
        elif kind == "bias":
            values.copy_(0.3 * sequence[C : 2 * C])
        elif kind == "running_mean":
            values.copy_(0.5 * sequence[2 * C : 3 * C])
        elif kind == "running_var":
            values.copy_(0.5 + sequence[3 * C : 4 * C] ** 2)
    return model


@torch.no_grad()
def report_cnn_logits(network: type, sequence: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Compute the logits of images by a network that is filled with numbers of a sequence."""
    return filled(built(network), sequence)(images)


def agree(one: torch.Tensor, other: torch.Tensor) -> int:
    """Say whether two results are equal, up to rounding in float32."""
    return int(torch.allclose(one, other, rtol=1e-3, atol=1e-4))


def without_gradient(model: nn.Module, images: torch.Tensor) -> list[bool]:
    """Say for each parameter of a model whether its output does not depend on it."""
    loss = model(images).square().sum()
    found = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    return [gradient is None or not is_there(gradient) for gradient in found]


def is_there(gradient: torch.Tensor) -> bool:
    """Say whether any number of a gradient is not 0; most often, one of the first is not."""
    return bool(gradient.flatten()[:1000].any() or gradient.any())


def look_at_head(model: Any, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Measure the share of inputs that each linear layer of the head misses while training.

    And how its activations slope: 0 not at all, 1 all alike, 2 each value at random.
    """
    matrices = [p for p in model.head.parameters() if p.dim() == 2]
    matrices.sort(key=torch.numel, reverse=True)  # in whatever order they were defined
    by_width = {len(p): p for p in model.head.parameters() if p.dim() == 1}
    biases = [by_width[len(m)] for m in matrices if len(m) in by_width]
    gradients = torch.autograd.grad(model.head.train()(maps).sum(), matrices + biases)
    model.head.eval()
    of_matrices, of_biases = gradients[: len(matrices)], gradients[len(matrices) :]
    missing = [~gradient[:64].any(dim=0) for gradient in of_matrices]  # a dropped one's column is 0
    dropped = torch.tensor([share.double().mean().item() for share in missing])
    slopes = []
    if len(biases) == len(matrices):
        layers = zip(of_biases, matrices[1:], of_biases[1:], strict=False)
        slopes = [kinds_of_slopes(*layer) for layer in layers]
    return dropped, torch.tensor(slopes, dtype=torch.int16)


def kinds_of_slopes(before: torch.Tensor, matrix: torch.Tensor, after: torch.Tensor) -> int:
    """Say how the activation in front of a matrix slopes, given the gradients of two biases.

    What the matrix sends back is multiplied by the slope (1 where positive) and by dropout.
    """
    back = after @ matrix
    clear = back.abs() > 0.05 * back.abs().max()
    found = (before / back)[clear]
    found = found[(found > 0.01) & (found < 0.9)].round(decimals=2).unique()
    return min(len(found), 1) + int(len(found) > 5)


def running_statistics(block: nn.Module) -> torch.Tensor:
    """Copy the running means of a block."""
    found = [b.flatten() for name, b in block.named_buffers() if name.endswith("running_mean")]
    return torch.cat([*found, torch.zeros(1)])


def momentum(states: list[torch.Tensor]) -> float:
    """Find by what part running statistics move in a step, from three states, one a step apart."""
    first, second = (b - a for a, b in pairwise(states))
    return 1 - (second.norm() / first.norm()).item() if first.any() else 0.0


def report_cnn_properties(
    network: type, sequence: torch.Tensor, images: torch.Tensor
) -> dict[str, int | torch.Tensor]:
    """Return how the network is built, and how it behaves in both modes."""
    model: Any = filled(built(network), sequence)
    shapes, dropped, moved, slopes, whole_maps = [], [], [], 0, 0
    with torch.no_grad():
        logits = model(images)
        alone = agree(torch.cat([model(image[None]) for image in images]), logits)
        same = alone or agree(model(images), logits)
        x = images
        for block in model.blocks:
            block.train()
            states = [running_statistics(block)]
            once = block(x)
            states.append(running_statistics(block))
            again = block(x)
            moved.append(momentum([*states, running_statistics(block)]))
            there = once != 0
            dropped.append((again[there] == 0).double().mean().item())
            if not shapes:
                negative = (once < 0) & (again < 0)
                drawn = once[negative] != again[negative]
                slopes = int(negative.any()) + int(drawn.double().mean() > 0.9)
                whole_maps = int((~again.flatten(2).any(dim=2) & there.flatten(2).any(dim=2)).sum())
            shapes.append(list(once.shape[1:]))
            x = block.eval()(x)
    dropped_in_head, slopes_in_head = look_at_head(model, torch.ones_like(x[:1]))
    return {
        "parameters": torch.tensor(sum(p.numel() for p in model.parameters())),
        "shapes": torch.tensor(shapes, dtype=torch.int16),
        "same_answer_twice": same,
        "image_for_itself": alone,
        "dropped_in_blocks": (20 * torch.tensor(dropped)).round() / 20,  # to the nearest 5 %
        "no_whole_maps": int(whole_maps == 0),
        "slopes": slopes,  # of the first block: 0 none, 1 fixed, 2 random
        "dropped_in_head": (10 * dropped_in_head).round() / 10,
        "slopes_in_head": slopes_in_head,  # of its three activations, in the same way
        "momentum": torch.tensor(moved).round(decimals=3),  # of the batch norms
        "without_gradient": sum(without_gradient(model, images[:1])),
    }


@torch.no_grad()
def disturb(model: nn.Module, begin: list[torch.Tensor], strength: float) -> None:
    """Move parameters from where they began: a 0 that was set on purpose is no mistake."""
    for parameter, value in zip(model.parameters(), begin, strict=True):
        spread = 0.02 + strength * value.std(correction=0)
        parameter.copy_(value + spread * torch.randn_like(value))


def small_cnn_properties(network: type, images: torch.Tensor) -> dict[str, int | torch.Tensor]:
    """Say whether the network keeps the rules, for normalised images (N, 1, 48, 48)."""
    model, unused, outputs = network().eval(), [], []
    with torch.no_grad():
        model(images)  # a lazy layer learns its shape
    begin = [parameter.detach().clone() for parameter in model.parameters()]
    for strength in [1.0] * 15 + [0.0]:  # by chance, a unit may be dead in some of them
        disturb(model, begin, strength)
        unused.append(without_gradient(model, images[:2]))
        outputs.append(model(images).detach())
    with torch.no_grad():
        logits, maps = outputs[-1], model.features(images)
        alone = agree(torch.cat([model(image[None]) for image in images]), logits)
        same = alone or agree(model(images), logits)
        composed = agree(model.head(maps), logits)
    outputs = torch.cat(outputs)
    are_logarithms = (outputs.exp().sum(dim=1) - 1).abs().max() < 1e-4
    return {
        "shape": torch.tensor(logits.shape),
        "finite": int(logits.isfinite().all()),
        "within_budget": int(sum(p.numel() for p in model.parameters()) <= 300_000),
        "maps_with_places": int(maps.dim() == 4 and min(maps.shape[-2:]) >= 3),
        "head_of_features": composed,
        "same_answer_twice": same,
        "image_for_itself": alone,
        "logits": int(outputs.min() < 0 and not are_logarithms),
        "without_gradient": sum(map(all, zip(*unused, strict=True))),
    }
