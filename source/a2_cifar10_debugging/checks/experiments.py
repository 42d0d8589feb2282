"""The cheap experiments: what each of their functions must say."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from autograder.cases import FLOAT32, Tolerance
from autograder.checks import Check, Kind, public_and_hidden

Tensors = dict[str, torch.Tensor]
SHARES = Tolerance(1e-5, 1e-7)
SHUFFLED = (  # what must be true, recorded as 1
    "given_labels_untouched",
    "order_is_mixed",
    "same_seed_same_order",
    "other_seed_other_order",
)
MARGIN = 1e-3  # of every pre-activation from 0, in every step


def experiment_checks(seed: int) -> Iterator[Check]:
    """Yield the checks of section 3."""
    yield from learning_checks(seed)
    yield from measuring_checks(seed)


def learning_checks(seed: int) -> Iterator[Check]:
    """Yield the checks of what a net must learn, and must not: nothing, 50 images, a shuffle."""
    yield Check(
        name="know_nothing_values",
        title="what knowing nothing costs",
        records={"uniform": "return.0", "frequencies": "return.1", "majority": "return.2"},
        cases=public_and_hidden(label_sets, seed),
        oracle=knowing_nothing,
    )
    yield Check(
        name="overfit_values",
        title="losses of each step, and scores after the last",
        records={"losses": "return.0", "scores": "return.1"},
        cases=public_and_hidden(descents, seed),
        oracle=descent,
    )
    yield Check(
        name="shuffle_values",
        title="shuffled labels: the same ones in another order",
        records={"in_order": "return.0"}
        | {fact: f"return.{place}" for place, fact in enumerate(SHUFFLED, 1)},
        cases=public_and_hidden(labels_to_shuffle, seed),
        oracle=lambda y, seed: (
            {"in_order": y.sort().values} | {fact: torch.tensor(1.0).double() for fact in SHUFFLED}
        ),
        pure=True,
    )


def measuring_checks(seed: int) -> Iterator[Check]:
    """Yield the checks of what is measured: activations, and a range of learning rates."""
    names = ("mean", "std", "zero", "dead")
    yield Check(
        name="activation_values",
        title="statistics of a hidden layer",
        records={name: f"return.{name}" for name in names},
        cases=public_and_hidden(hidden_layers, seed),
        oracle=activations,
        pure=True,
    )
    yield Check(
        name="learning_rate_values",
        title="learning rates on a logarithmic scale",
        records={"rates": "return"},
        cases=public_and_hidden(ranges, seed),
        oracle=lambda start, stop, steps: {"rates": torch.tensor(np.geomspace(start, stop, steps))},
    )
    yield Check(
        name="suggestion_values",
        title="the suggested learning rate",
        records={"rate": "return"},
        cases=public_and_hidden(range_tests, seed),
        oracle=suggestion,
    )


def label_sets(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield labels, frequent and rare ones."""

    def labels(*counts: int) -> torch.Tensor:
        return torch.tensor(rng.permutation(np.repeat(np.arange(len(counts)), counts)))

    about = "4 classes of different size"
    y = labels(*rng.permutation([13, 5, 8, 3]))
    yield "uneven", about, {"y": y, "num_classes": 4}, 2, FLOAT32
    about = "6 classes, two without a sample"
    yield "missing", about, {"y": labels(7, 0, 4, 0, 9, 2), "num_classes": 6}, 1, FLOAT32
    about = "5 classes, the last two without a sample"
    yield "last_missing", about, {"y": labels(4, 3, 6, 0, 0), "num_classes": 5}, 1, FLOAT32
    yield "single", "1 sample", {"y": torch.tensor([2]), "num_classes": 3}, 1, FLOAT32


def knowing_nothing(y: torch.Tensor, num_classes: int) -> Tensors:
    """Compute the losses as cross-entropies of scores that are the same for every sample."""
    counts = torch.stack([(y == k).sum() for k in range(num_classes)]).double()
    constant = counts.log().expand(len(y), -1)  # its softmax is the class frequencies
    uniform = F.cross_entropy(torch.zeros_like(constant), y)
    majority = (y == counts.argmax()).double().mean()
    return {
        "uniform": uniform,
        "frequencies": F.cross_entropy(constant, y),
        "majority": majority,
    }


