"""Functions of ours that a check hands to a student's function.

`nn_train` is told which loss function to minimise. To see exactly what it does with
one, a check passes it a simple function whose gradient is known, written here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass(frozen=True)
class Stub:
    """A function by name, with the tensors it needs: an input that a file can hold."""

    name: str
    tensors: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def function(self) -> Callable[..., Any]:
        """Build the function. Raises KeyError for a name that is not in this module."""
        return FUNCTIONS[self.name](**self.tensors)


def quadratic_loss(**target: torch.Tensor) -> Callable[..., Any]:
    """Build a loss with the minimum at `target`.

    The gradient with respect to each parameter p is `2 (1 + reg) (p - target)`, whatever the batch.
    The loss adds the batch size, so that a history shows how many samples it saw.
    """

    def loss_func(
        params: dict[str, torch.Tensor],
        X: torch.Tensor,
        y: torch.Tensor | None = None,
        reg: float = 0.0,
    ) -> Any:
        if y is None:
            return row_scores(**target)(params, X)
        gaps = {name: params[name] - goal for name, goal in target.items()}
        loss = (1 + reg) * sum((gap**2).sum() for gap in gaps.values()) + len(X)
        return loss, {name: 2 * (1 + reg) * gap for name, gap in gaps.items()}

    return loss_func


def row_scores(**tensors: torch.Tensor) -> Callable[..., torch.Tensor]:
    """Build a loss function that scores the rows of X against `class_rows` (C, D).

    Without `class_rows` the columns of X are the scores.
    """

    def loss_func(
        params: dict[str, torch.Tensor],
        X: torch.Tensor,
        y: torch.Tensor | None = None,
        reg: float = 0.0,
    ) -> torch.Tensor:
        return X @ tensors["class_rows"].T if "class_rows" in tensors else X

    return loss_func


def smallest_sum() -> Callable[..., torch.Tensor]:
    """Build a prediction function unlike any other: the smallest column of X + b2.

    It follows the parameters, so that an accuracy shows when it was measured.
    """

    def pred_func(
        params: dict[str, torch.Tensor], loss_func: Callable[..., Any], X: torch.Tensor
    ) -> torch.Tensor:
        return (X + params["b2"]).argmin(dim=1)

    return pred_func


def cubic() -> Callable[[torch.Tensor], torch.Tensor]:
    """Build `f(W) = sum_i (i + 1) W_i^3 / 3 + (sum_i W_i)^2 + sum W.sum(dim=0)^2`.

    Its gradient is `(i + 1) W_i^2 + 2 sum_j W_j + 2 W.sum(dim=0)`, its central difference of
    step h adds exactly `(i + 1) h^2 / 3`. Each entry depends on all: one that was moved and
    not put back shows in the others. The last term needs W in its shape.
    """

    def f(W: torch.Tensor) -> torch.Tensor:
        weights = torch.arange(1, W.numel() + 1, dtype=W.dtype).reshape(W.shape)
        return (weights * W**3).sum() / 3 + W.sum() ** 2 + (W.sum(dim=0) ** 2).sum()

    return f


FUNCTIONS: dict[str, Callable[..., Callable[..., Any]]] = {
    builder.__name__: builder for builder in (quadratic_loss, row_scores, smallest_sum, cubic)
}
