"""The forward pass, `nn_forward_pass(params, X)`."""

from autograder.authoring.checks import check

from .nets import EXACT, forward_backward, unlabelled_cases

FORWARD = [
    check(f"forward_{name}", title, {name: path}, unlabelled_cases, by_hand=True, tolerance=EXACT)(
        forward_backward
    )
    for name, title, path in (
        ("scores", "scores of the forward pass", "return.0"),
        ("hidden", "hidden layer, after the ReLU", "return.1"),
    )
]
