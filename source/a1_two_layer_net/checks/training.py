"""Training and predicting: `nn_train`, `nn_predict`, and both on the toy data."""

from collections.abc import Iterator

import numpy as np
import torch

from autograder.authoring.checks import Draws, Sketch, case, check
from autograder.notebook.stubs import Stub
from data_scripts import toy

from .nets import EXACT, Tensors, draw_net, forward_backward, normal

PARAMS = ("W1", "b1", "W2", "b2")
HISTORIES = ("loss_history", "train_acc_history", "val_acc_history")


def run_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield short training runs on a quadratic loss, whose every step is known.

    The numbers of samples are powers of 2: accuracies are exact in float32 as well.
    """
    shapes = {"W1": (3, 5), "b1": (5,), "W2": (5, 4), "b2": (4,)}
    for name, about, N, batch_size, decay, weight in (
        ("epochs", "7 steps, epochs of 3 steps", 16, 5, 0.5, 3),
        ("constant", "7 steps, no decay", 8, 4, 1.0, 1),
        ("small", "7 steps, a batch larger than the data", 4, 8, 0.9, 1),
        ("many", "7 steps, more than 100 samples", 128, 50, 0.8, 1),
    ):
        params, target = (
            {key: normal(rng, *shape) for key, shape in shapes.items()} for _ in range(2)
        )
        X, X_val = normal(rng, N, 4), normal(rng, max(N, 8), 4)
        y, y_val = (half_right(inputs + target["b2"]) for inputs in (X, X_val))
        yield case(
            name, about, weight, params=params, loss_func=Stub("quadratic_loss", target),
            pred_func=Stub("smallest_sum"), X=X, y=y, X_val=X_val, y_val=y_val,
            learning_rate=0.1, learning_rate_decay=decay, reg=0.25, num_iters=7,
            batch_size=batch_size,
        )  # fmt: skip


def half_right(sums: torch.Tensor) -> torch.Tensor:
    """Return labels (N,): every second one, up to the 100th, is the smallest column of sums (N, C).

    So the accuracy on the first 100 samples is not that on all.
    """
    right = sums.argmin(dim=1)
    place = torch.arange(len(sums))
    wrong = (place % 2 == 1) | (place >= 100)
    return torch.where(wrong, (right + 1) % sums.shape[1], right)


def descent(
    params: Tensors, loss_func: Stub, pred_func: Stub, X: torch.Tensor, y: torch.Tensor,
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
    ends = [target["b2"] + s * gaps["b2"] for s in shrink[per_epoch - 1 :: per_epoch]]
    accuracies = [
        np.array([((inputs + b2).argmin(dim=1) == labels).double().mean().item() for b2 in ends])
        for inputs, labels in ((X, y), (X_val, y_val))
    ]
    histories = dict(zip(HISTORIES, (losses, *accuracies), strict=True))
    return histories | {name: target[name] + shrink[-1] * gaps[name] for name in params}


RUNS = [
    check(name, title, records, run_cases, by_hand=True, tolerance=EXACT)(descent)
    for name, title, records in (
        ("train_update", "parameters after training",
         {name: f"after.params.{name}" for name in PARAMS}),
        ("train_histories", "training histories",
         {name: f"return.{name}" for name in HISTORIES}),
    )
]  # fmt: skip


def prediction_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield inputs whose classes follow from a loss function of ours, and not from the net."""
    for name, N, D, H, C in (("few", 6, 4, 7, 3), ("many", 12, 3, 5, 8), ("single", 1, 5, 4, 6)):
        while True:
            net = draw_net(rng, N, D, H, C)
            params, X, rows = net["params"], net["X"], normal(rng, C, D)
            best = (X @ rows.T).argmax(dim=1)
            others = forward_backward(params, X)["scores"].argmax(dim=1)
            if (best != others).any() and len(set(best.tolist())) > (N > 1):
                break
        about = f"{N} sample{'s' * (N > 1)}, {C} classes"
        loss_func = Stub("row_scores", {"class_rows": rows})
        yield case(name, about, params=params, loss_func=loss_func, X=X)


@check("predictions", "predicted labels", {"labels": "return"}, prediction_cases, by_hand=True)
def predicted(params: Tensors, loss_func: Stub, X: torch.Tensor) -> Tensors:
    """Take the largest score with NumPy."""
    rows = loss_func.tensors["class_rows"].numpy()
    return {"labels": torch.from_numpy(np.argmax(X.numpy() @ rows.T, axis=1))}


def toy_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield the toy training run: new weights, the notebook's points, and points never seen."""
    params = {
        "W1": torch.tensor(rng.randn(2, 16)), "b1": torch.zeros(16).double(),
        "W2": torch.tensor(rng.randn(16, 3)), "b2": torch.zeros(3).double(),
    }  # fmt: skip
    data = toy.load()
    X_new, _ = toy.spiral(20, wobble=rng.uniform(3, 9))
    X_new = X_new[rng.permutation(len(X_new))]  # in order, the labels could be guessed
    about = "150 steps, loss on 60 new points"
    yield case("toy", about, params=params, X=data.X, y=data.y, X_new=X_new)


@check(
    "toy_training", "your net on new points of the toy data", {"scores": "return.0"},
    toy_cases, criterion="cross_entropy_below", threshold=0.6, by_hand=True,
)  # fmt: skip
def nearest_label(
    params: Tensors, X: torch.Tensor, y: torch.Tensor, X_new: torch.Tensor
) -> Tensors:
    """Return the label of the nearest training point: the arm a point belongs to."""
    return {"scores": y[torch.cdist(X_new, X).argmin(dim=1)]}
