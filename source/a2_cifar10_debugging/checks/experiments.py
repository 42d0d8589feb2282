"""The cheap experiments: what each of their functions must say."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import FLOAT32, Tolerance

Tensors = dict[str, torch.Tensor]
DESCENT = Tolerance(1e-6, 1e-8)
STATISTICS = Tolerance(1e-5, 1e-7)
MARGIN = 1e-3  # of every pre-activation from 0, in every step

# What a net must learn, and must not: nothing, 50 images


def label_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield labels, frequent and rare ones."""

    def labels(*counts: int) -> torch.Tensor:
        return torch.tensor(rng.permutation(np.repeat(np.arange(len(counts)), counts)))

    y = labels(*rng.permutation([13, 5, 8, 3]))
    yield case("uneven", "4 classes of different size", 2, y=y, num_classes=4)
    y = labels(7, 0, 4, 0, 9, 2)
    yield case("missing", "6 classes, two without a sample", y=y, num_classes=6)
    y = labels(4, 3, 6, 0, 0)
    yield case("last_missing", "5 classes, the last two without a sample", y=y, num_classes=5)
    yield case("single", "1 sample", y=torch.tensor([2]), num_classes=3)


@check(
    "know_nothing_values", "losses and accuracy of knowing nothing",
    {"uniform": "return.0", "frequencies": "return.1", "majority": "return.2"}, label_cases,
    tolerance=FLOAT32,
)  # fmt: skip
def knowing_nothing(y: torch.Tensor, num_classes: int) -> Answers:
    """Compute the losses as cross-entropies of scores that are the same for every sample."""
    counts = torch.stack([(y == k).sum() for k in range(num_classes)]).double()
    constant = counts.log().expand(len(y), -1)  # its softmax is the class frequencies
    return {
        "uniform": F.cross_entropy(torch.zeros_like(constant), y),
        "frequencies": F.cross_entropy(constant, y),
        "majority": (y == counts.argmax()).double().mean(),
    }


def descent_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield nets with samples to learn by heart."""
    double, single = torch.float64, torch.float32
    for name, about, sizes, lr, steps, dtype, tolerance in (
        ("some", "9 samples, 15 steps", (9, 5, 7, 4), 0.1, 15, double, DESCENT),
        ("fast", "6 samples, a large learning rate", (6, 4, 8, 3), 0.5, 12, double, DESCENT),
        ("single", "1 sample, 5 steps", (1, 3, 4, 3), 0.2, 5, double, DESCENT),
        ("float32", "float32", (7, 6, 5, 3), 0.1, 8, single, Tolerance(1e-3, 1e-5)),
    ):
        inputs = clear_descent(rng, sizes, lr, steps, dtype)
        yield case(name, about, 2 if name == "some" else 1, tolerance=tolerance, **inputs)


def clear_descent(
    rng: Draws, sizes: Sequence[int], lr: float, steps: int, dtype: torch.dtype
) -> dict[str, Any]:
    """Draw a net and samples such that no step comes near the kink of a ReLU."""
    N, D, H, C = sizes
    shapes = {"first.weight": (H, D), "first.bias": (H,), "second.weight": (C, H)}
    shapes["second.bias"] = (C,)
    while True:
        weights = {name: torch.tensor(0.7 * rng.randn(*s).round(3)) for name, s in shapes.items()}
        X = torch.tensor(rng.randn(N, D).round(3))
        y = torch.tensor(np.concatenate([rng.permutation(C), rng.randint(C, size=N)])[:N])
        if descend(weights, X, y, lr, steps)[2] > MARGIN:
            weights = {name: value.to(dtype) for name, value in weights.items()}
            return {"weights": weights, "X": X.to(dtype), "y": y, "lr": lr, "steps": steps}


def descend(
    weights: Tensors, X: torch.Tensor, y: torch.Tensor, lr: float, steps: int
) -> tuple[list[float], torch.Tensor, float]:
    """Descend by autograd. Returns losses, scores, and the least distance from a kink."""
    params = [value.double().clone() for value in weights.values()]
    X, losses, clear = X.double(), [], float("inf")

    def forward(params: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        Z = F.linear(X, params[0], params[1])
        return F.linear(F.relu(Z), params[2], params[3]), Z

    for _ in range(steps):
        leaves = [p.requires_grad_() for p in params]
        scores, Z = forward(leaves)
        loss = F.cross_entropy(scores, y)
        gradients = torch.autograd.grad(loss, leaves)
        params = [(p - lr * g).detach() for p, g in zip(leaves, gradients, strict=True)]
        losses.append(loss.item())
        clear = min(clear, Z.abs().min().item())
    scores, Z = forward(params)
    return losses, scores.detach(), min(clear, Z.abs().min().item())


@check(
    "overfit_values", "losses of each step, and scores after the last",
    {"losses": "return.0", "scores": "return.1"}, descent_cases,
)  # fmt: skip
def descent(weights: Tensors, X: torch.Tensor, y: torch.Tensor, lr: float, steps: int) -> Answers:
    """Return what a descent by autograd gives."""
    losses, scores, _ = descend(weights, X, y, lr, steps)
    return {"losses": torch.tensor(losses, dtype=torch.float64), "scores": scores.to(X.dtype)}


# What is measured: activations, and a range of learning rates


def activation_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield hidden layers, some with dead units, one with a silent sample."""
    hidden = F.relu(torch.tensor(rng.randn(6, 7).round(3)))
    hidden[2] += 0.5
    hidden[:, [1, 4, 6]] = 0
    hidden[3, 6] = 2e-4  # hardly alive, and not dead
    yield case("dead", "6 samples, 7 units: 2 are dead, 1 hardly lives", 2, hidden=hidden)
    hidden = F.relu(torch.tensor(rng.randn(5, 8).round(3)))
    hidden[1] += 0.3
    hidden[3] = 0
    yield case("silent", "a sample for which no unit is on, and no dead unit", hidden=hidden)
    hidden = F.relu(torch.tensor(rng.randn(1, 9).round(3)))
    hidden[0, :2] = torch.tensor([0.0, 1.5])
    yield case("single", "1 sample", hidden=hidden)
    hidden = F.relu(torch.tensor(rng.randn(8, 5))).float()
    hidden[:, 0] = 0
    hidden[0, 1:] += 0.5
    yield case("float32", "float32", tolerance=FLOAT32, hidden=hidden)


