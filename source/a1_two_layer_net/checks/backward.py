"""The loss and its gradients, `nn_forward_backward(params, X, y, reg)`."""

from collections.abc import Iterator

from autograder.authoring.checks import Draws, Sketch, check

from .nets import forward_backward, net_cases, unlabelled_cases

LOSS = {"loss": "return.0"}


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
)(forward_backward)

forward_backward_loss = check(
    "forward_backward_loss", "loss, as first result", LOSS, net_cases, by_hand=True
)(forward_backward)

GRADIENTS = [
    check(
        f"gradient_{name}",
        f"gradient of the loss with respect to {name}",
        {name: f"return.1.{name}"},
        net_cases,
        by_hand=True,
    )(forward_backward)
    for name in ("W2", "b2", "W1", "b1")
]

inputs_untouched = check(
    "inputs_untouched",
    "params, X and y are as before; the loss is right",
    LOSS,
    ordinary_cases,
    by_hand=True,
    pure=True,
)(forward_backward)
