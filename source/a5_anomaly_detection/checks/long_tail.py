"""Focal loss, by hand, and class-balanced weights."""

from collections.abc import Iterator, Mapping
from math import fsum
from typing import Any

import numpy as np
import torch

from autograder.cases import FLOAT32, FLOAT64
from autograder.checks import Check, Kind, Mistake, public_and_hidden

Tensors = dict[str, torch.Tensor]


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks of this part; `seed` draws the hidden cases."""
    cases = public_and_hidden(logit_cases, seed)
    yield Check(
        name="focal_loss_value",
        title="focal loss",
        records={"loss": "return.loss", "slope": "return.slope"},
        cases=cases,
        oracle=loss_and_slope,
        pure=True,
    )
    yield Check(
        name="focal_loss_gradient",
        title="its gradient, by hand",
        records={"gradient": "return"},
        cases=tuple(case for case in cases if not case.name.endswith("near")),
        oracle=lambda *inputs: {"gradient": by_autograd(*inputs)["gradient"]},
        by_hand=True,
        pure=True,
    )
    yield Check(
        name="class_balanced_weight_values",
        title="weights by the effective number of images",
        records={"weights": "return"},
        cases=public_and_hidden(count_cases, seed),
        oracle=added_up,
        pure=True,
    )


# The focal loss


def logit_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield logits, labels, gamma and weights that average nothing in particular."""
    for name, about, N, C, gamma, weight in (
        ("two", "6 images, 4 classes, gamma = 2", 6, 4, 2.0, 2),
        ("half", "5 images, 3 classes, gamma = 0.5", 5, 3, 0.5, 2),
        ("one", "3 images, 6 classes, gamma = 1", 3, 6, 1, 1),
        ("five", "7 images, 2 classes, gamma = 5", 7, 2, 5.0, 1),
        ("zero", "4 images, 5 classes, gamma = 0: weighted cross-entropy", 4, 5, 0.0, 1),
        ("single", "a single image, gamma = 1.5", 1, 4, 1.5, 1),
    ):
        logits = torch.tensor((1.5 * rng.randn(N, C)).round(3))
        inputs = {"logits": logits, "y": labels(rng, N, C), "gamma": gamma}
        yield name, about, {**inputs, "weights": weights(rng, C)}, weight
    logits = torch.tensor((1.5 * rng.randn(5, 3)).round(3)).float()
    inputs = {"logits": logits, "y": labels(rng, 5, 3), "gamma": 2.0}
    yield "float32", "float32", {**inputs, "weights": weights(rng, 3).float()}, 1, FLOAT32
    for gamma in (0.5, 2.0, 0.0):
        name = f"extreme_{gamma:g}".replace(".", "_")
        about = f"logits of ±10,000 beside others, gamma = {gamma:g}"
        yield name, about, extreme(rng, gamma), 1, FLOAT64
    inputs = {}
    while not inputs or digits_lost(**inputs) < 5 * FLOAT32.rtol:
        near = torch.tensor(1e4 + 1.5 * rng.randn(2, 3)).float()  # multiples of 1 / 1024
        inputs = {"logits": near, "y": near.argmax(dim=1), "gamma": 2.0}
        inputs["weights"] = weights(rng, 3).float()
    yield "near", "float32, logits of 10,000 close to each other", inputs, 1, FLOAT32


def digits_lost(
    logits: torch.Tensor, y: torch.Tensor, gamma: float, weights: torch.Tensor
) -> float:
    """Say how far off the loss is if logsumexp rounds to the digits of large logits."""
    log_p = (logits.gather(1, y[:, None]) - logits.logsumexp(dim=1, keepdim=True))[:, 0]
    rounded = -(weights[y] * (1 - log_p.exp()) ** gamma * log_p).mean()
    exact = by_autograd(logits, y, gamma, weights)["loss"]
    return abs(rounded / exact - 1).item()


def labels(rng: np.random.RandomState, N: int, C: int) -> torch.Tensor:
    """Draw labels, as different as they can be."""
    return torch.tensor(np.concatenate([rng.permutation(C), rng.randint(C, size=N)])[:N])


def weights(rng: np.random.RandomState, C: int) -> torch.Tensor:
    """Draw the weights of classes."""
    return torch.tensor(rng.uniform(0.3, 3.0, C).round(2))