def descents(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield nets with samples to learn by heart."""
    double, exact = torch.float64, Tolerance(1e-6, 1e-8)
    for name, about, sizes, lr, steps, dtype, tolerance in (
        ("some", "9 samples, 15 steps", (9, 5, 7, 4), 0.1, 15, double, exact),
        ("fast", "6 samples, a large learning rate", (6, 4, 8, 3), 0.5, 12, double, exact),
        ("single", "1 sample, 5 steps", (1, 3, 4, 3), 0.2, 5, double, exact),
        ("float32", "float32", (7, 6, 5, 3), 0.1, 8, torch.float32, Tolerance(1e-3, 1e-5)),
    ):  # fmt: skip
        inputs = clear_descent(rng, *sizes, lr, steps, dtype)
        yield name, about, inputs, 2 if name == "some" else 1, tolerance


def clear_descent(
    rng: np.random.RandomState,
    N: int,
    D: int,
    H: int,
    C: int,
    lr: float,
    steps: int,
    dtype: torch.dtype,
) -> dict:
    """Draw a net and samples such that no step comes near the kink of a ReLU."""
    while True:
        shapes = {"first.weight": (H, D), "first.bias": (H,), "second.weight": (C, H)}
        shapes["second.bias"] = (C,)
        weights = {name: torch.tensor(0.7 * rng.randn(*s).round(3)) for name, s in shapes.items()}
        X = torch.tensor(rng.randn(N, D).round(3))
        y = torch.tensor(np.concatenate([rng.permutation(C), rng.randint(C, size=N)])[:N])
        if walk(weights, X, y, lr, steps)[2] > MARGIN:
            weights = {name: value.to(dtype) for name, value in weights.items()}
            return {"weights": weights, "X": X.to(dtype), "y": y, "lr": lr, "steps": steps}


def walk(
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


def descent(weights: Tensors, X: torch.Tensor, y: torch.Tensor, lr: float, steps: int) -> Tensors:
    """Return what a descent by autograd gives."""
    losses, scores, _ = walk(weights, X, y, lr, steps)
    return {"losses": torch.tensor(losses, dtype=torch.float64), "scores": scores.to(X.dtype)}


def labels_to_shuffle(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield sorted labels of uneven classes, so many that an order hardly comes twice."""
    for name, about, counts in (
        ("ten", "10 uneven classes", rng.randint(3, 12, size=10)),
        (
            "five",
            "5 classes, of which one is rare",
            np.array([30, 25, 1, 35, 28]) + rng.randint(0, 9, size=5) * [1, 1, 0, 1, 1],
        ),
    ):
        y = torch.tensor(np.repeat(np.arange(len(counts)), counts))
        yield name, about, {"y": y, "seed": int(rng.randint(1000))}


def hidden_layers(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield hidden layers, some with dead units, one with a silent sample."""
    about = "6 samples, 7 units: 2 are dead, 1 hardly lives"
    layer = F.relu(torch.tensor(rng.randn(6, 7).round(3)))
    layer[2] += 0.5
    layer[:, [1, 4, 6]] = 0
    layer[3, 6] = 2e-4  # hardly alive, and not dead
    yield "dead", about, {"hidden": layer}, 2, SHARES
    about = "a sample for which no unit is on, and no dead unit"
    layer = F.relu(torch.tensor(rng.randn(5, 8).round(3)))
    layer[1] += 0.3
    layer[3] = 0
    yield "silent", about, {"hidden": layer}, 1, SHARES
    layer = F.relu(torch.tensor(rng.randn(1, 9).round(3)))
    layer[0, :2] = torch.tensor([0.0, 1.5])
    yield "single", "1 sample", {"hidden": layer}, 1, SHARES
    layer = F.relu(torch.tensor(rng.randn(8, 5))).float()
    layer[:, 0] = 0
    layer[0, 1:] += 0.5
    yield "float32", "float32", {"hidden": layer}, 1, FLOAT32


def activations(hidden: torch.Tensor) -> Tensors:
    """Measure by NumPy, in double precision."""
    layer = hidden.double().numpy()
    dead = [not column.any() for column in layer.T]
    values = {
        "mean": layer.mean(), "std": layer.std(), "zero": np.mean(layer == 0), "dead": np.mean(dead)
    }  # fmt: skip
    return {name: torch.tensor(float(value), dtype=torch.float64) for name, value in values.items()}


def ranges(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield ends and numbers of steps."""
    for name, start, stop, steps in (
        ("decades", 1e-4 * rng.randint(1, 10), 1.0 + round(rng.rand(), 2), 9),
        ("wide", 1e-6, 10.0, int(rng.randint(4, 8))),
        ("narrow", 0.02, 0.05, 4),
        ("ends", 3e-3, 0.7, 2),
    ):
        about = f"{steps} rates from {start:g} to {stop:g}"
        inputs = {"start": start, "stop": stop, "steps": steps}
        yield name, about, inputs, 1, Tolerance(1e-5, 1e-12)  # float32 on the way will do


def range_tests(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield the outcomes of range tests."""
    rates = torch.tensor(np.geomspace(1e-4, 10, 8))

    def test(*rest: float, middle: tuple = (2.29, 2.2)) -> dict[str, torch.Tensor]:
        noise = rng.uniform(0, 0.005, size=4).round(4)
        losses = [*(np.array([2.3, *middle, 2.0]) + noise), *rest]
        return {"rates": rates[: len(losses)], "losses": torch.tensor(losses).double()}

    exploded, nothing = float("inf"), float("nan")
    yield "valley", "a valley, and a cliff", test(1.6, 1.4, 1.9, 8.0), 2, FLOAT32
    yield "nan", "NaN at the largest rates", test(1.5, 1.7, nothing, nothing), 1, FLOAT32
    inputs = test(1.7, -exploded, exploded, nothing)
    yield "infinite", "minus infinity, infinity, NaN", inputs, 1, FLOAT32
    inputs = test(1.7, 1.5, 1.9, exploded, middle=(nothing, exploded))
    yield "early", "NaN and infinity at small rates, before the best", inputs, 1, FLOAT32
    about = "two valleys, the second one deeper"
    yield "bump", about, test(1.8, 1.9, 1.4, 3.0), 1, FLOAT32
    yield "tie", "two equal minima", test(1.5, 1.8, 1.5, 4.0), 1, FLOAT32
    yield "last", "the largest rate is the best", test(1.9, 1.8), 1, FLOAT32


def suggestion(rates: torch.Tensor, losses: torch.Tensor) -> Tensors:
    """Choose in a loop."""
    best = None
    for rate, loss in zip(rates.tolist(), losses.tolist(), strict=True):
        if np.isfinite(loss) and (best is None or loss < best[1]):
            best = rate, loss
    return {"rate": torch.tensor(0.1 * best[0], dtype=torch.float64)}
