"""Transfer learning: its checks, their cases, and the oracles that confirm them.

Many tasks have no single right answer (which images are drawn, how a module is frozen).
Their checks call a locked function of the notebook that turns what the student wrote into
properties; the oracles say what these are, from the task's definition.
"""

from collections.abc import Iterable, Iterator, Mapping
from math import inf, nan
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torchvision.transforms.v2 import functional as transforms

from autograder.cases import Case, Level, Tolerance
from autograder.checks import PUBLIC_SEED, Check, number, public_and_hidden
from autograder.checks.a3_transfer_learning.mistakes import MISTAKES
from data_scripts.drawn import objects
from data_scripts.pretrained import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["MISTAKES", "checks"]

Tensors = dict[str, torch.Tensor]
MARGIN = 1e-3  # of every pre-activation from 0
IMAGES = Tolerance(rtol=1e-4, atol=2e-5)  # float32, whichever library resizes
FLOAT32_LOOSE = Tolerance(rtol=1e-4, atol=1e-5)  # sums that may nearly cancel
RATES = Tolerance(rtol=1e-5, atol=1e-6)  # torch.tensor(57 / 66) is float32
LEVELS = Level("pass", 0.36, 0.5), Level("good", 0.44, 0.8), Level("excellent", 0.50, 1.0)


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks of the assignment; `seed` draws the hidden cases."""
    yield check("preprocess_values", "prepared images", {"images": "return"}, prepared,
                public_and_hidden(image_cases, seed))  # fmt: skip
    yield from block_checks(seed)
    yield from classifier_checks(seed)
    yield from feature_checks(seed)
    yield from training_checks(seed)
    yield from split_checks(seed)
    record = {"interval": "return"}
    title = "Wilson interval, low and high"
    yield check("wilson", title, record, wilson, public_and_hidden(count_cases, seed))


# Preprocessing


def image_cases(rng: np.random.RandomState) -> Iterator[tuple]:
    """Yield uint8 images and sizes: enlarged, kept, made smaller, and not square."""
    for name, N, H, W, size in (
        ("larger", 2, 16, 16, 35), ("same", 1, 24, 24, 24), ("smaller", 2, 40, 40, 17),
        ("oblong", 3, 20, 28, 24),
    ):  # fmt: skip
        images = torch.tensor(rng.randint(0, 256, size=(N, 3, H, W)), dtype=torch.uint8)
        about = f"{N} image{'s' * (N > 1)}, {H} × {W} to {size} × {size}"
        yield name, about, {"images": images, "size": size}, 1, IMAGES


def prepared(images: torch.Tensor, size: int) -> Tensors:
    """Prepare images by torchvision's functions, in double precision."""
    x = transforms.resize(images.double() / 255, [size, size], antialias=True)
    x = transforms.normalize(x, list(IMAGENET_MEAN), list(IMAGENET_STD))
    return {"images": x.float()}


# Blocks


def block_checks(seed: int) -> Iterator[Check]:
    """Yield the checks of both blocks and of their formulae."""
    for name, cases, oracle in (
        ("separable", public_and_hidden(separable_cases, seed), separable),
        ("residual", public_and_hidden(residual_cases, seed), residual),
    ):
        yield check(f"{name}_output", f"output of the {name} block", {"output": "return.output"},
                    oracle, cases)  # fmt: skip
        record = {"x": "return.x", "weights": "return.weights"}
        yield check(f"{name}_gradients", f"gradients of the {name} block", record, oracle, cases)
        title = f"number of parameters of the {name} block"
        formula = separable_count if name == "separable" else residual_count
        sizes = public_and_hidden(separable_sizes if name == "separable" else residual_sizes, seed)
        yield check(f"{name}_counts", title, {"count": "return"}, formula, sizes)


def drawn(rng: np.random.RandomState, *shape: int) -> torch.Tensor:
    return torch.tensor(rng.randn(*shape).round(3))


