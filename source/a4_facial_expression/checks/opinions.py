"""Averages over networks, and over an image and its mirror image."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import softmax

from autograder.cases import FLOAT32
from autograder.checks import Check, Kind, Mistake, number, public_and_hidden

Tensors = dict[str, torch.Tensor]
MAPS = 2


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks of this part; `seed` draws the hidden cases."""
    yield Check(
        name="ensemble_values",
        title="mean probabilities of several networks",
        records={"probabilities": "return"},
        cases=public_and_hidden(network_cases, seed),
        oracle=averaged,
        pure=True,
    )
    state = ("needs_gradient", "gradients_afterwards", "training_afterwards", "dropout_afterwards")
    names = ("probabilities", *state, "running_mean")
    yield Check(
        name="flip_values",
        title="mean probabilities of an image and its mirror image",
        records={name: f"return.{name}" for name in names},
        cases=public_and_hidden(look_cases, seed),
        oracle=looked_twice,
        pure=True,
    )


def network_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield logits (M, N, C) of several networks."""
    for name, about, shape in (
        ("three", "3 networks, 4 images, 7 classes", (3, 4, 7)),
        ("many", "6 networks, 2 images, 3 classes", (6, 2, 3)),
        ("alone", "a single network, 3 images", (1, 3, 5)),
        ("single", "4 networks, a single image", (4, 1, 6)),
    ):
        yield name, about, {"logits": torch.tensor((2 * rng.randn(*shape)).round(3))}
    logits = torch.tensor((2 * rng.randn(3, 2, 5)).round(3)).float()
    yield "float32", "3 networks, float32", {"logits": logits}, 1, FLOAT32
    logits = torch.tensor((2 * rng.randn(3, 4, 5)).round(3))
    logits[1] = 1e4 * torch.tensor(rng.choice([-1.0, 1.0], size=(4, 5)))
    logits[1] += 1e3 * torch.tensor(np.array([rng.permutation(5) for _ in range(4)]))
    yield "extreme", "3 networks, one with logits of ±10,000", {"logits": logits}, 2


def averaged(logits: torch.Tensor) -> Tensors:
    """Let SciPy compute the probabilities, network by network, in double precision."""
    found = [softmax(one.double().numpy(), axis=1) for one in logits]
    return {"probabilities": torch.tensor(sum(found) / len(found)).to(logits.dtype)}


def look_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield weights of the notebook's small network, images, and its mode."""
    for name, about, N, H, W, C, training, dtype in (
        ("training", "3 images, model in training mode", 3, 6, 5, 4, True, torch.float64),
        ("evaluation", "2 images, model in evaluation mode", 2, 5, 7, 3, False, torch.float64),
        ("single", "a single image, model in training mode", 1, 4, 6, 7, True, torch.float64),
        ("float32", "4 images, float32", 4, 7, 6, 3, True, torch.float32),
    ):
        features = MAPS * (H - 2) * (W - 2)
        weights = {
            "0.weight": drawn(rng, MAPS, 1, 3, 3) / 2,
            "0.bias": drawn(rng, MAPS),
            "1.weight": torch.tensor(rng.uniform(0.5, 1.5, MAPS).round(3)),
            "1.bias": drawn(rng, MAPS) / 2,
            "1.running_mean": drawn(rng, MAPS) / 2,
            "1.running_var": torch.tensor(rng.uniform(0.5, 2, MAPS).round(3)),
            "5.weight": drawn(rng, C, features) / 2,
            "5.bias": drawn(rng, C),
        }
        weights = {key: weight.to(dtype) for key, weight in weights.items()}
        weights["1.num_batches_tracked"] = torch.tensor(3)
        inputs = {"weights": weights, "x": drawn(rng, N, 1, H, W).to(dtype), "training": training}
        yield name, about, inputs, 1, FLOAT32 if dtype is torch.float32 else None


def drawn(rng: np.random.RandomState, *shape: int) -> torch.Tensor:
    """Draw numbers of order 1."""
    return torch.tensor(rng.randn(*shape).round(3))


def looked_twice(weights: Tensors, x: torch.Tensor, training: bool) -> Tensors:
    """Compute by functions, in double precision, and mirror by NumPy."""
    mirrored = torch.tensor(np.ascontiguousarray(x.numpy()[:, :, :, ::-1]))
    looks = [softmax(small_network(weights, image), axis=1) for image in (x, mirrored)]
    return {
        "probabilities": torch.tensor((looks[0] + looks[1]) / 2).to(x.dtype),
        "needs_gradient": number(0),
        "gradients_afterwards": number(1),
        "training_afterwards": number(training),
        "dropout_afterwards": number(training),
        "running_mean": weights["1.running_mean"],
    }


def small_network(weights: Tensors, x: torch.Tensor) -> np.ndarray:
    """Compute the logits (N, C) of the notebook's small network in evaluation mode."""
    w = {name: value.double() for name, value in weights.items()}
    z = F.conv2d(x.double(), w["0.weight"], w["0.bias"])
    scale = w["1.weight"] / (w["1.running_var"] + 1e-5).sqrt()
    shift = w["1.bias"] - w["1.running_mean"] * scale
    z = (z * scale.view(-1, 1, 1) + shift.view(-1, 1, 1)).tanh().flatten(1)
    return (z @ w["5.weight"].T + w["5.bias"]).numpy()


