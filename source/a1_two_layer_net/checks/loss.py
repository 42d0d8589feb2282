"""The loss, `nn_loss(params, scores, y, reg)`."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from autograder.authoring.checks import Draws, Sketch, case, check

from .nets import EXACT, Tensors, forward_backward, net_cases, softmax_loss


def scored(rng: Draws) -> dict[str, Sketch]:
    """Return the nets by name, with their right scores in place of X.

    They are scaled to ±2, so that log(p + 1e-12) loses points for very large scores only.
    """
    found = {}
    for net in net_cases(rng):
        params, X, y, reg = net.inputs.values()
        scores = forward_backward(params, X)["scores"]
        if net.name != "extreme":
            scores = 2 * scores / scores.abs().max()
        inputs = {"params": params, "scores": scores, "y": y, "reg": reg}
        found[net.name] = replace(net, inputs=inputs)
    return found


def data_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield scores without the penalty."""
    nets = scored(rng)
    yield nets["plain"]
    for name in ("single", "float32"):
        inputs = {**nets[name].inputs, "reg": 0.0}
        yield replace(nets[name], name=f"no_reg_{name}", inputs=inputs)


def regularised_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield scores with the penalty."""
    nets = scored(rng)
    for name in ("regularised", "square", "single", "float32"):
        yield nets[name]


def extreme_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield very large scores: of all samples, then of two of them only."""
    nets = scored(rng)
    yield nets["extreme"]
    inputs = dict(nets["plain"].inputs)
    inputs["scores"] = inputs["scores"].clone()
    inputs["scores"][0] *= 10_000
    inputs["scores"][1] -= 10_000
    yield case("mixed_extreme", "very large scores next to small ones", **inputs)
    params, scores, y, reg = nets["plain"].inputs.values()
    sides = torch.full_like(scores, -1).scatter(1, ((y + 1) % scores.shape[1])[:, None], 1)
    for name, about, large in (
        ("wide", "scores around ±400", 395 * sides + scores),
        # exp(715) is infinite, and exp(-715) is not 0 yet
        ("apart", "scores around ±360", 357.5 * sides + scores / 2),
        ("high", "scores around 800, close together", 800 + scores),
    ):
        yield case(name, about, params=params, scores=large, y=y, reg=reg)


def loss(params: Tensors, scores: torch.Tensor, y: torch.Tensor, reg: float) -> Tensors:
    """Compute the loss by torch.nn.functional."""
    return {"loss": softmax_loss(params, scores, y, reg)}


LOSSES = [
    check(f"loss_{name}", title, {"loss": "return"}, cases, by_hand=True, tolerance=EXACT)(loss)
    for name, title, cases in (
        ("data", "loss without regularisation", data_cases),
        ("regularised", "loss with the L2 penalty", regularised_cases),
        ("extreme", "loss of very large scores", extreme_cases),
    )
]
