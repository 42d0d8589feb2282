"""Fine-tuning: parameter groups, and a monitor of the validation loss."""

from collections.abc import Iterator
from math import inf, nan

import numpy as np
import torch

from autograder.authoring.checks import Draws, Sketch, case, check

from .weights import Tensors, normal


def group_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield which of the six parameters are trainable: four below, two in the head."""
    for name, about, trainable in (
        ("all", "all trainable", (1, 1, 1, 1, 1, 1)),
        ("head_only", "backbone frozen", (0, 0, 0, 0, 1, 1)),
        ("top", "lower layer frozen", (0, 0, 1, 1, 1, 1)),
        ("mixed", "biases frozen", (1, 0, 1, 0, 1, 0)),
    ):
        low, high = sorted(rng.uniform(1e-4, 1e-1, 2).round(5).tolist())
        yield case(name, about, trainable=torch.tensor(trainable), backbone_lr=low, head_lr=high)


@check("groups", "learning rate of each parameter", {"rates": "return"}, group_cases)
def group_rates(trainable: torch.Tensor, backbone_lr: float, head_lr: float) -> Tensors:
    """Write down the rates: four parameters below, two in the head."""
    rates = torch.tensor([backbone_lr] * 4 + [head_lr] * 2, dtype=torch.float64)
    return {"rates": rates * trainable}


# The monitor of the validation loss

# What only one or two sequences can show weighs more.
SUBTLE = {"ties", "tiny_steps", "nan", "nan_between", "large", "restart"}


def sequences(rng: Draws) -> tuple[tuple[str, str, list[float], int], ...]:
    """Return names, abouts, validation losses, and how many epochs to wait.

    Halves and quarters make ties exact.
    """
    fall = (3 * 0.7 ** np.arange(12)).round(4).tolist()
    noisy = (1 + 2 * 0.6 ** np.arange(16) + 0.2 * rng.rand(16)).round(4).tolist()
    rise = [*fall[:5], *(fall[4] + 0.05 * np.arange(1, 12)).round(4).tolist()]
    bad = rng.randint(2, 4)
    holes = [2.0, nan, 1.5, nan, nan, 1.25, *[nan] * bad, 1.0, nan, nan, nan, nan, 0.5]
    return (
        ("falls", "falls in every epoch", fall, 3),
        ("rises", "falls, then rises", rise, 4),
        ("noisy", "falls with noise", noisy, 2),
        ("ties", "equal values are no improvement", [2.0, 1.0, *[1.0] * 8, 0.5], 3),
        ("tiny_steps", "a little is an improvement", [2 - i / 2**20 for i in range(6)], 3),
        ("nan", "nan here and there", holes, 4),
        ("only_nan", "nan from the first epoch", [nan] * 6, 4),
        ("nan_between", "nan among epochs without improvement",
         [2.0, 2.5, nan, 2.75, 2.5, 2.75, 2.5, 2.25, 2.5], 3),
        ("nan_first", "nan, then falls", [nan, nan, 3.0, 2.0, 2.5, 2.25, 2.0], 3),
        ("large", "losses of some thousands",
         [2500.0, 2000.0, 2250.0, 1750.0, 1800.0, 1900.0], 2),
        ("single", "a single epoch", [round(float(rng.rand()), 3)], 2),
        ("impatient", "waits for one epoch", [2.0, 1.5, 1.625, 1.25], 1),
        ("negative", "losses below zero", [-1.0, -1.5, -1.25, -1.5, -1.375, -2.0], 3),
        ("restart", "an improvement resets the count",
         [2.0, 2.5, 2.25, 1.0, 1.5, 1.25, 0.5, 0.75, 0.625, 0.875, 0.75, 0.625], 3),
    )  # fmt: skip


def stop_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield losses, and a patience; the rates are lowered sooner, or (patience 1) too late."""
    for name, about, losses, patience in sequences(rng):
        yield case(
            name, about, 3 if name in SUBTLE else 1,
            losses=losses, patience=patience, lower_after=patience - 1 or 3,
        )  # fmt: skip


