"""Two blocks, depthwise separable and residual."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from autograder.authoring.checks import Cases, Declared, Draws, Oracle, Sketch, case, check

from .weights import FLOAT32_LOOSE, Tensors, batch_norm, cast, normal

MARGIN = 1e-3  # of every pre-activation from 0
RECORDS = {
    "output": {"output": "return.output"},
    "gradients": {"x": "return.x", "weights": "return.weights"},
}


def block_checks(block: str, cases: Cases, oracle: Oracle) -> list[Declared]:
    """Declare the checks of a block's output and of its gradients."""
    return [
        check(f"{block}_{what}", f"{what} of the {block} block", records, cases)(oracle)
        for what, records in RECORDS.items()
    ]


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
    """Return the output, and the gradients of output · upstream with respect to x and weights."""
    learned = [weights[name] for name in sorted(weights) if weights[name].requires_grad]
    dx, *others = torch.autograd.grad((output * upstream).sum(), [x, *learned])
    flat = torch.cat([gradient.flatten() for gradient in others])
    return {"output": output.detach(), "x": dx, "weights": flat}


# The depthwise separable block


def separable_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield inputs of `run_separable`."""
    for name, c_in, c_out, k, stride, bias, (N, H, W), dtype in (
        ("plain", 3, 5, 3, 1, False, (2, 7, 6), torch.float64),
        ("stride", 4, 2, 3, 2, False, (2, 7, 8), torch.float64),
        ("wide_kernel_and_bias", 2, 3, 5, 1, True, (3, 6, 7), torch.float64),
        ("single_pixel", 3, 4, 1, 1, True, (1, 1, 1), torch.float64),
        ("float32", 3, 4, 3, 2, True, (2, 6, 5), torch.float32),
    ):
        weights = {
            "depthwise.weight": normal(rng, c_in, 1, k, k),
            "pointwise.weight": normal(rng, c_out, c_in, 1, 1),
        }
        if bias:
            weights |= {"depthwise.bias": normal(rng, c_in), "pointwise.bias": normal(rng, c_out)}
        x = normal(rng, N, c_in, H, W).to(dtype)
        upstream = normal(rng, N, c_out, -(-H // stride), -(-W // stride)).to(dtype)
        yield case(
            name, f"{c_in} -> {c_out} channels, k = {k}, stride {stride}{', bias' * bias}",
            tolerance=FLOAT32_LOOSE if dtype is torch.float32 else None,
            c_in=c_in, c_out=c_out, k=k, stride=stride, bias=bias,
            weights=cast(weights, dtype), x=x, upstream=upstream,
        )  # fmt: skip


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


SEPARABLE = block_checks("separable", separable_cases, separable)


# The residual block


def residual_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield inputs of `run_residual`, clear of the kinks of both ReLUs."""
    for name, c_in, c_out, stride, (N, H, W), training, dtype in (
        ("identity", 3, 3, 1, (2, 5, 6), False, torch.float64),
        ("wider", 2, 4, 1, (2, 5, 4), False, torch.float64),
        ("stride", 3, 5, 2, (2, 7, 6), False, torch.float64),
        ("stride_same_width", 3, 3, 2, (1, 6, 5), False, torch.float64),
        ("training", 2, 3, 2, (3, 5, 6), True, torch.float64),
        ("float32", 2, 4, 2, (2, 6, 5), False, torch.float32),
    ):
        while True:
            weights = cast(residual_weights(rng, c_in, c_out, stride), dtype)
            x = normal(rng, N, c_in, H, W).to(dtype)
            upstream = normal(rng, N, c_out, -(-H // stride), -(-W // stride)).to(dtype)
            inputs = pre_activations(stride, weights, x, training)
            if min(values.abs().min() for values in inputs) > MARGIN:
                break
        mode = ", in training mode" * training
        yield case(
            name, f"{c_in} -> {c_out} channels, stride {stride}{mode}",
            tolerance=FLOAT32_LOOSE if dtype is torch.float32 else None,
            c_in=c_in, c_out=c_out, stride=stride,
            weights=weights, x=x, upstream=upstream, training=training,
        )  # fmt: skip


def residual_weights(rng: Draws, c_in: int, c_out: int, stride: int) -> Tensors:
    """Draw the weights of a residual block, with a projection where the shapes differ."""
    weights = {
        "conv1.weight": normal(rng, c_out, c_in, 3, 3) / 3,
        **batch_norm(rng, "bn1", c_out),
        "conv2.weight": normal(rng, c_out, c_out, 3, 3) / 3,
        **batch_norm(rng, "bn2", c_out),
    }
    if stride != 1 or c_in != c_out:
        weights |= {"projection.0.weight": normal(rng, c_out, c_in, 1, 1)}
        weights |= batch_norm(rng, "projection.1", c_out)
    return weights


def pre_activations(
    stride: int, weights: Tensors, x: torch.Tensor, training: bool
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
    output = F.relu(pre_activations(stride, weights, x, training)[1])
    return differentiated(output, upstream, x, weights)


RESIDUAL = block_checks("residual", residual_cases, residual)
