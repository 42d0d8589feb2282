"""The loss and its gradients, `nn_forward_backward(params, X, y, reg)`."""

from collections.abc import Iterator

import torch

from autograder.authoring.checks import Draws, Sketch, check

from .nets import EXACT, Tensors, forward_backward, net_cases, unlabelled_cases


def ordinary_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield three of the nets."""
    for net in net_cases(rng):
        if net.name in ("plain", "regularised", "extreme"):
            yield net


scores_without_labels = check(
    "scores_without_labels",
    "scores when no labels are given",
    {"scores": "return"},
    unlabelled_cases,
    by_hand=True,
    pure=True,
    tolerance=EXACT,
)(forward_backward)

forward_backward_loss = check(
    "forward_backward_loss",
    "loss, as first result",
    {"loss": "return.0"},
    net_cases,
    by_hand=True,
    tolerance=EXACT,
)(forward_backward)

GRADIENTS = [
    check(
        f"gradient_{name}",
        f"gradient of the loss with respect to {name}",
        {name: f"return.1.{name}"},
        net_cases,
        by_hand=True,
        tolerance=EXACT,
    )(forward_backward)
    for name in ("W2", "b2", "W1", "b1")
]

INPUTS = {name: f"after.params.{name}" for name in ("W1", "b1", "W2", "b2")}
INPUTS |= {"X": "after.X", "y": "after.y"}


@check(
    "inputs_untouched",
    "params, X and y are as before",
    INPUTS,
    ordinary_cases,
    by_hand=True,
    pure=True,
)
def untouched(params: Tensors, X: torch.Tensor, y: torch.Tensor, reg: float) -> Tensors:
    """Return the inputs, whatever the function returns: a wrong loss costs points elsewhere."""
    return {**params, "X": X, "y": y}