def rate_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield losses, the rates of two groups, and when and by how much to lower them."""
    for name, about, losses, lower_after in sequences(rng):
        factor = float(rng.choice([0.5, 0.2]))
        rates = [round(rng.uniform(0.01, 0.02), 5), 0.4]
        yield case(
            name, about, 3 if name in SUBTLE else 1,
            losses=losses, rates=rates, lower_after=lower_after, factor=factor,
        )  # fmt: skip


def improvements(losses: list[float]) -> list[int]:
    """List the epochs (from 0) that improve: each is the next one below a threshold."""
    found, threshold = [], inf
    while True:
        start = found[-1] + 1 if found else 0
        later = [i for i in range(start, len(losses)) if losses[i] < threshold]
        if not later:
            return found
        found.append(later[0])
        threshold = losses[later[0]]


@check(
    "monitor_stop", "when training stops, and its best epoch",
    {name: f"return.{name}" for name in ("epochs", "stopped", "best_epoch", "best_loss")},
    stop_cases,
)  # fmt: skip
def stopped(losses: list[float], patience: int, lower_after: int) -> dict[str, float]:
    """Find the first gap of `patience` epochs after an improvement, or after the start."""
    marks = [-1, *improvements(losses)]
    following = [*marks[1:], len(losses) + patience]
    last, end = next(
        (mark, mark + patience)
        for mark, after in zip(marks, following, strict=True)
        if after - mark > patience
    )
    return {
        "epochs": min(end + 1, len(losses)),
        "stopped": end < len(losses),
        "best_epoch": last + 1,
        "best_loss": losses[last] if last >= 0 else 1e9,
    }


@check("monitor_rates", "learning rates after each epoch", {"rates": "return"}, rate_cases)
def lowered(losses: list[float], rates: list[float], lower_after: int, factor: float) -> Tensors:
    """Let torch's scheduler do it; it waits for one epoch more than its patience says."""
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": rate} for rate in rates]
    optimiser = torch.optim.SGD(groups)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, factor=factor, patience=lower_after - 1, threshold=0, eps=0
    )
    history = []
    for loss in losses:
        schedule.step(loss)
        history.append([group["lr"] for group in optimiser.param_groups])
    return {"rates": torch.tensor(history, dtype=torch.float64)}


def weight_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield losses by epoch; the best one is never where a naive copy would find it."""
    a, b, c = (0.5 + rng.rand(3)).round(3).tolist()
    for name, about, losses in (
        ("middle", "the best epoch is in the middle", [a + 3, a + 1, a, a + 2, a + 1.5]),
        ("first", "the first epoch is the best", [b, b + 1, b + 0.5]),
        ("tie", "of equal losses the first stays", [2.0, c, c + 0.25, c, c]),
        ("nan", "nan is never the best", [nan, c + 1, nan, c + 0.5, nan]),
        ("negative", "losses below zero", [-1.0, -2.5, -2.0, nan]),
        ("large", "losses of some thousands", [2500.0 + a, 2000.0 + a, 2200.0]),
        ("only_nan", "nothing to restore", [nan, nan]),
        ("single", "a single epoch", [a]),
    ):
        subtle = name in ("tie", "nan", "large")
        yield case(name, about, 3 if subtle else 1, losses=losses, weight=normal(rng, 3))


@check("monitor_weights", "weights as restored, twice", {"weights": "return"}, weight_cases)
def restored(losses: list[float], weight: torch.Tensor) -> Tensors:
    """Add up: the weights start at `weight`, the means at 0, and each epoch adds 1."""
    start = torch.stack([weight, torch.zeros_like(weight)])
    if np.isnan(losses).all():
        return {"weights": torch.stack([start + len(losses) + 100, start + len(losses) + 200])}
    return {"weights": torch.stack([start + int(np.nanargmin(losses)) + 1] * 2)}