def extreme(rng: np.random.RandomState, gamma: float) -> dict:
    """Draw images that are right with p = 1, by far and by a little, wrong with p = 0, and usual.

    Those with p = 1 come in two: logits so far apart that exp of the difference is 0, and so
    that it is lost in the sum only.
    """
    logits, y = rng.randn(7, 4).round(3), rng.permutation(4)[[0, 1, 2, 3, 0, 1, 2]]
    rows = np.arange(len(y))
    logits[rows[:2], y[:2]] += 1e4  # right
    logits[2, y[2]] += 45  # right, and 1 - p is 0 in float64 all the same
    logits[3, (y[3] + 1) % 4] += 1e4  # wrong
    logits[4, y[4]] -= 1e4
    logits[1] -= 1e4
    return {"logits": torch.tensor(logits), "y": torch.tensor(y), "gamma": gamma,
            "weights": weights(rng, 4)}  # fmt: skip


def by_autograd(
    logits: torch.Tensor, y: torch.Tensor, gamma: float, weights: torch.Tensor
) -> Tensors:
    """Compute loss and gradient by autograd, with log(1 - p) from the logits of the other classes.

    (1 - p) ** gamma = exp(gamma log(1 - p)) has no edge at p = 1.
    """
    z = logits.double().requires_grad_()
    losses = []
    for row, label in zip(z, y.tolist(), strict=True):
        others = torch.cat([row[:label], row[label + 1 :]]).logsumexp(dim=0)
        total = torch.logaddexp(row[label], others)
        factor = (gamma * (others - total)).exp()
        losses.append(weights[label].double() * factor * (total - row[label]))
    loss = torch.stack(losses).sum() / len(y)
    (gradient,) = torch.autograd.grad(loss, z)
    return {"loss": loss.detach().to(logits.dtype), "gradient": gradient.to(logits.dtype)}


def loss_and_slope(*inputs: Any) -> Tensors:
    """Leave out the gradient where autograd has other limits than the formula: at p = 1."""
    found = by_autograd(*inputs)
    usual = inputs[0].abs().max() < 100
    return {"loss": found["loss"], "slope": found["gradient"] if usual else inputs[0].new_zeros(())}


# Class-balanced weights


def count_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield numbers of images of each class, and beta."""
    tail = [int(n) for n in rng.randint((50, 20, 9, 4, 2), (70, 30, 14, 8, 4))]
    for name, about, counts, beta, weight in (
        ("tail", "a long tail", tail, 0.9, 2),
        ("strong", "a long tail", tail, 0.999, 1),
        ("absent", "two classes without images", [0, *tail[1:4], 0], 0.99, 3),
        ("zero", "all that counts is whether there is a class", [*tail[:3], 0], 0.0, 1),
        ("precise", "beta close to 1", [int(rng.randint(15, 30)), 1, 7], 0.999999, 2),
        ("large", "thousands of images", [int(rng.randint(4000, 5000)), 393, 6419], 0.9997, 1),
        ("single", "one class", [0, 3], 0.5, 1),
    ):
        inputs = {"counts": torch.tensor(counts), "beta": beta}
        yield name, f"{about}, beta = {beta:g}", inputs, weight


def added_up(counts: torch.Tensor, beta: float) -> Tensors:
    """Add up what each further image is worth, in Python."""
    n = counts.tolist()
    worth = [fsum(beta**i for i in range(count)) for count in n]
    found = [1 / value if value else 0.0 for value in worth]
    mean = fsum(count * w for count, w in zip(n, found, strict=True)) / sum(n)
    return {"weights": torch.tensor([w / mean for w in found], dtype=torch.float64)}


LOG_P = "log_p = logits.log_softmax(dim=1).gather(1, y[:, None]).squeeze(1)"
FACTOR = "(1 - log_p.exp()) ** gamma"
MEAN = "-(weights[y] * factor * log_p).mean()"
SCALE = "weights[y][:, None] * miss**gamma * (1 - gamma * ratio)"
RATIO = "torch.where(miss > 0, p * log_p / miss, -1.0)"
RETURNED = "return scale * error / len(y)"
EFFECTIVE = "(1 - beta**n) / (1 - beta)"
AVERAGED = "weights * n.sum() / (n * weights).sum()"


def wrong(
    cell: str, check: str, name: str, change: Mapping[str, str], share: float, hint: str
) -> Mistake:
    """Build a mistake that one check catches."""
    return Mistake(name, cell, change, (check,), share, hint)


def loss(name: str, change: Mapping[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `focal_loss`."""
    return wrong("focal_loss", "focal_loss_value", name, change, share, hint)


