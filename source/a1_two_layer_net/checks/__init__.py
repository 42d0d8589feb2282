"""The two-layer net: its checks, their cases, and the oracles that confirm them.

Cases are drawn once, when references are recorded, and stored. Weights are of order 1,
sizes are uneven, labels unequal, and no pre-activation is near the kink of the ReLU.
The oracles use torch.nn.functional and autograd, or a closed form.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from autograder.cases import FLOAT32, Case, Tolerance
from autograder.checks import PUBLIC_SEED, Check
from autograder.checks.a1_two_layer_net.mistakes import MISTAKES
from autograder.given import Given
from data_scripts import toy

__all__ = ["MISTAKES", "checks"]

Tensors = dict[str, torch.Tensor]
MARGIN = 1e-2  # of every pre-activation from 0, and of every score from the next


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks of the assignment; `seed` draws the hidden cases."""
    nets = [*net_cases(PUBLIC_SEED, public=True), *net_cases(seed, public=False)]
    yield from forward_checks(nets)
    yield from loss_checks(nets)
    yield from backward_checks(nets)
    yield from numeric_checks(seed)
    yield from training_checks(seed)


# Forward pass, loss and gradients: one set of nets serves all


def draw_net(rng: np.random.RandomState, N: int, D: int, H: int, C: int) -> dict[str, Any]:
    """Draw params, X (N, D) and unequal labels y (N,), clear of every kink and tie."""
    while True:
        shapes = {"W1": (D, H), "b1": (H,), "W2": (H, C), "b2": (C,)}
        params = {name: torch.tensor(rng.randn(*s).round(3)) for name, s in shapes.items()}
        X = torch.tensor(rng.randn(N, D).round(3))
        y = torch.tensor(np.concatenate([rng.permutation(C), rng.randint(C, size=N)])[:N])
        pre_activation = X @ params["W1"] + params["b1"]
        top = (F.relu(pre_activation) @ params["W2"] + params["b2"]).topk(2, dim=1).values
        if pre_activation.abs().min() > MARGIN and (top[:, 0] - top[:, 1]).min() > MARGIN:
            return {"params": params, "X": X, "y": y}


def net_cases(seed: int, public: bool) -> Iterator[Case]:
    """Yield cases for `loss_func(params, X, y, reg)`: public ones are a sample of the kinds."""
    rng = np.random.RandomState([seed, public])
    prefix = "public_" if public else ""
    net = draw_net(rng, N=6, D=4, H=7, C=3)
    yield Case(
        f"{prefix}plain", "6 samples, no regularisation", {**net, "reg": 0.0}, 2, public=public
    )
    net = draw_net(rng, N=5, D=3, H=6, C=4)
    yield Case(
        f"{prefix}regularised", "5 samples, reg = 0.1", {**net, "reg": 0.1}, 3, public=public
    )
    net = draw_net(rng, N=7, D=5, H=4, C=4)
    about = "7 samples, as many hidden units as classes"
    yield Case(f"{prefix}square", about, {**net, "reg": 0.05}, public=public)
    net = draw_net(rng, N=1, D=4, H=5, C=3)
    yield Case(f"{prefix}single", "1 sample", {**net, "reg": 0.1}, public=public)
    net = draw_net(rng, N=6, D=5, H=7, C=3)
    single_precision = {**as_float32(net), "reg": 0.1}
    yield Case(f"{prefix}float32", "float32", single_precision, 1, FLOAT32, public)
    net = draw_net(rng, N=5, D=4, H=6, C=3)
    net["params"]["W2"] *= 10_000
    yield Case(f"{prefix}extreme", "very large scores", {**net, "reg": 0.0}, public=public)


def as_float32(net: dict[str, Any]) -> dict[str, Any]:
    """Return a net with float32 params and X."""
    params = {name: value.float() for name, value in net["params"].items()}
    return {"params": params, "X": net["X"].float(), "y": net["y"]}


