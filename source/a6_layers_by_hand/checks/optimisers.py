"""Adam and Adagrad: torch's own optimisers, and closed forms in NumPy."""

from collections.abc import Iterator

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case
from autograder.notebook.cases import Tolerance

from .draws import FLOAT32_LOOSE, Tensors, bounded, by_hand, drawn

STEPS = Tolerance(rtol=1e-4, atol=2e-5)  # 0.999 ** tensor(3) is float32, and no mistake
GAP = Tolerance(rtol=1e-3, atol=2e-5)  # so is torch.arange(1, 9) ** -0.5


def adam_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield inputs of Adam."""
    for name, about, T, D, beta1, beta2, eps in (
        ("paper", "7 steps, the paper's betas", 7, 3, 0.9, 0.999, 1e-8),
        ("short", "6 steps, a short memory, eps = 0.3", 6, 4, 0.6, 0.8, 0.3),
        ("no_momentum", "5 steps, beta1 = 0", 5, 2, 0.0, 0.9, 0.1),
        ("no_memory", "4 steps, both betas 0", 4, 3, 0.0, 0.0, 0.2),
        ("one_step", "1 step", 1, 5, 0.8, 0.95, 0.2),
        ("quiet", "gradients that are 0 at first", 6, 3, 0.7, 0.9, 0.05),
        ("float32", "5 steps, float32", 5, 4, 0.8, 0.9, 0.1),
    ):
        inputs = steps(rng, name, T, D)
        rates = torch.tensor(rng.uniform(0.1, 0.6, size=T).round(3)).to(inputs["w"].dtype)
        inputs |= {"rates": rates, "beta1": beta1, "beta2": beta2, "eps": eps}
        yield case(name, about, **inputs, tolerance=FLOAT32_LOOSE if name == "float32" else None)


def adagrad_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield inputs of Adagrad."""
    for name, about, T, D, rate, eps in (
        ("several", "6 steps, eps = 1e-8", 6, 3, 0.7, 1e-8),
        ("large_eps", "5 steps, eps = 0.3", 5, 4, 0.4, 0.3),
        ("one_step", "1 step", 1, 5, 0.3, 0.2),
        ("quiet", "gradients that are 0 at first", 7, 3, 0.5, 0.05),
        ("float32", "4 steps, float32", 4, 2, 0.6, 0.1),
    ):
        inputs = steps(rng, name, T, D) | {"rate": rate, "eps": eps}
        yield case(name, about, **inputs, tolerance=FLOAT32_LOOSE if name == "float32" else None)


def steps(rng: Draws, name: str, T: int, D: int) -> Tensors:
    """Draw a start w (D,) and gradients (T, D)."""
    w, gradients = drawn(rng, D), bounded(rng, T, D)
    if name == "quiet":
        gradients[:2, 0] = 0
    dtype = torch.float32 if name == "float32" else torch.float64
    return {"w": w.to(dtype), "gradients": gradients.to(dtype)}


@by_hand("adam_values", "iterates of Adam", {"iterates": "return"}, adam_cases, tolerance=STEPS)
def adam(
    w: torch.Tensor,
    gradients: torch.Tensor,
    rates: torch.Tensor,
    beta1: float,
    beta2: float,
    eps: float,
) -> Tensors:
    """Let torch's Adam make the steps."""
    w = w.clone()
    optimiser = torch.optim.Adam([w], betas=(beta1, beta2), eps=eps, foreach=False)
    return {"iterates": iterates(w, optimiser, gradients, rates)}


@by_hand(
    "adagrad_values", "iterates of Adagrad", {"iterates": "return"}, adagrad_cases, tolerance=STEPS
)
def adagrad(w: torch.Tensor, gradients: torch.Tensor, rate: float, eps: float) -> Tensors:
    """Let torch's Adagrad make the steps."""
    w = w.clone()
    optimiser = torch.optim.Adagrad([w], eps=eps, foreach=False)
    rates = torch.full((len(gradients),), rate, dtype=torch.float64)
    return {"iterates": iterates(w, optimiser, gradients, rates)}


def iterates(
    w: torch.Tensor,
    optimiser: torch.optim.Optimizer,
    gradients: torch.Tensor,
    rates: torch.Tensor,
) -> torch.Tensor:
    """Make a step with each of the given gradients and rates; return where each one led."""
    found = []
    for gradient, rate in zip(gradients, rates, strict=True):
        w.grad = gradient.clone()
        optimiser.param_groups[0]["lr"] = rate.item()
        optimiser.step()
        found.append(w.clone())
    return torch.stack(found)


def gap_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield gradients, none 0, with beta2 nearer and nearer to 1.

    The largest difference is a negative one, and not among the last iterates.
    """
    for name, T, D, rate, beta2 in (
        ("far", 8, 3, 0.5, 0.8),
        ("nearer", 12, 2, 1.5, 0.95),
        ("near", 6, 4, 2.5, 0.99),
    ):
        while True:
            gradients = bounded(rng, T, D)
            found = differences(gradients, rate, beta2)
            if max(found.max(), np.abs(found[-1]).max()) < 0.8 * np.abs(found).max():
                break
        about = f"{T} steps, beta2 = {beta2}"
        yield case(name, about, gradients=gradients, rate=rate, beta2=beta2)


@by_hand(
    "adagrad_limit", "largest difference of Adam and Adagrad", {"gap": "return"}, gap_cases,
    tolerance=GAP,
)  # fmt: skip
def gap(gradients: torch.Tensor, rate: float, beta2: float) -> Answers:
    """Take the largest difference of the closed forms."""
    return {"gap": np.abs(differences(gradients, rate, beta2)).max()}


def differences(gradients: torch.Tensor, rate: float, beta2: float) -> np.ndarray:
    """Subtract Adagrad's iterates from Adam's (T, D), each in closed form, in NumPy."""
    squares = gradients.numpy() ** 2
    t = np.arange(1, len(squares) + 1)[:, None]
    powers = np.tril(float(beta2) ** np.abs(t - t.T))
    average = powers @ squares / powers.sum(axis=1, keepdims=True)
    adam_steps = gradients.numpy() / np.sqrt(t * average)
    adagrad_steps = gradients.numpy() / np.sqrt(np.cumsum(squares, axis=0))
    return -rate * np.cumsum(adam_steps - adagrad_steps, axis=0)
