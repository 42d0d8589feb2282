"""The backbone of a classifier, frozen.

There is more than one right way to freeze a module. A locked function of the notebook turns
what the student wrote into properties; the oracles say what these are.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from autograder.authoring.checks import Answers, Draws, Sketch, case, check

from .weights import FLOAT32_LOOSE, Tensors, batch_norm, cast, normal

NORM = "0.1"  # where the tiny backbone has its batch norm


def tiny_weights(rng: Draws, width: int) -> Tensors:
    """Draw the weights of the notebook's tiny backbone."""
    weights = {"0.0.weight": normal(rng, 4, 3, 3, 3) / 3, "0.0.bias": normal(rng, 4)}
    weights |= batch_norm(rng, "0.1", 4)
    weights |= {"4.weight": normal(rng, width, 4), "4.bias": normal(rng, width)}
    return cast(weights, torch.float32)


def tiny_features(weights: Tensors, x: torch.Tensor) -> torch.Tensor:
    """Compute the features of the tiny backbone in evaluation mode, in double precision."""
    w = {name: value.double() for name, value in weights.items()}
    z = F.conv2d(x.double(), w["0.0.weight"], w["0.0.bias"])
    z = F.relu(normalised(weights, z)).mean(dim=(2, 3))
    return z @ w["4.weight"].T + w["4.bias"]


def normalised(weights: Tensors, z: torch.Tensor) -> torch.Tensor:
    """Apply the tiny backbone's batch norm in evaluation mode, in double precision."""
    w = {name: value.double() for name, value in weights.items()}
    scale = w["0.1.weight"] / (w["0.1.running_var"] + 1e-5).sqrt()
    shift = w["0.1.bias"] - w["0.1.running_mean"] * scale
    return z * scale.view(-1, 1, 1) + shift.view(-1, 1, 1)


def tiny_count(width: int) -> int:
    """Count the parameters of the tiny backbone: convolution, batch norm, linear layer."""
    return (3 * 3 * 3 * 4 + 4) + 2 * 4 + (4 * width + width)


def freezing_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield inputs of `try_freezing`: whole backbones, and a batch norm by itself."""
    for name, N, width, C, layer, training in (
        ("small", 4, 7, 5, "", False),
        ("resnet50", 3, 2048, 10, "", False),
        ("pair", 2, 6, 3, "", True),
        ("layer", 3, 5, 4, NORM, False),
        ("in_training", 3, 4, 2, "", True),
        ("layer_in_training", 2, 6, 3, NORM, True),
    ):
        weights = tiny_weights(rng, 6 if layer else width)
        x = normal(rng, N, 4, 9, width) if layer else normal(rng, N, 3, 9, 8)
        about = f"{width} features, {C} classes"
        about = f"a batch norm, {C} classes" if layer else about
        yield case(
            name,
            about + ", in training mode when handed over" * training,
            weights=weights, x=x.float(), num_classes=C, layer=layer, training=training,
        )  # fmt: skip


def frozen(
    weights: Tensors, x: torch.Tensor, num_classes: int, layer: str, training: bool
) -> Answers:
    """Say what a frozen backbone shows: nothing has changed, and the head alone is trained."""
    width = x.shape[-1] if layer else len(weights["4.weight"])
    features = normalised(weights, x.double()) if layer else tiny_features(weights, x)
    return {
        "features": features.float(),
        "trainable": width * num_classes + num_classes,
        "frozen": 2 * 4 if layer else tiny_count(width),
        "returned_it": True,
        "mean": weights["0.1.running_mean"],
        "var": weights["0.1.running_var"],
        "other_switches": True,
    }


FREEZING = [
    check(
        f"freeze_{what}",
        title,
        {name: f"return.{name}" for name in names},
        freezing_cases,
        tolerance=FLOAT32_LOOSE,
    )(frozen)
    for what, title, names in (
        ("gradients", "how many parameters are trained", ("trainable", "frozen", "returned_it")),
        ("statistics", "features and batch-norm statistics after model.train()",
         ("features", "mean", "var", "other_switches")),
    )
]  # fmt: skip