def oracle(
    params: Tensors, X: torch.Tensor, y: torch.Tensor | None = None, reg: float = 0.0
) -> Tensors:
    """Compute scores, hidden layer, loss and gradients by torch.nn.functional and autograd."""
    params = {name: value.clone().requires_grad_() for name, value in params.items()}
    hidden = F.relu(F.linear(X, params["W1"].T, params["b1"]))
    scores = F.linear(hidden, params["W2"].T, params["b2"])
    values = {"scores": scores, "hidden": hidden}
    if y is not None:
        squares = sum(params[name].pow(2).sum() for name in ("W1", "W2"))
        values["loss"] = F.cross_entropy(scores, y) + reg * squares
        gradients = torch.autograd.grad(values["loss"], list(params.values()))
        values |= dict(zip(params, gradients, strict=True))
    return {name: value.detach() for name, value in values.items()}


def forward_checks(nets: list[Case]) -> Iterator[Check]:
    """Yield the checks of `nn_forward_pass(params, X)`."""
    cases = [with_inputs(case, "params", "X") for case in nets]
    for name, title, path in (
        ("scores", "scores of the forward pass", "return.0"),
        ("hidden", "hidden layer, after the ReLU", "return.1"),
    ):
        yield by_hand(f"forward_{name}", title, {name: path}, cases, oracle)


def loss_checks(nets: list[Case]) -> Iterator[Check]:
    """Yield the checks of `nn_loss(params, scores, y, reg)`."""
    cases = [as_loss_case(case) for case in nets]

    def loss_oracle(params: Tensors, scores: torch.Tensor, y: torch.Tensor, reg: float) -> Tensors:
        squares = params["W1"].pow(2).sum() + params["W2"].pow(2).sum()
        return {"loss": F.cross_entropy(scores, y) + reg * squares}

    for name, title, kinds in (
        ("data", "loss without regularisation", ("plain", "no_reg_single", "no_reg_float32")),
        ("regularised", "loss with the L2 penalty", ("regularised", "square", "single", "float32")),
        ("extreme", "loss of very large scores", ("extreme", "mixed_extreme")),
    ):
        chosen = [case for case in cases if case.name.removeprefix("public_") in kinds]
        extra = [extra for case in cases if (extra := variant(case)) and kind(extra) in kinds]
        yield by_hand(f"loss_{name}", title, {"loss": "return"}, [*chosen, *extra], loss_oracle)


def variant(case: Case) -> Case | None:
    """Derive a loss case of another kind: without the penalty, or with one sample extreme."""
    if kind(case) in ("single", "float32"):
        name = case.name.replace(kind(case), f"no_reg_{kind(case)}")
        inputs = {**case.inputs, "reg": 0.0}
        return Case(name, case.about, inputs, 1, case.tolerance, case.public)
    if kind(case) == "plain":
        scores = case.inputs["scores"].clone()
        scores[0] *= 10_000
        scores[1] -= 10_000
        name = case.name.replace("plain", "mixed_extreme")
        about = "very large scores beside small ones"
        return Case(name, about, {**case.inputs, "scores": scores}, 1, case.tolerance, case.public)
    return None


def kind(case: Case) -> str:
    """Return the name of a case without its `public_`."""
    return case.name.removeprefix("public_")


def as_loss_case(case: Case) -> Case:
    """Turn a net into a case for the loss: its right scores as input."""
    net = case.inputs
    scores = oracle(net["params"], net["X"])["scores"]
    inputs = {"params": net["params"], "scores": scores, "y": net["y"], "reg": net["reg"]}
    return Case(case.name, case.about, inputs, case.weight, case.tolerance, case.public)


