"""Convolution sizes, batch norm, softmax with cross-entropy, Adam and Adagrad.

The oracles know the answers from torch: its convolution on the meta device, layer norm of
the transposed batch and autograd, cross-entropy with soft targets, its own optimisers.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance

Tensors = dict[str, torch.Tensor]
SHAPE = {name: f"return.{i}" for i, name in enumerate(("B", "W'", "H'", "filters"))}
FLOAT32_LOOSE = Tolerance(rtol=1e-4, atol=1e-5)  # sums that nearly cancel
ONES = Tolerance(rtol=2e-6, atol=1e-6)  # torch.ones(N, D) / N is float32, and no mistake
STEPS = Tolerance(rtol=1e-4, atol=2e-5)  # 0.999 ** tensor(3) is float32, and no mistake
GAP = Tolerance(rtol=1e-3, atol=2e-5)  # so is torch.arange(1, 9) ** -0.5

# a check of a function that uses neither torch.nn nor autograd
by_hand = partial(check, by_hand=True, pure=True)


def drawn(rng: Draws, *shape: int) -> torch.Tensor:
    """Draw numbers of order 1."""
    return torch.tensor(rng.randn(*shape).round(3))


def bounded(rng: Draws, *shape: int) -> torch.Tensor:
    """Draw numbers of order 1, none near 0."""
    values = rng.uniform(0.2, 2, size=shape) * rng.choice([-1, 1], size=shape)
    return torch.tensor(values.round(3))


# The size of a convolution's output


def conv_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield shapes of which `rest` cells remain, too few for another stride."""
    for name, about, kernel, padding, stride, dilation, rest in (
        ("plain", "no stride, no dilation", (3, 6), (2, 1), (1, 1), (1, 1), (0, 0)),
        ("stride", "strides with a remainder", (3, 5), (1, 0), (2, 3), (1, 1), (1, 2)),
        ("dilation", "dilated kernels", (3, 4), (0, 2), (1, 1), (3, 2), (0, 0)),
        ("everything", "padding, stride and dilation", (5, 2), (3, 1), (2, 4), (2, 3), (1, 3)),
        ("pointwise", "a kernel of one tap, with stride", (1, 1), (0, 0), (3, 2), (1, 1), (2, 1)),
        ("one_place", "a kernel that fits once", (4, 7), (1, 2), (2, 3), (2, 1), (0, 0)),
    ):
        places = (1, 1) if name == "one_place" else rng.permutation(np.arange(3, 12))[:2]
        sizes = [
            int(s * (n - 1) + r + d * (k - 1) + 1 - 2 * p)
            for n, k, p, s, d, r in zip(
                places, kernel, padding, stride, dilation, rest, strict=True
            )
        ]
        batch, channels, filters = (int(n) for n in rng.permutation(np.arange(2, 20))[:3])
        pairs = {"kernel": kernel, "padding": padding, "stride": stride, "dilation": dilation}
        inputs = {"shape": [batch, *sizes, channels], "filters": filters}
        inputs |= {key: list(pair) for key, pair in pairs.items()}
        yield case(name, about, **inputs)


@by_hand("conv_sizes", "shape of the output", SHAPE, conv_cases)
def conv_shape(
    shape: list[int],
    filters: int,
    kernel: list[int],
    padding: list[int],
    stride: list[int],
    dilation: list[int],
) -> Tensors:
    """Ask torch's convolution, on a device that computes shapes only."""
    batch, width, height, channels = shape
    x = torch.empty(batch, channels, width, height, device="meta")
    weight = torch.empty(filters, channels, *kernel, device="meta")
    y = F.conv2d(x, weight, stride=stride, padding=padding, dilation=dilation)
    found = y.permute(0, 2, 3, 1).shape
    return {name: torch.tensor(float(n)) for name, n in zip(SHAPE, found, strict=True)}


# Batch norm