def gradient(name: str, change: Mapping[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `focal_gradient`."""
    return wrong("focal_gradient", "focal_loss_gradient", name, change, share, hint)


def balanced(name: str, change: Mapping[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `class_balanced_weights`."""
    cell = "class_balanced_weights"
    return wrong(cell, "class_balanced_weight_values", name, change, share, hint)


MISTAKES: tuple[Mistake, ...] = (
    loss("sum_over_images", {MEAN: MEAN.replace("mean", "sum")}, 0.5,
         "the losses were added up. Divide by the number of images."),
    loss("divided_by_the_weights",
         {MEAN: "-(weights[y] * factor * log_p).sum() / weights[y].sum()"}, 0.6,
         "the sum was divided by the weights of the images, as F.cross_entropy does. Divide by N."),
    loss("weights_left_out", {MEAN: "-(factor * log_p).mean()"}, 0.5,
         "the weights of the classes have no effect."),
    loss("factor_left_out", {FACTOR: "torch.ones_like(log_p)"}, 0.2,
         "this is the weighted cross-entropy: the factor (1 - p) ** gamma is missing."),
    loss("factor_of_p", {FACTOR: "log_p.exp() ** gamma"}, 0.4,
         "the factor is p ** gamma: what is right already counts most. It is (1 - p) ** gamma."),
    loss("gamma_as_a_factor", {FACTOR: "gamma * (1 - log_p.exp())"}, 0.4,
         "1 - p was multiplied by gamma. It is raised to that power."),
    loss("sign_of_the_loss", {MEAN: MEAN[1:]}, 0.6,
         "the loss is negative: the minus before the logarithm is missing."),
    loss("factor_of_the_mean_loss",
         {FACTOR: "(1 - (weights[y] * log_p).mean().exp()) ** gamma"}, 0.3,
         "the factor was computed from the mean loss of the batch. Each image has its own."),
    loss("weight_inside_the_factor", {FACTOR: "(1 - (weights[y] * log_p).exp()) ** gamma"}, 0.5,
         "the factor was computed from the weighted cross-entropy: exp(-loss) is p only without "
         "the weight. Multiply by the weight at the end."),
    loss("logarithm_of_the_softmax",
         {LOG_P: "log_p = logits.softmax(dim=1).gather(1, y[:, None]).squeeze(1).log()"}, 0.7,
         "large logits give infinity or NaN: the softmax is exactly 0 there. Use log_softmax."),
    loss("digits_lost_in_float32",
         {LOG_P: "log_p = (logits.gather(1, y[:, None]) - logits.logsumexp(dim=1, keepdim=True))"
          ".squeeze(1)"}, 0.7,
         "large logits lose digits in float32: their logsumexp is as large as they are, and it was "
         "rounded before the logit was subtracted. Use log_softmax, which subtracts the largest "
         "logit first."),
    loss("loss_without_gradient", {MEAN: f"({MEAN}).detach()"}, 0.5,
         "the loss is right, but no gradient flows through it (torch.no_grad, detach, .item()): "
         "nothing could be learned from it."),
    loss("factor_detached", {FACTOR: "(1 - log_p.exp().detach()) ** gamma"}, 0.6,
         "the loss is right, but not its gradient: the factor (1 - p) ** gamma was cut off with "
         "detach or torch.no_grad. It depends on the logits, too."),
    loss("divided_by_all_weights",
         {MEAN: "-(weights[y] * factor * log_p).sum() / weights.sum()"}, 0.5,
         "the sum was divided by the sum of the classes' weights. Divide by N."),
    loss("product_of_means",
         {MEAN: "factor.mean() * torch.nn.functional.cross_entropy(logits, y, weights)"}, 0.4,
         "the factors were averaged, and so was the cross-entropy, by F.cross_entropy. Multiply "
         "image by image (reduction=\"none\"), and take the mean at the end."),
    loss("softmax_over_images", {LOG_P: LOG_P.replace("dim=1", "dim=0")}, 0.2,
         "the softmax was taken over the images (dim=0). Take it over the classes, dim=1."),
    loss("two_classes_each",
         {LOG_P: "log_p = torch.nn.functional.logsigmoid(logits).gather(1, y[:, None]).squeeze(1)"},
         0.3, "p is a sigmoid of the true class's logit, as in a detector with yes or no for each "
         "class. Here it is a softmax over the classes."),
    gradient("factor_taken_as_constant",
             {SCALE: "weights[y][:, None] * miss**gamma + 0 * ratio"}, 0.4,
             "(1 - p) ** gamma was treated as a constant. It depends on the logits as well: the "
             "product rule has two terms."),
    gradient("sign_of_the_second_term", {"(1 - gamma * ratio)": "(1 + gamma * ratio)"}, 0.5,
             "the term with gamma has the wrong sign. log p is negative, so 1 - gamma p log p / "
             "(1 - p) is larger than 1."),
    gradient("gradient_by_p", {RATIO: "torch.where(miss > 0, log_p / miss, -1.0)"}, 0.5,
             "in the term with gamma the factor p is missing, which comes from dp/dz."),
    gradient("not_divided_by_n", {RETURNED: "return scale * error"}, 0.5,
             "the gradient was not divided by N. The loss is a mean."),
    gradient("divided_by_weights", {RETURNED: "return scale * error / weights[y].sum()"}, 0.5,
             "the gradient was divided by the weights of the images. Divide by N."),
    gradient("weights_forgotten", {SCALE: "miss**gamma * (1 - gamma * ratio)"}, 0.5,
             "the weights of the classes have no effect."),
    gradient("one_hot_not_subtracted", {" - F.one_hot(y, logits.shape[1])": ""}, 0.3,
             "the one-hot label was not subtracted: the last bracket is p_c - [c = y]."),
    gradient("sign_of_the_gradient", {RETURNED: "return -scale * error / len(y)"}, 0.5,
             "the sign is wrong: this is minus the gradient."),
    gradient("true_class_only",
             {RETURNED: "return scale * error * F.one_hot(y, logits.shape[1]) / len(y)"}, 0.3,
             "only the logit of the true class has a gradient. p depends on all logits."),
    gradient("gradient_of_cross_entropy", {SCALE: "weights[y][:, None] + 0 * ratio"}, 0.2,
             "this is the gradient of the weighted cross-entropy, whatever gamma is."),
    gradient("nan_at_one",
             {SCALE: "weights[y][:, None] * (miss**gamma - gamma * miss ** (gamma - 1) * p * log_p"
              " + 0 * ratio)"}, 0.7,
             "at p = 1 there is NaN: 0 times infinity. The gradient is 0 there."),
    gradient("nan_in_the_ratio", {RATIO: "p * log_p / miss"}, 0.7,
             "at p = 1 there is NaN: 0 divided by 0. Choose with torch.where, or keep 1 - p away "
             "from 0."),
    gradient("gradient_of_logarithm_of_zero",
             {"log_p = log_probabilities.gather(1, y[:, None])":
              "log_p = log_probabilities.exp().gather(1, y[:, None]).log()"}, 0.7,
             "at p = 0 there is NaN: log 0 is -∞, and 0 times that is no number. Take the "
             "logarithm from log_softmax."),
    balanced("average_over_classes", {AVERAGED: "weights * (n > 0).sum() / weights.sum()"}, 0.6,
             "the weights average 1 over the classes, as in a4. Here they average 1 over the "
             "training images: (n * w).sum() equals n.sum()."),
    balanced("added_up_to_the_classes", {AVERAGED: "weights * len(n) / weights.sum()"}, 0.6,
             "the weights add up to the number of classes, as in the paper. Here they average 1 "
             "over the training images."),
    balanced("added_up_to_one", {AVERAGED: "weights / weights.sum()"}, 0.4,
             "the weights add up to 1. Here they average 1 over the training images."),
    balanced("images_add_up_to_one", {AVERAGED: "weights / (n * weights).sum()"}, 0.5,
             "the weights of all images add up to 1. Here their mean is 1: multiply by the number "
             "of images."),
    balanced("inverse_of_counts", {EFFECTIVE: "n + 0 * beta"}, 0.3,
             "this is 1 / n, whatever β is. Put the effective number in its place."),
    balanced("proportional_to_the_number", {"1 / effective": "effective"}, 0.3,
             "frequent classes have the large weights. They are proportional to 1 / E."),
    balanced("beta_multiplied", {EFFECTIVE: "n * beta + (1 - beta) * (n > 0)"}, 0.3,
             "β was multiplied by the number of images. It is raised to that power."),
    balanced("absent_class_divides",
             {"torch.where(n > 0, 1 / effective, 0.0)": "1 / effective",
              AVERAGED: "weights * n.sum() / (n * weights)[n > 0].sum()"}, 0.5,
             "a class without images has E = 0, and 1 / 0 is infinite. Its weight is 0."),
    balanced("absent_class_as_one",
             {"n = counts.double()": "n = counts.double().clamp(min=1)"}, 0.5,
             "a class without images was treated as if it had one. Its weight is 0."),
    balanced("power_of_whole_numbers", {"1 - beta**n": "1 - (beta**counts).double()"}, 0.6,
             "beta ** counts was computed in float32, where 1 - 0.99998 has lost its digits. Use "
             "counts.double()."),
)  # fmt: skip