def backward_checks(nets: list[Case]) -> Iterator[Check]:
    """Yield the checks of `nn_forward_backward(params, X, y, reg)`."""
    title = "scores when no labels are given"
    unlabelled = [with_inputs(case, "params", "X") for case in nets]
    scores = {"scores": "return"}
    yield by_hand("scores_without_labels", title, scores, unlabelled, oracle, pure=True)
    loss = {"loss": "return.0"}
    yield by_hand("forward_backward_loss", "loss, as first result", loss, nets, oracle)
    for name in ("W2", "b2", "W1", "b1"):
        title = f"gradient of the loss with respect to {name}"
        yield by_hand(f"gradient_{name}", title, {name: f"return.1.{name}"}, nets, oracle)
    title = "params, X and y are as before; the loss is right"
    ordinary = [case for case in nets if kind(case) in ("plain", "regularised", "extreme")]
    yield by_hand("inputs_untouched", title, loss, ordinary, oracle, pure=True)


# The numeric gradient check


def numeric_checks(seed: int) -> Iterator[Check]:
    """Yield the checks of `relative_error(a, b)` and `numeric_gradient(f, W, h)`."""
    error_cases = [*pairs(PUBLIC_SEED, public=True), *pairs(seed, public=False)]

    def error_oracle(a: torch.Tensor, b: torch.Tensor) -> Tensors:
        a, b = a.numpy(), b.numpy()
        size = max(float(np.max(np.abs(a) + np.abs(b))), 1e-10)
        return {"error": torch.tensor(float(np.max(np.abs(a - b))) / size).double()}

    title = "relative error of two tensors"
    yield by_hand("relative_error_values", title, {"error": "return"}, error_cases, error_oracle)

    def central_difference(f: Given, W: torch.Tensor, h: float) -> Tensors:
        """Return the central difference of `given.cubic`, in closed form."""
        factor = torch.arange(1, W.numel() + 1, dtype=W.dtype).reshape(W.shape)
        return {"gradient": factor * (W**2 + h**2 / 3) + 2 * W.sum(), "W": W}

    cases = [*cubics(PUBLIC_SEED, public=True), *cubics(seed, public=False)]
    record = {"gradient": "return", "W": "after.W"}
    title = "central differences of a function of ours"
    yield by_hand("numeric_gradient_values", title, record, cases, central_difference)


def pairs(seed: int, public: bool) -> Iterator[Case]:
    """Yield pairs of tensors to compare."""
    rng = np.random.RandomState([seed, public])
    prefix = "public_" if public else ""

    def pair(name: str, about: str, a: np.ndarray, b: np.ndarray) -> Case:
        inputs = {"a": torch.tensor(a), "b": torch.tensor(b)}
        weight = 1.0 if name in ("equal", "zero") else 2.0
        return Case(f"{prefix}{name}", about, inputs, weight, public=public)

    a, b = rng.randn(3, 4).round(3), rng.randn(3, 4).round(3)
    yield pair("unlike", "two different matrices", a, b)
    noise = 1e-3 * rng.rand(5).round(3)
    vector = rng.randn(5).round(3)
    yield pair("smaller", "nearly equal, the first one smaller", vector - noise, vector)
    yield pair("tiny", "numbers around 1e-8", 1e-8 * a, 1e-8 * b)
    yield pair("equal", "equal vectors", vector, vector)
    yield pair("zero", "only zeros", np.zeros(4), np.zeros(4))


def cubics(seed: int, public: bool) -> Iterator[Case]:
    """Yield places and step sizes at which to differentiate the cubic."""
    rng = np.random.RandomState([seed, public])
    prefix = "public_" if public else ""
    for name, about, shape, h in (
        ("matrix", "a matrix, h = 0.01", (3, 2), 1e-2),
        ("vector", "a vector, h = 0.001", (4,), 1e-3),
        ("cube", "three dimensions, h = 0.1", (2, 3, 2), 1e-1),
    ):
        W = torch.tensor(rng.uniform(0.5, 2, size=shape).round(3) * rng.choice([-1, 1], size=shape))
        inputs = {"f": Given("cubic"), "W": W, "h": h}
        yield Case(f"{prefix}{name}", about, inputs, 1, Tolerance(1e-7, 1e-9), public)
    inputs = {"f": Given("cubic"), "W": W.float(), "h": 1e-1}
    yield Case(f"{prefix}float32", "float32, h = 0.1", inputs, 1, Tolerance(1e-2, 1e-3), public)