def batch_cases(rng: Draws, upstream: bool = True) -> Iterator[Sketch]:
    """Yield inputs of the backward pass or, without upstream gradient, of the forward pass."""
    for name, about, N, D, eps in (
        ("batch", "6 samples, eps = 1e-5", 6, 4, 1e-5),
        ("odd", "7 samples, eps = 0.3", 7, 3, 0.3),
        ("two", "2 samples, eps = 0.5", 2, 5, 0.5),
        ("single", "1 sample, eps = 0.1", 1, 4, 0.1),
        ("float32", "5 samples, float32", 5, 3, 0.2),
    ):
        x, gamma = batch(rng, N, D), bounded(rng, D)
        if upstream:
            inputs = {"dout": drawn(rng, N, D), "x": x, "gamma": gamma}
        else:
            inputs = {"x": x, "gamma": gamma, "beta": drawn(rng, D)}
        tolerance = None
        if name == "float32":
            inputs = {key: value.float() for key, value in inputs.items()}
            tolerance = FLOAT32_LOOSE
        yield case(name, about, **inputs, eps=eps, tolerance=tolerance)


def batch(rng: Draws, N: int, D: int) -> torch.Tensor:
    """Draw a batch (N, D), no column of which is nearly constant."""
    while True:
        x = rng.randn(N, D) * rng.uniform(0.7, 2, size=D) + rng.uniform(-3, 3, size=D)
        if N == 1 or x.var(axis=0).min() > 0.05:
            return torch.tensor(x.round(3))


def normalised(x: torch.Tensor, eps: float) -> torch.Tensor:
    """Normalise by torch's layer norm: that of the transposed batch is batch norm."""
    return F.layer_norm(x.T, (len(x),), eps=eps).T


@by_hand(
    "batchnorm_forward_values", "output of batch norm", {"y": "return"},
    partial(batch_cases, upstream=False),
)  # fmt: skip
def batchnorm(x: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor, eps: float) -> Tensors:
    """Scale and shift what is normalised."""
    return {"y": gamma * normalised(x, eps) + beta}


def gradients(dout: torch.Tensor, x: torch.Tensor, gamma: torch.Tensor, eps: float) -> Tensors:
    """Compute by autograd, with a leaf at each step, in double precision."""
    dtype, (dout, x, gamma) = x.dtype, (tensor.double() for tensor in (dout, x, gamma))
    leaf = x.clone().requires_grad_()
    gamma, beta = gamma.clone().requires_grad_(), torch.zeros_like(gamma).requires_grad_()
    y = gamma * normalised(leaf, eps) + beta
    found = dict(zip(("dx", "dgamma", "dbeta"), slopes(y, dout, leaf, gamma, beta), strict=True))

    mean = x.mean(dim=0).requires_grad_()
    variance = (x - mean).square().mean(dim=0)
    x_hat = (x - mean) / (variance + eps).sqrt()
    inside = slopes(gamma * x_hat, dout, x_hat, variance, mean)
    found |= dict(zip(("dx_hat", "dvar", "dmean"), inside, strict=True))
    return {name: value.to(dtype) for name, value in found.items()}