def separable_cases(rng: np.random.RandomState) -> Iterator[tuple]:
    """Yield inputs of `run_separable`."""
    for name, c_in, c_out, k, stride, bias, shape, dtype in (
        ("plain", 3, 5, 3, 1, False, (2, 7, 6), torch.float64),
        ("stride", 4, 2, 3, 2, False, (2, 7, 8), torch.float64),
        ("wide_kernel_and_bias", 2, 3, 5, 1, True, (3, 6, 7), torch.float64),
        ("single_pixel", 3, 4, 1, 1, True, (1, 1, 1), torch.float64),
        ("float32", 3, 4, 3, 2, True, (2, 6, 5), torch.float32),
    ):
        weights = {
            "depthwise.weight": drawn(rng, c_in, 1, k, k),
            "pointwise.weight": drawn(rng, c_out, c_in, 1, 1),
        }
        if bias:
            weights |= {"depthwise.bias": drawn(rng, c_in), "pointwise.bias": drawn(rng, c_out)}
        N, H, W = shape
        x = drawn(rng, N, c_in, H, W)
        upstream = drawn(rng, N, c_out, -(-H // stride), -(-W // stride))
        inputs = {
            "c_in": c_in, "c_out": c_out, "k": k, "stride": stride, "bias": bias,
            "weights": cast(weights, dtype), "x": x.to(dtype), "upstream": upstream.to(dtype),
        }  # fmt: skip
        about = f"{c_in} -> {c_out} channels, k = {k}, stride {stride}{', bias' * bias}"
        yield name, about, inputs, 1, FLOAT32_LOOSE if dtype is torch.float32 else None


def separable(
    c_in: int, c_out: int, k: int, stride: int, bias: bool, weights: Tensors, x: torch.Tensor,
    upstream: torch.Tensor,
) -> Tensors:  # fmt: skip
    """Multiply both filters into the one of an ordinary convolution."""
    weights, x = leaves(weights), x.clone().requires_grad_()
    depth, point = weights["depthwise.weight"], weights["pointwise.weight"]
    filters = point * depth.view(1, c_in, k, k)  # (c_out, c_in, k, k)
    shift = None
    if bias:
        shift = weights["pointwise.bias"] + point[:, :, 0, 0] @ weights["depthwise.bias"]
    output = F.conv2d(x, filters, shift, stride, padding=k // 2)
    return differentiated(output, upstream, x, weights)


def separable_sizes(rng: np.random.RandomState) -> Iterator[tuple]:
    """Yield inputs of `separable_parameters`."""
    for name, k, bias in (("plain", 3, False), ("bias", 5, True), ("one_pixel", 1, False)):
        c_in, c_out = (int(n) for n in rng.permutation(np.arange(3, 90))[:2])
        inputs = {"c_in": c_in, "c_out": c_out, "k": k, "bias": bias}
        yield name, f"{c_in} -> {c_out}, k = {k}{', bias' * bias}", inputs, 1, None


def separable_count(c_in: int, c_out: int, k: int, bias: bool) -> Tensors:
    """Count the parameters of two convolutions of torch."""
    layers = (
        torch.nn.Conv2d(c_in, c_in, k, groups=c_in, bias=bias),
        torch.nn.Conv2d(c_in, c_out, 1, bias=bias),
    )
    return {"count": number(sum(p.numel() for layer in layers for p in layer.parameters()))}


def residual_cases(rng: np.random.RandomState) -> Iterator[tuple]:
    """Yield inputs of `run_residual`, clear of the kinks of both ReLUs."""
    for name, c_in, c_out, stride, shape, training, dtype in (
        ("identity", 3, 3, 1, (2, 5, 6), False, torch.float64),
        ("wider", 2, 4, 1, (2, 5, 4), False, torch.float64),
        ("stride", 3, 5, 2, (2, 7, 6), False, torch.float64),
        ("stride_same_width", 3, 3, 2, (1, 6, 5), False, torch.float64),
        ("training", 2, 3, 2, (3, 5, 6), True, torch.float64),
        ("float32", 2, 4, 2, (2, 6, 5), False, torch.float32),
    ):
        N, H, W = shape
        about = f"{c_in} -> {c_out} channels, stride {stride}{', in training mode' * training}"
        while True:
            weights = {
                "conv1.weight": drawn(rng, c_out, c_in, 3, 3) / 3,
                **norm(rng, "bn1", c_out),
                "conv2.weight": drawn(rng, c_out, c_out, 3, 3) / 3,
                **norm(rng, "bn2", c_out),
            }
            if stride != 1 or c_in != c_out:
                weights |= {"projection.0.weight": drawn(rng, c_out, c_in, 1, 1)}
                weights |= norm(rng, "projection.1", c_out)
            inputs = {
                "c_in": c_in, "c_out": c_out, "stride": stride, "weights": cast(weights, dtype),
                "x": drawn(rng, N, c_in, H, W).to(dtype),
                "upstream": drawn(rng, N, c_out, -(-H // stride), -(-W // stride)).to(dtype),
                "training": training,
            }  # fmt: skip
            if min(v.abs().min() for v in pre_activations(*list(inputs.values())[2:])) > MARGIN:
                break
        yield name, about, inputs, 1, FLOAT32_LOOSE if dtype is torch.float32 else None


def norm(rng: np.random.RandomState, name: str, C: int) -> Tensors:
    """Draw the weights and statistics of a batch norm, none of them trivial."""
    return {
        f"{name}.weight": torch.tensor(rng.uniform(0.5, 1.5, C).round(3)),
        f"{name}.bias": drawn(rng, C) / 2,
        f"{name}.running_mean": drawn(rng, C) / 2,
        f"{name}.running_var": torch.tensor(rng.uniform(0.5, 2, C).round(3)),
        f"{name}.num_batches_tracked": torch.tensor(3),
    }


def pre_activations(
    stride: int, weights: Tensors, x: torch.Tensor, upstream: torch.Tensor, training: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute what goes into the two ReLUs of a residual block, by functions only."""

    def normalised(z: torch.Tensor, name: str) -> torch.Tensor:
        mean, var = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
        if training:
            mean, var = z.mean(dim=(0, 2, 3)), z.var(dim=(0, 2, 3), correction=0)
        mean, var, scale, shift = (
            v.view(-1, 1, 1)
            for v in (mean, var, weights[f"{name}.weight"], weights[f"{name}.bias"])
        )
        return (z - mean) / (var + 1e-5).sqrt() * scale + shift

    first = normalised(F.conv2d(x, weights["conv1.weight"], None, stride, 1), "bn1")
    second = normalised(F.conv2d(F.relu(first), weights["conv2.weight"], None, 1, 1), "bn2")
    shortcut = x
    if "projection.0.weight" in weights:
        sampled = x[:, :, ::stride, ::stride]
        mixed = torch.einsum("nchw,dc->ndhw", sampled, weights["projection.0.weight"][:, :, 0, 0])
        shortcut = normalised(mixed, "projection.1")
    return first, second + shortcut


def residual(
    c_in: int, c_out: int, stride: int, weights: Tensors, x: torch.Tensor, upstream: torch.Tensor,
    training: bool,
) -> Tensors:  # fmt: skip
    """Compute a residual block by functions, and differentiate it."""
    weights, x = leaves(weights), x.clone().requires_grad_()
    output = F.relu(pre_activations(stride, weights, x, upstream, training)[1])
    return differentiated(output, upstream, x, weights)


def residual_sizes(rng: np.random.RandomState) -> Iterator[tuple]:
    """Yield inputs of `residual_parameters`."""
    for name, same, stride in (("identity", True, 1), ("wider", False, 1), ("stride", True, 2)):
        c_in, c_out = (int(n) for n in rng.permutation(np.arange(3, 90))[:2])
        inputs = {"c_in": c_in, "c_out": c_in if same else c_out, "stride": stride}
        yield name, f"{c_in} -> {inputs['c_out']}, stride {stride}", inputs, 1, None


def residual_count(c_in: int, c_out: int, stride: int) -> Tensors:
    """Count the parameters of torchvision's block."""
    from torchvision.models.resnet import BasicBlock

    shortcut = None
    if stride != 1 or c_in != c_out:
        convolution = torch.nn.Conv2d(c_in, c_out, 1, stride, bias=False)
        shortcut = torch.nn.Sequential(convolution, torch.nn.BatchNorm2d(c_out))
    block = BasicBlock(c_in, c_out, stride, shortcut)
    return {"count": number(sum(p.numel() for p in block.parameters()))}


def leaves(weights: Tensors) -> Tensors:
    """Copy weights, those that are learned with gradients."""
    learned = ("weight", "bias")
    return {
        name: w.clone().requires_grad_(name.rsplit(".")[-1] in learned)
        for name, w in weights.items()
    }


def differentiated(
    output: torch.Tensor, upstream: torch.Tensor, x: torch.Tensor, weights: Tensors
) -> Tensors:
    """Return the output, and the gradients of output · upstream by x and by all weights."""
    learned = [weights[name] for name in sorted(weights) if weights[name].requires_grad]
    dx, *others = torch.autograd.grad((output * upstream).sum(), [x, *learned])
    flat = torch.cat([gradient.flatten() for gradient in others])
    return {"output": output.detach(), "x": dx, "weights": flat}


def cast(weights: Tensors, dtype: torch.dtype) -> Tensors:
    """Change the dtype of all that are not counters."""
    return {name: w.to(dtype) if w.is_floating_point() else w for name, w in weights.items()}


# Classifier and freezing


def classifier_checks(seed: int) -> Iterator[Check]:
    """Yield the checks of `make_classifier` and `freeze`."""
    record = {name: f"return.{name}" for name in ("scores", "count", "backbone_unchanged")}
    yield check("classifier", "a new head on a copy of the backbone", record, classified,
                public_and_hidden(classifier_cases, seed))  # fmt: skip
    cases = public_and_hidden(freezing_cases, seed)
    record = {name: f"return.{name}" for name in ("trainable", "frozen", "returned_it")}
    yield check("freeze_gradients", "how many parameters are trained", record, frozen, cases)
    record = {name: f"return.{name}" for name in ("features", "mean", "var", "other_switches")}
    title = "features and batch-norm statistics after model.train()"
    yield check("freeze_statistics", title, record, frozen, cases)


def tiny_weights(rng: np.random.RandomState, width: int) -> Tensors:
    """Draw the weights of the notebook's tiny backbone."""
    weights = {"0.0.weight": drawn(rng, 4, 3, 3, 3) / 3, "0.0.bias": drawn(rng, 4)}
    weights |= norm(rng, "0.1", 4)
    weights |= {"4.weight": drawn(rng, width, 4), "4.bias": drawn(rng, width)}
    return {name: w.float() if w.is_floating_point() else w for name, w in weights.items()}


def tiny_features(weights: Tensors, x: torch.Tensor) -> torch.Tensor:
    """Compute the features of the tiny backbone in evaluation mode, in double precision."""
    w = {name: value.double() for name, value in weights.items()}
    z = F.conv2d(x.double(), w["0.0.weight"], w["0.0.bias"])
    scale = w["0.1.weight"] / (w["0.1.running_var"] + 1e-5).sqrt()
    shift = w["0.1.bias"] - w["0.1.running_mean"] * scale
    z = F.relu(z * scale.view(-1, 1, 1) + shift.view(-1, 1, 1)).mean(dim=(2, 3))
    return z @ w["4.weight"].T + w["4.bias"]


def classifier_cases(rng: np.random.RandomState) -> Iterator[tuple]:
    """Yield inputs of `try_classifier`."""
    for name, N, width, C in (("small", 3, 7, 5), ("single", 1, 5, 2), ("resnet50", 2, 2048, 10)):
        inputs = {
            "weights": tiny_weights(rng, width), "x": drawn(rng, N, 3, 8, 9).float(),
            "head_weight": (drawn(rng, C, width) / width**0.5).float(),
            "head_bias": drawn(rng, C).float(),
        }  # fmt: skip
        about = f"{width} features, {C} classes, {N} image{'s' * (N > 1)}"
        yield name, about, inputs, 1, FLOAT32_LOOSE


def classified(
    weights: Tensors, x: torch.Tensor, head_weight: torch.Tensor, head_bias: torch.Tensor
) -> Tensors:
    """Apply the head to the features, and count by formulae."""
    scores = tiny_features(weights, x) @ head_weight.double().T + head_bias
    C, width = head_weight.shape
    total = tiny_count(width) + width * C + C
    return {"scores": scores.float(), "count": number(total), "backbone_unchanged": number(1)}


def tiny_count(width: int) -> int:
    """Count the parameters of the tiny backbone: convolution, batch norm, linear layer."""
    return (3 * 3 * 3 * 4 + 4) + 2 * 4 + (4 * width + width)


def freezing_cases(rng: np.random.RandomState) -> Iterator[tuple]:
    """Yield inputs of `try_freezing`."""
    for name, N, width, C in (("small", 4, 7, 5), ("resnet50", 3, 2048, 10), ("pair", 2, 6, 3)):
        inputs = {
            "weights": tiny_weights(rng, width), "x": drawn(rng, N, 3, 9, 8).float(),
            "num_classes": C,
        }  # fmt: skip
        yield name, f"{width} features, {C} classes", inputs, 1, FLOAT32_LOOSE


def frozen(weights: Tensors, x: torch.Tensor, num_classes: int) -> Tensors:
    """Say what a frozen backbone shows: nothing has changed, and the head alone is trained."""
    width = len(weights["4.weight"])
    return {
        "features": tiny_features(weights, x).float(),
        "trainable": number(width * num_classes + num_classes),
        "frozen": number(tiny_count(width)),
        "returned_it": number(1),
        "mean": weights["0.1.running_mean"],
        "var": weights["0.1.running_var"],
        "other_switches": number(1),
    }


# Features and the probe


def feature_checks(seed: int) -> Iterator[Check]:
    """Yield the checks of `extract_features` and of the probe that was handed in."""
    cases = public_and_hidden(extraction_cases, seed)
    title = "features, in the order of the images"
    record = {"features": "return.features"}
    yield check("features_values", title, record, extracted, cases)
    names = (
        "largest", "largest_prepared", "images_seen", "with_gradient", "needs_gradient",
        "gradients_afterwards", "training_afterwards", "dropout_afterwards",
    )  # fmt: skip
    record = {name: f"return.{name}" for name in names}
    title = "batches, no gradients, and the mode afterwards"
    yield check("features_manners", title, record, extracted, cases)
    images = {True: hidden_images(PUBLIC_SEED, 150), False: hidden_images(seed + 77_000, 400)}
    labels = {len(y): y for _, y in images.values()}  # an oracle is given no more than the images
    drawn_cases = tuple(
        Case("public_drawn" if public else "drawn", f"{len(X)} new drawn images", {"images": X},
             public=public, levels=LEVELS)
        for public, (X, y) in images.items()
    )  # fmt: skip
    yield Check(
        name="probe_predictions", title="accuracy of the probe that you handed in",
        records={"labels": "return"}, cases=drawn_cases, criterion="accuracy",
        oracle=lambda images: {"labels": labels[len(images)]},
    )  # fmt: skip


def hidden_images(seed: int, N: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw images (N, 3, 32, 32) that are in no set, and their labels."""
    images, labels = objects.draw(10, N, seed=1_000 + seed)["test"]
    return images, labels.long()


def extraction_cases(rng: np.random.RandomState) -> Iterator[tuple]:
    """Yield inputs of `watch_extraction`."""
    for name, N, batch_size, training in (
        ("last_batch_smaller", 11, 4, True), ("whole_batches", 8, 4, False),
        ("one_batch", 5, 16, True), ("single", 1, 3, True), ("one_by_one", 4, 1, False),
    ):  # fmt: skip
        inputs = {
            "weight": drawn(rng, 3, 5), "images": drawn(rng, N, 3), "batch_size": batch_size,
            "training": training,
        }  # fmt: skip
        mode = "training" if training else "evaluation"
        yield name, f"{N} in batches of {batch_size}, module in {mode} mode", inputs, 1, None


def extracted(
    weight: torch.Tensor, images: torch.Tensor, batch_size: int, training: bool
) -> Tensors:
    """Compute all features at once."""
    return {
        "features": torch.einsum("nd,de->ne", 1 + 2 * images, weight),
        "largest": number(min(len(images), batch_size)),
        "largest_prepared": number(min(len(images), batch_size)),
        "images_seen": number(len(images)),
        "with_gradient": number(0),
        "needs_gradient": number(0),
        "gradients_afterwards": number(1),
        "training_afterwards": number(int(training)),
        "dropout_afterwards": number(int(training)),
    }


# Fine-tuning


def training_checks(seed: int) -> Iterator[Check]:
    """Yield the checks of parameter groups, early stopping, plateaus and checkpoints."""
    yield check("groups", "learning rate of each parameter", {"rates": "return"}, group_rates,
                public_and_hidden(group_cases, seed))  # fmt: skip
    sequences = public_and_hidden(loss_cases, seed)
    stopping = [with_inputs(case, "losses", "patience", "min_delta") for case in sequences]
    names = ("epochs", "stopped", "best_epoch", "best_loss")
    record = {name: f"return.{name}" for name in names}
    yield check("stopping", "when training stops, and its best epoch", record, stopped, stopping)
    order = ("losses", "rates", "factor", "patience", "min_delta", "min_lr")
    rates = [with_inputs(case, *order) for case in sequences]
    title = "learning rates after each epoch"
    yield check("plateau", title, {"rates": "return"}, reduced, rates)
    yield check("checkpoint", "weights as restored, twice", {"weights": "return"}, restored,
                public_and_hidden(checkpoint_cases, seed))  # fmt: skip


def group_cases(rng: np.random.RandomState) -> Iterator[tuple]:
    """Yield which of the six parameters are trainable: four below, two in the head."""
    for name, about, trainable in (
        ("all", "all trainable", (1, 1, 1, 1, 1, 1)),
        ("head_only", "backbone frozen", (0, 0, 0, 0, 1, 1)),
        ("top", "lower layer frozen", (0, 0, 1, 1, 1, 1)),
        ("mixed", "biases frozen", (1, 0, 1, 0, 1, 0)),
    ):
        low, high = sorted(rng.uniform(1e-4, 1e-1, 2).round(5).tolist())
        inputs = {"trainable": torch.tensor(trainable), "backbone_lr": low, "head_lr": high}
        yield name, about, inputs, 1, None


def group_rates(trainable: torch.Tensor, backbone_lr: float, head_lr: float) -> Tensors:
    """Write down the rates: four parameters below, two in the head."""
    rates = torch.tensor([backbone_lr] * 4 + [head_lr] * 2, dtype=torch.float64)
    return {"rates": rates * trainable}


def loss_cases(rng: np.random.RandomState) -> Iterator[tuple]:
    """Yield sequences of validation losses. Halves and quarters make ties exact.

    What only one or two sequences can show weighs more.
    """
    subtle = {"plateau", "small_steps", "slow_drift", "exactly", "nan", "restart"}
    fall = (3 * 0.7 ** np.arange(12)).round(4).tolist()
    noisy = (1 + 2 * 0.6 ** np.arange(16) + 0.2 * rng.rand(16)).round(4).tolist()
    rise = [*fall[:5], *(fall[4] + 0.05 * np.arange(1, 12)).round(4).tolist()]
    bad = rng.randint(2, 4)
    holes = [2.0, nan, 1.5, nan, nan, 1.25, *[nan] * bad, 1.0, nan, nan, nan, nan, 0.5]
    for name, about, losses, patience, min_delta in (
        ("falls", "falls in every epoch", fall, 3, 0.0),
        ("rises", "falls, then rises", rise, 4, 0.0),
        ("noisy", "falls with noise", noisy, 2, 0.01),
        ("plateau", "equal values are no improvement", [2.0, 1.0, *[1.0] * 8, 0.5], 3, 0.0),
        ("drift", "each fall smaller than min_delta", [4 - 0.125 * i for i in range(14)], 3, 0.25),
        ("small_steps", "two small steps are not one", [4 - 0.125 * i for i in range(8)], 2, 0.25),
        ("slow_drift", "too slow for min_delta", [4 - 0.0625 * i for i in range(14)], 3, 0.25),
        ("exactly", "falls by exactly min_delta", [4.0, 3.75, 3.5, 3.25, 3.0, 2.75], 2, 0.25),
        ("nan", "nan here and there", holes, 4, 0.0),
        ("only_nan", "nan from the first epoch", [nan] * 6, 4, 0.0),
        ("nan_first", "nan, then falls", [nan, nan, 3.0, 2.0, 2.5, 2.25, 2.0], 3, 0.0),
        ("single", "a single epoch", [round(float(rng.rand()), 3)], 2, 0.0),
        ("impatient", "patience 1", [2.0, 1.5, 1.625, 1.25], 1, 0.0),
        ("negative", "losses below zero", [-1.0, -1.5, -1.25, -1.5, -1.375, -2.0], 3, 0.125),
        ("restart", "an improvement resets the count",
         [2.0, 2.5, 2.25, 1.0, 1.5, 1.25, 0.5, 0.75, 0.625, 0.875, 0.75, 0.625], 3, 0.0),
    ):  # fmt: skip
        inputs = {
            "losses": losses, "patience": patience, "min_delta": min_delta,
            "rates": [round(rng.uniform(0.01, 0.02), 5), 0.4], "min_lr": 0.003,
            "factor": float(rng.choice([0.5, 0.2])),
        }  # fmt: skip
        yield name, about, inputs, 3 if name in subtle else 1, None


def improvements(losses: list[float], min_delta: float) -> list[int]:
    """List the epochs (from 0) that improve, by leaps: each is the next below a threshold."""
    found, threshold = [], inf
    while True:
        start = found[-1] + 1 if found else 0
        later = [i for i in range(start, len(losses)) if losses[i] < threshold]
        if not later:
            return found
        found.append(later[0])
        threshold = losses[later[0]] - min_delta


def stopped(losses: list[float], patience: int, min_delta: float) -> Tensors:
    """Find the first gap of `patience` epochs behind an improvement, or the start."""
    marks = [-1, *improvements(losses, min_delta)]
    following = [*marks[1:], len(losses) + patience]
    last, end = next(
        (mark, mark + patience) for mark, after in zip(marks, following, strict=True)
        if after - mark > patience
    )  # fmt: skip
    best = losses[last] if last >= 0 else 1e9
    return {
        "epochs": number(min(end + 1, len(losses))), "stopped": number(int(end < len(losses))),
        "best_epoch": number(last + 1), "best_loss": number(best),
    }  # fmt: skip


def reduced(
    losses: list[float], rates: list[float], factor: float, patience: int, min_delta: float,
    min_lr: float,
) -> Tensors:  # fmt: skip
    """Let torch's scheduler do it; it waits for one epoch more than its patience says."""
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": rate} for rate in rates]
    optimiser = torch.optim.SGD(groups)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, factor=factor, patience=patience - 1, threshold=min_delta,
        threshold_mode="abs", min_lr=min_lr, eps=0,
    )  # fmt: skip
    history = []
    for loss in losses:
        schedule.step(loss)
        history.append([group["lr"] for group in optimiser.param_groups])
    return {"rates": torch.tensor(history, dtype=torch.float64)}


def checkpoint_cases(rng: np.random.RandomState) -> Iterator[tuple]:
    """Yield losses by epoch; the best one is never where a naive copy would find it."""
    a, b, c = (0.5 + rng.rand(3)).round(3).tolist()
    for name, about, losses in (
        ("middle", "the best epoch is in the middle", [a + 3, a + 1, a, a + 2, a + 1.5]),
        ("first", "the first epoch is the best", [b, b + 1, b + 0.5]),
        ("tie", "of equal losses the first stays", [2.0, c, c + 0.25, c, c]),
        ("nan", "nan is never the best", [nan, c + 1, nan, c + 0.5, nan]),
        ("negative", "losses below zero", [-1.0, -2.5, -2.0, nan]),
        ("only_nan", "nothing to restore", [nan, nan]),
        ("single", "a single epoch", [a]),
    ):
        weight = 3 if name in ("tie", "nan") else 1
        yield name, about, {"losses": losses, "weight": drawn(rng, 3)}, weight, None


def restored(losses: list[float], weight: torch.Tensor) -> Tensors:
    """Add up: the weights start at `weight`, the means at 0, and each epoch adds 1."""
    best = int(np.nanargmin(losses)) if not np.isnan(losses).all() else None
    start = torch.stack([weight, torch.zeros_like(weight)])
    if best is not None:
        return {"weights": torch.stack([start + best + 1] * 2)}
    return {"weights": torch.stack([start + len(losses) + 100, start + len(losses) + 200])}


# Two sources


def split_checks(seed: int) -> Iterator[Check]:
    """Yield the checks of `split_by_domain`, by properties."""
    cases = public_and_hidden(domain_cases, seed)
    record = {name: f"return.{name}" for name in ("refused", "counts", "used_once")}
    title = "what is in which part, by source"
    yield check("split_parts", title, record, described, cases)
    record = {"refused": "return.refused", "weights": "return.weights"}
    yield check("split_weights", "weights of the two sources", record, described, cases)
    record = {n: f"return.{n}" for n in ("repeatable", "neighbours", "ever_in_dev", "ever_in_test")}
    title = "the seed decides, and not the order"
    yield check("split_chance", title, record, chances, public_and_hidden(chance_cases, seed))


def domain_cases(rng: np.random.RandomState) -> Iterator[tuple]:
    """Yield sources in several proportions and orders, some of them too small."""
    few = int(rng.randint(20, 40))
    for name, about, selfies, frames, dev, test, order in (
        ("office", "a hundred selfies for each frame", 100 * few, few, few // 4, few // 3, "mixed"),
        ("camera_first", "camera frames first", 50, 30, 7, 9, "first"),
        ("camera_last", "camera frames last", 40, 26, 5, 8, "last"),
        ("more_camera", "more frames than selfies", 3, 37, 6, 4, "mixed"),
        ("no_selfies", "no selfies", 0, 17, 5, 6, "mixed"),
        ("all_held_out", "no frame is left to train on", 23, 11, 5, 6, "mixed"),
        ("no_dev", "dev = 0", 13, 8, 0, 3, "mixed"),
        ("one_frame", "one camera frame, for the test", 9, 1, 0, 1, "mixed"),
        ("nothing_left", "one camera frame and nothing else", 0, 1, 1, 0, "mixed"),
        ("too_few", "too few camera frames", 60, 9, 5, 5, "mixed"),
        ("no_camera", "no camera frame at all", 12, 0, 1, 0, "mixed"),
    ):
        domains = np.array([0] * selfies + [1] * frames)
        domains = {"mixed": rng.permutation(domains), "first": domains[::-1], "last": domains}[
            order
        ]
        inputs = {"domains": torch.tensor(domains.copy()), "dev": dev, "test": test}
        yield name, about, inputs, 1, None


def described(domains: torch.Tensor, dev: int, test: int) -> Tensors:
    """Say what a split must look like, by counting."""
    selfies, frames = int((domains == 0).sum()), int((domains == 1).sum())
    if dev + test > frames:
        nothing = -torch.ones(3, 2).long()
        minus = number(-1)
        return {
            "refused": number(1), "counts": nothing, "used_once": minus,
            "weights": nothing[0].double(),
        }  # fmt: skip
    left = np.array([selfies, frames - dev - test])
    weights = [left.sum() / ((left > 0).sum() * n) if n else 0.0 for n in left]
    return {
        "refused": number(0),
        "counts": torch.tensor([left.tolist(), [0, dev], [0, test]]),
        "used_once": number(len(domains)),
        "weights": torch.tensor(weights, dtype=torch.float64),
    }


def chance_cases(rng: np.random.RandomState) -> Iterator[tuple]:
    """Yield so many seeds that each camera frame is drawn at least once."""
    for name, about, order in (("last", "camera frames last", 1), ("first", "and first", -1)):
        domains = torch.tensor(np.array([0] * int(rng.randint(5, 9)) + [1] * 30)[::order].copy())
        inputs = {"domains": domains, "dev": 3, "test": 4, "seeds": 300}
        yield name, f"30 frames, 300 seeds, {about}", inputs, 1, None


def chances(domains: torch.Tensor, dev: int, test: int, seeds: int) -> Tensors:
    """Expect each frame in each part: 300 draws miss one once in 10^12.

    The seven of one draw are all neighbours once in 10^5.
    """
    frames = number(int(domains.sum()))
    return {
        "repeatable": number(1),
        "neighbours": number(0),
        "ever_in_dev": frames,
        "ever_in_test": frames,
    }


# Accuracies


def count_cases(rng: np.random.RandomState) -> Iterator[tuple]:
    """Yield how many are right of how many."""
    N = int(rng.randint(80, 900))
    k = int(rng.randint(N // 3, N))
    for name, correct, total, z in (
        ("report", 57, 66, 1.96), ("other", 59, 66, 1.96), ("none", 0, 12, 1.96),
        ("all", 17, 17, 1.96), ("one", 1, 1, 1.96), ("drawn", k, N, 1.96),
        ("narrow", k, N, 1.0), ("large", 9_400, 10_000, 2.5758),
    ):  # fmt: skip
        inputs = {"correct": correct, "total": total, "z": z}
        yield name, f"{correct} of {total}, z = {z}", inputs, 1, RATES


def wilson(correct: int, total: int, z: float) -> Tensors:
    """Solve (k/n - p)² = z² p (1 - p) / n for p: the two roots are the ends."""
    rate = correct / total
    coefficients = [1 + z**2 / total, -(2 * rate + z**2 / total), rate**2]
    return {"interval": torch.tensor(np.sort(np.roots(coefficients)).real.clip(0, 1))}


# What all checks share


def check(
    name: str, title: str, records: Mapping[str, str], oracle: Any, cases: Iterable[Case]
) -> Check:
    """Build a check by position."""
    return Check(name=name, title=title, records=records, oracle=oracle, cases=tuple(cases))


def with_inputs(case: Case, *names: str) -> Case:
    """Copy a case with some of its inputs, in this order."""
    inputs = {name: case.inputs[name] for name in names}
    return Case(case.name, case.about, inputs, case.weight, case.tolerance, case.public)