FLIP = partial(Mistake, cell="flip_probabilities", checks=("flip_values",))
ENSEMBLE = partial(Mistake, cell="average_probabilities", checks=("ensemble_values",))
LOOKS = "looks = [model(x), model(x.flip(-1))]"
AVERAGED = "return average_probabilities(looks)"
MEAN = "torch.stack(logits_of_all).softmax(dim=-1).mean(dim=0)"
VOTES = """sum(
        F.one_hot(z.argmax(dim=1), z.shape[1]).to(z) for z in logits_of_all
    ) / len(logits_of_all)"""
QUOTIENTS = """sum(
        z.exp() / z.exp().sum(dim=1, keepdim=True) for z in logits_of_all
    ) / len(logits_of_all)"""

MISTAKES = (
    FLIP(
        name="flipped_upside_down",
        change={"x.flip(-1)": "x.flip(-2)"},
        share=0.4,
        hint="the second look is upside down. Left and right are columns: the last dimension.",
    ),
    FLIP(
        name="turned_round",
        change={"x.flip(-1)": "x.flip(-1, -2)"},
        share=0.4,
        hint="the second look is turned by 180 degrees. Flip the last dimension only.",
    ),
    FLIP(
        name="batch_reversed",
        change={"x.flip(-1)": "x.flip(0)"},
        share=0.3,
        hint="the order of the images was reversed. Flip the last dimension: each image by itself.",
    ),
    FLIP(
        name="logits_of_looks_averaged",
        change={AVERAGED: "return sum(looks).div(2).softmax(dim=1)"},
        share=0.5,
        hint="the logits of the two looks were averaged. Turn each into probabilities first.",
    ),
    FLIP(
        name="only_the_mirror_image",
        change={"[model(x), model(x.flip(-1))]": "[model(x.flip(-1))]"},
        share=0.3,
        hint="only the mirror image was looked at. Average it with the image itself.",
    ),
    FLIP(
        name="only_one_look",
        change={"[model(x), model(x.flip(-1))]": "[model(x)]"},
        share=0.2,
        hint="the mirror image was not looked at.",
    ),
    FLIP(
        name="looks_in_training_mode",
        change={"    model.eval()\n": ""},
        share=0.3,
        hint="the model ran in the mode it happened to be in. In training mode dropout throws "
        "dice, and batch norm uses (and moves) the statistics of the batch: call model.eval().",
    ),
    FLIP(
        name="left_in_evaluation_mode",
        change={"    model.train(was_training)\n": ""},
        share=0.6,
        hint="the model stays in evaluation mode, so whoever trains on trains without dropout. Put "
        "back the mode it had.",
    ),
    FLIP(
        name="always_put_in_training_mode",
        change={"model.train(was_training)": "model.train()"},
        share=0.6,
        hint="the model is in training mode afterwards, whatever mode it had. Remember "
        "model.training before.",
    ),
    FLIP(
        name="looks_with_gradients",
        change={"with torch.no_grad():": "with torch.enable_grad():"},
        share=0.6,
        hint="gradients were recorded: that takes memory for nothing. Use torch.no_grad().",
    ),
    FLIP(
        name="gradients_stay_off",
        change={"with torch.no_grad():": "torch.set_grad_enabled(False)\n    if True:"},
        share=0.5,
        hint="no gradients are recorded afterwards either, and the next training would fail. Use "
        "`with torch.no_grad():`, which puts things back.",
    ),
    ENSEMBLE(
        name="logits_averaged",
        change={MEAN: "torch.stack(logits_of_all).mean(dim=0).softmax(dim=-1)"},
        share=0.5,
        hint="the logits were averaged. Turn each network's logits into probabilities first.",
    ),
    ENSEMBLE(
        name="softmax_over_networks",
        change={"softmax(dim=-1)": "softmax(dim=0)"},
        share=0.3,
        hint="the softmax went over the networks. It goes over the classes: the last dimension.",
    ),
    ENSEMBLE(
        name="softmax_over_images",
        change={"softmax(dim=-1)": "softmax(dim=1)"},
        share=0.3,
        hint="the softmax went over the images. It goes over the classes: the last dimension.",
    ),
    ENSEMBLE(
        name="majority_vote",
        change={MEAN: VOTES},
        share=0.4,
        hint="each network has one vote, for its first choice. Average the probabilities: how sure "
        "a network is counts too.",
    ),
    ENSEMBLE(
        name="probabilities_added",
        change={".mean(dim=0)": ".sum(dim=0)"},
        share=0.5,
        hint="the rows add up to the number of networks. Take the mean.",
    ),
    ENSEMBLE(
        name="exponentials_overflow",
        change={MEAN: QUOTIENTS},
        share=0.6,
        hint="exp(10000) is infinite. Use softmax, or subtract each row's largest logit first.",
    ),
    ENSEMBLE(
        name="first_network_only",
        change={MEAN: "logits_of_all[0].softmax(dim=-1)"},
        share=0.2,
        hint="only the first network was asked.",
    ),
)