# Training and predicting


def training_checks(seed: int) -> Iterator[Check]:
    """Yield the checks of `nn_train`, `nn_predict` and the whole on the toy data."""
    runs = [*training_runs(PUBLIC_SEED, public=True), *training_runs(seed, public=False)]
    after = {name: f"after.params.{name}" for name in ("W1", "b1", "W2", "b2")}
    yield by_hand("train_update", "parameters after training", after, runs, descent)
    histories = ("loss_history", "train_acc_history", "val_acc_history")
    record = {name: f"return.{name}" for name in histories}
    yield by_hand("train_histories", "histories of the training", record, runs, descent)

    def prediction(params: Tensors, loss_func: Given, X: torch.Tensor) -> Tensors:
        rows = loss_func.tensors["class_rows"].numpy()
        return {"labels": torch.from_numpy(np.argmax(X.numpy() @ rows.T, axis=1))}

    cases = [*prediction_cases(PUBLIC_SEED, public=True), *prediction_cases(seed, public=False)]
    yield by_hand("predictions", "predicted labels", {"labels": "return"}, cases, prediction)

    cases = [toy_case(PUBLIC_SEED, public=True), toy_case(seed, public=False)]
    title = "a net trained on the toy data, on new points"
    yield Check(
        name="toy_training",
        title=title,
        records={"scores": "return.0"},
        cases=tuple(cases),
        criterion="cross_entropy_below",
        threshold=0.6,
        by_hand=True,
        oracle=lambda params, X, y, X_new: {"scores": nearest_label(X, y, X_new)},
    )


def training_runs(seed: int, public: bool) -> Iterator[Case]:
    """Yield short trainings on a quadratic loss, whose every step is known."""
    rng = np.random.RandomState([seed, public])
    prefix = "public_" if public else ""
    for name, about, N, batch_size, decay, weight in (
        ("epochs", "7 steps, epochs of 3 steps", 13, 4, 0.5, 3.0),
        ("constant", "7 steps, no decay", 8, 4, 1.0, 1.0),
        ("small", "7 steps, a batch larger than the data", 5, 8, 0.9, 1.0),
    ):
        shapes = {"W1": (3, 5), "b1": (5,), "W2": (5, 4), "b2": (4,)}
        params, target = (
            {key: torch.tensor(rng.randn(*shape).round(3)) for key, shape in shapes.items()}
            for _ in range(2)
        )
        X, X_val = torch.tensor(rng.randn(N, 4).round(3)), torch.tensor(rng.randn(7, 4).round(3))
        y, y_val = (half_right(inputs + target["b2"]) for inputs in (X, X_val))
        inputs = {
            "params": params, "loss_func": Given("quadratic_loss", target),
            "pred_func": Given("smallest_sum"), "X": X, "y": y, "X_val": X_val,
            "y_val": y_val, "learning_rate": 0.1, "learning_rate_decay": decay, "reg": 0.25,
            "num_iters": 7, "batch_size": batch_size,
        }  # fmt: skip
        yield Case(f"{prefix}{name}", about, inputs, weight, public=public)


def half_right(sums: torch.Tensor) -> torch.Tensor:
    """Return labels (N,) of which every second one is the smallest column of sums (N, C)."""
    right = sums.argmin(dim=1)
    wrong = torch.arange(len(sums)) % 2 == 1
    return torch.where(wrong, (right + 1) % sums.shape[1], right)