def slopes(y: torch.Tensor, dout: torch.Tensor, *to: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Differentiate the sum of y × dout with respect to each of `to`."""
    return torch.autograd.grad((y * dout).sum(), to, retain_graph=True)


def by_key(*keys: str) -> dict[str, str]:
    """Record items of a dict by their keys."""
    return {key: f"return.{key}" for key in keys}


GRADIENTS = [
    by_hand(f"batchnorm_{name}", title, records, batch_cases, tolerance=ONES)(gradients)
    for name, title, records in (
        ("gradients_parameters", "gradients with respect to γ and β", by_key("dgamma", "dbeta")),
        (
            "gradients_inside",
            "gradients with respect to x̂, σ² and μ",
            by_key("dx_hat", "dvar", "dmean"),
        ),
        ("gradient_x", "gradient with respect to x", by_key("dx")),
    )
]


def identity_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield batches in which no column is constant."""
    for one in batch_cases(rng):
        if one.name != "single":
            yield replace(one, inputs={key: one.inputs[key] for key in ("x", "eps")})


@by_hand(
    "batchnorm_identity", "γ and β of the identity", {"gamma": "return.0", "beta": "return.1"},
    identity_cases,
)  # fmt: skip
def identity(x: torch.Tensor, eps: float) -> Tensors:
    """Solve for γ and β from the two samples of each column that are farthest apart."""
    x_hat = normalised(x.double(), eps)
    high, low = x.argmax(dim=0, keepdim=True), x.argmin(dim=0, keepdim=True)
    apart = (x.double().gather(0, high) - x.double().gather(0, low)).squeeze(0)
    gamma = apart / (x_hat.gather(0, high) - x_hat.gather(0, low)).squeeze(0)
    beta = (x.double() - gamma * x_hat)[0]
    return {"gamma": gamma.to(x.dtype), "beta": beta.to(x.dtype)}


# Softmax with cross-entropy


def logit_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield logits, and targets whose rows sum to 1."""
    for name, about, N, C in (
        ("one_hot", "5 samples, one-hot targets", 5, 4),
        ("smoothed", "6 samples, smoothed targets", 6, 3),
        ("mixed", "4 samples, mixed targets", 4, 7),
        ("single", "1 sample", 1, 5),
        ("float32", "3 samples, float32", 3, 6),
        ("extreme", "very large logits beside small ones", 4, 3),
    ):
        z = drawn(rng, N, C)
        hard = torch.eye(C, dtype=z.dtype)[torch.tensor(rng.randint(C, size=N))]
        targets = torch.tensor(rng.dirichlet(np.ones(C), size=N))
        if name in ("one_hot", "smoothed"):
            targets = hard if name == "one_hot" else 0.7 * hard + 0.3 / C
        if name == "extreme":
            z[0] *= 10_000
            z[1] -= 10_000
            z[2, 0], z[2, 1] = 10_000, -10_000
            targets[2] = torch.eye(C, dtype=z.dtype)[0]
        if name == "float32":
            z, targets = z.float(), targets.float()
        tolerance = FLOAT32_LOOSE if name == "float32" else None
        weight = 2 if name == "extreme" else 1
        yield case(name, about, weight, z=z, targets=targets, tolerance=tolerance)


def cross_entropy(z: torch.Tensor, targets: torch.Tensor) -> Tensors:
    """Compute by torch's cross-entropy with class probabilities, and autograd."""
    z = z.clone().requires_grad_()
    loss = F.cross_entropy(z, targets)
    return {"loss": loss.detach(), "dz": torch.autograd.grad(loss, z)[0]}


CROSS_ENTROPY = [
    by_hand(name, title, records, logit_cases)(cross_entropy)
    for name, title, records in (
        ("softmax_loss", "cross-entropy with soft targets", {"loss": "return.0"}),
        ("softmax_gradient", "gradient with respect to the logits", {"dz": "return.1"}),
    )
]


# Adam and Adagrad


def adam_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield inputs of Adam."""
    for name, about, T, D, beta1, beta2, eps in (
        ("paper", "7 steps, the paper's betas", 7, 3, 0.9, 0.999, 1e-8),
        ("short", "6 steps, a short memory, eps = 0.3", 6, 4, 0.6, 0.8, 0.3),
        ("no_momentum", "5 steps, beta1 = 0", 5, 2, 0.0, 0.9, 0.1),
        ("no_memory", "4 steps, both betas 0", 4, 3, 0.0, 0.0, 0.2),
        ("one_step", "1 step", 1, 5, 0.8, 0.95, 0.2),
        ("quiet", "gradients that are 0 at first", 6, 3, 0.7, 0.9, 0.05),
        ("float32", "5 steps, float32", 5, 4, 0.8, 0.9, 0.1),
    ):
        inputs = steps(rng, name, T, D)
        rates = torch.tensor(rng.uniform(0.1, 0.6, size=T).round(3)).to(inputs["w"].dtype)
        inputs |= {"rates": rates, "beta1": beta1, "beta2": beta2, "eps": eps}
        yield case(name, about, **inputs, tolerance=FLOAT32_LOOSE if name == "float32" else None)


def adagrad_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield inputs of Adagrad."""
    for name, about, T, D, rate, eps in (
        ("several", "6 steps, eps = 1e-8", 6, 3, 0.7, 1e-8),
        ("large_eps", "5 steps, eps = 0.3", 5, 4, 0.4, 0.3),
        ("one_step", "1 step", 1, 5, 0.3, 0.2),
        ("quiet", "gradients that are 0 at first", 7, 3, 0.5, 0.05),
        ("float32", "4 steps, float32", 4, 2, 0.6, 0.1),
    ):
        inputs = steps(rng, name, T, D) | {"rate": rate, "eps": eps}
        yield case(name, about, **inputs, tolerance=FLOAT32_LOOSE if name == "float32" else None)


def steps(rng: Draws, name: str, T: int, D: int) -> Tensors:
    """Draw a start w (D,) and gradients (T, D)."""
    w, gradients = drawn(rng, D), bounded(rng, T, D)
    if name == "quiet":
        gradients[:2, 0] = 0
    dtype = torch.float32 if name == "float32" else torch.float64
    return {"w": w.to(dtype), "gradients": gradients.to(dtype)}


@by_hand("adam_values", "iterates of Adam", {"iterates": "return"}, adam_cases, tolerance=STEPS)
def adam(
    w: torch.Tensor,
    gradients: torch.Tensor,
    rates: torch.Tensor,
    beta1: float,
    beta2: float,
    eps: float,
) -> Tensors:
    """Let torch's Adam make the steps."""
    w = w.clone()
    optimiser = torch.optim.Adam([w], betas=(beta1, beta2), eps=eps, foreach=False)
    return {"iterates": iterates(w, optimiser, gradients, rates)}


@by_hand(
    "adagrad_values", "iterates of Adagrad", {"iterates": "return"}, adagrad_cases, tolerance=STEPS
)
def adagrad(w: torch.Tensor, gradients: torch.Tensor, rate: float, eps: float) -> Tensors:
    """Let torch's Adagrad make the steps."""
    w = w.clone()
    optimiser = torch.optim.Adagrad([w], eps=eps, foreach=False)
    rates = torch.full((len(gradients),), rate, dtype=torch.float64)
    return {"iterates": iterates(w, optimiser, gradients, rates)}


def iterates(
    w: torch.Tensor,
    optimiser: torch.optim.Optimizer,
    gradients: torch.Tensor,
    rates: torch.Tensor,
) -> torch.Tensor:
    """Make a step with each of the given gradients and rates; return where each one led."""
    found = []
    for gradient, rate in zip(gradients, rates, strict=True):
        w.grad = gradient.clone()
        optimiser.param_groups[0]["lr"] = rate.item()
        optimiser.step()
        found.append(w.clone())
    return torch.stack(found)


def gap_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield gradients, none 0, with beta2 nearer and nearer to 1.

    The largest difference is a negative one, and not among the last iterates.
    """
    for name, T, D, rate, beta2 in (
        ("far", 8, 3, 0.5, 0.8),
        ("nearer", 12, 2, 1.5, 0.95),
        ("near", 6, 4, 2.5, 0.99),
    ):
        while True:
            gradients = bounded(rng, T, D)
            found = differences(gradients, rate, beta2)
            if max(found.max(), np.abs(found[-1]).max()) < 0.8 * np.abs(found).max():
                break
        about = f"{T} steps, beta2 = {beta2}"
        yield case(name, about, gradients=gradients, rate=rate, beta2=beta2)


@by_hand(
    "adagrad_limit", "largest difference of Adam and Adagrad", {"gap": "return"}, gap_cases,
    tolerance=GAP,
)  # fmt: skip
def gap(gradients: torch.Tensor, rate: float, beta2: float) -> Answers:
    """Take the largest difference of the closed forms."""
    return {"gap": np.abs(differences(gradients, rate, beta2)).max()}


def differences(gradients: torch.Tensor, rate: float, beta2: float) -> np.ndarray:
    """Subtract Adagrad's iterates from Adam's (T, D), each in closed form, in NumPy."""
    squares = gradients.numpy() ** 2
    t = np.arange(1, len(squares) + 1)[:, None]
    powers = np.tril(float(beta2) ** np.abs(t - t.T))
    average = powers @ squares / powers.sum(axis=1, keepdims=True)
    adam_steps = gradients.numpy() / np.sqrt(t * average)
    adagrad_steps = gradients.numpy() / np.sqrt(np.cumsum(squares, axis=0))
    return -rate * np.cumsum(adam_steps - adagrad_steps, axis=0)