@check(
    "activation_values", "statistics of a hidden layer",
    {name: f"return.{name}" for name in ("mean", "std", "zero", "dead")}, activation_cases,
    tolerance=STATISTICS, pure=True,
)  # fmt: skip
def activations(hidden: torch.Tensor) -> Answers:
    """Measure with NumPy, in double precision."""
    layer = hidden.double().numpy()
    dead = np.mean([not column.any() for column in layer.T])
    return {"mean": layer.mean(), "std": layer.std(), "zero": np.mean(layer == 0), "dead": dead}


def range_test_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield the outcomes of range tests."""
    rates = torch.tensor(np.geomspace(1e-4, 10, 8))

    def test(*rest: float, middle: tuple[float, float] = (2.29, 2.2)) -> Tensors:
        noise = rng.uniform(0, 0.005, size=4).round(4)
        losses = [*(np.array([2.3, *middle, 2.0]) + noise), *rest]
        return {"rates": rates[: len(losses)], "losses": torch.tensor(losses).double()}

    inf, nan = float("inf"), float("nan")
    yield case("valley", "a valley, and a cliff", 2, **test(1.6, 1.4, 1.9, 8.0))
    yield case("nan", "NaN at the largest rates", **test(1.5, 1.7, nan, nan))
    yield case("infinite", "infinity, minus infinity, NaN", **test(1.7, inf, -inf, nan))
    inputs = test(1.7, 1.5, 1.9, inf, middle=(nan, -inf))
    yield case("early", "NaN and minus infinity at small rates, before the best", **inputs)
    yield case("bump", "two valleys, the second one deeper", **test(1.8, 1.9, 1.4, 3.0))
    yield case("tie", "two equal minima", **test(1.5, 1.8, 1.5, 4.0))
    yield case("last", "the largest rate is the best", **test(1.9, 1.8))


@check(
    "suggestion_values", "the suggested learning rate", {"rate": "return"}, range_test_cases,
    tolerance=FLOAT32,
)  # fmt: skip
def suggestion(rates: torch.Tensor, losses: torch.Tensor) -> Answers:
    """Choose in a loop."""
    best = None
    for rate, loss in zip(rates.tolist(), losses.tolist(), strict=True):
        if np.isfinite(loss) and (best is None or loss < best[1]):
            best = rate, loss
    return {"rate": 0.1 * best[0]}