def descent(
    params: Tensors, loss_func: Given, pred_func: Given, X: torch.Tensor, y: torch.Tensor,
    X_val: torch.Tensor, y_val: torch.Tensor, learning_rate: float, learning_rate_decay: float,
    reg: float, num_iters: int, batch_size: int,
) -> Tensors:  # fmt: skip
    """Solve SGD on the quadratic loss in closed form: each step shrinks the gap by a factor."""
    target, per_epoch = loss_func.tensors, max(len(X) // batch_size, 1)
    rates = learning_rate * learning_rate_decay ** (np.arange(num_iters) // per_epoch)
    shrink = np.cumprod(1 - 2 * (1 + reg) * rates)
    gaps = {name: params[name] - target[name] for name in params}
    distance = sum(float((gap**2).sum()) for gap in gaps.values())
    losses = (1 + reg) * distance * np.concatenate([[1.0], shrink[:-1] ** 2]) + batch_size
    ends = [
        target["b2"] + shrink[i] * gaps["b2"] for i in range(per_epoch - 1, num_iters, per_epoch)
    ]
    accuracies = [
        np.array([((inputs + b2).argmin(dim=1) == labels).double().mean().item() for b2 in ends])
        for inputs, labels in ((X, y), (X_val, y_val))
    ]
    histories = ("loss_history", "train_acc_history", "val_acc_history")
    values = dict(zip(histories, map(torch.tensor, [losses, *accuracies]), strict=True))
    return values | {name: target[name] + shrink[-1] * gaps[name] for name in params}


def prediction_cases(seed: int, public: bool) -> Iterator[Case]:
    """Yield inputs whose classes follow from a loss function of ours, and not from the net."""
    rng = np.random.RandomState([seed, public])
    prefix = "public_" if public else ""
    for name, N, D, H, C in (("few", 6, 4, 7, 3), ("many", 12, 3, 5, 8), ("single", 1, 5, 4, 6)):
        while True:
            net = draw_net(rng, N, D, H, C)
            rows = torch.tensor(rng.randn(C, D).round(3))
            best = (net["X"] @ rows.T).argmax(dim=1)
            others = oracle(net["params"], net["X"])
            if (best != others["scores"].argmax(dim=1)).any() and len(set(best.tolist())) > (N > 1):
                break
        inputs = {
            "params": net["params"], "loss_func": Given("row_scores", {"class_rows": rows}),
            "X": net["X"],
        }  # fmt: skip
        yield Case(
            f"{prefix}{name}", f"{N} sample{'s' * (N > 1)}, {C} classes", inputs, public=public
        )


def toy_case(seed: int, public: bool) -> Case:
    """Build the toy training: new weights, the notebook's points, and points never seen."""
    rng = np.random.RandomState([seed, public])
    params = {
        "W1": torch.tensor(rng.randn(2, 16)), "b1": torch.zeros(16).double(),
        "W2": torch.tensor(rng.randn(16, 3)), "b2": torch.zeros(3).double(),
    }  # fmt: skip
    data = toy.load()
    X_new, _ = toy.spiral(20, wobble=rng.uniform(3, 9))
    X_new = X_new[rng.permutation(len(X_new))]  # in order, the labels could be guessed
    inputs = {"params": params, "X": data.X, "y": data.y, "X_new": X_new}
    name = "public_toy" if public else "toy"
    return Case(name, "150 steps, loss on 60 new points", inputs, public=public)


def nearest_label(X: torch.Tensor, y: torch.Tensor, X_new: torch.Tensor) -> torch.Tensor:
    """Return the label of the nearest training point: the arm a point belongs to."""
    return y[torch.cdist(X_new, X).argmin(dim=1)]


# What most checks share


def by_hand(
    name: str, title: str, records: dict[str, str], cases: Iterable[Case], oracle: Any, **more: Any
) -> Check:
    """Build a check whose function may use neither torch.nn nor autograd."""
    return Check(
        name=name, title=title, records=records, cases=tuple(cases), oracle=oracle,
        by_hand=True, **more,
    )  # fmt: skip


def with_inputs(case: Case, *names: str) -> Case:
    """Copy a case with some of its inputs only."""
    inputs = {name: case.inputs[name] for name in names}
    return Case(case.name, case.about, inputs, case.weight, case.tolerance, case.public)
