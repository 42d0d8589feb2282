"""Weights for classes and samples, and logits adjusted by class priors."""

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from math import fsum, log

import numpy as np
import torch
from sklearn.utils.class_weight import compute_sample_weight

from autograder.cases import FLOAT32, Tolerance
from autograder.checks import Check, Kind, Mistake, public_and_hidden

Tensors = dict[str, torch.Tensor]
WEIGHTS = Tolerance(rtol=1e-6, atol=1e-9)
ADJUSTED = Tolerance(rtol=1e-6, atol=1e-6)  # a prior in float32 is right enough
REPORTED = (3542, 393, 3651, 6419, 4245, 2820, 4351)  # the training part of the report


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks of this part; `seed` draws the hidden cases."""
    yield Check(
        name="inverse_frequency_values",
        title="class weights, inverse frequency",
        records={"weights": "return"},
        cases=public_and_hidden(count_cases, seed),
        oracle=inverse,
        pure=True,
    )
    yield Check(
        name="effective_number_values",
        title="class weights, effective number",
        records={"weights": "return"},
        cases=public_and_hidden(beta_cases, seed),
        oracle=diminishing,
        pure=True,
    )
    yield Check(
        name="sample_weight_values",
        title="probability of drawing each image",
        records={"weights": "return"},
        cases=public_and_hidden(label_cases, seed),
        oracle=balanced,
        pure=True,
    )
    yield Check(
        name="adjusted_logits",
        title="logits, adjusted by the prior",
        records={"logits": "return"},
        cases=public_and_hidden(logit_cases, seed),
        oracle=adjusted,
        pure=True,
    )


def numbers(rng: np.random.RandomState, *ranges: tuple[int, int]) -> torch.Tensor:
    """Draw one number of images from each range, in random order."""
    return torch.tensor(rng.permutation([rng.randint(low, high) for low, high in ranges]))


def reported(rng: np.random.RandomState) -> torch.Tensor:
    """Return the numbers of the report, in random order."""
    return torch.tensor(rng.permutation(REPORTED))


def count_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield numbers of images by class."""
    for name, about, counts in (
        ("faces", "7 classes, one rare", reported(rng)),
        ("few", "4 classes of few images", numbers(rng, (1, 4), (5, 9), (20, 40), (60, 90))),
        ("absent", "5 classes, two without images",
         numbers(rng, (0, 1), (0, 1), (11, 30), (40, 70), (200, 400))),
        ("one", "3 classes, only one occurs", numbers(rng, (0, 1), (0, 1), (11, 30))),
        ("binary", "2 classes", numbers(rng, (10, 30), (900, 2000))),
    ):  # fmt: skip
        yield name, about, {"counts": counts}, 1, WEIGHTS


def inverse(counts: torch.Tensor) -> Tensors:
    """Divide the harmonic mean by each count, in exact fractions."""
    occurring = [Fraction(n) for n in counts.tolist() if n]
    harmonic = len(occurring) / sum(1 / n for n in occurring)
    weights = [float(harmonic / n) if n else 0.0 for n in counts.tolist()]
    return {"weights": torch.tensor(weights, dtype=torch.float64)}


def beta_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield numbers of images, and how much the next image adds."""
    few = numbers(rng, (2, 5), (9, 15), (20, 40), (60, 90))
    for name, about, counts, beta in (
        ("faces", "7 classes, one rare", reported(rng), 0.999),
        ("few", "4 classes of few images", few, 0.9),
        ("absent", "5 classes, two without images",
         numbers(rng, (0, 1), (0, 1), (3, 10), (40, 70), (200, 400)), 0.97),
        ("zero", "4 classes, one without images",
         numbers(rng, (0, 1), (1, 9), (10, 20), (30, 50)), 0.0),
        ("near_one", "5 classes",
         numbers(rng, (15, 25), (30, 60), (100, 200), (300, 400), (500, 900)), 0.999999),
        ("one", "3 classes, only one occurs", numbers(rng, (0, 1), (0, 1), (11, 30)), 0.5),
    ):  # fmt: skip
        inputs = {"counts": counts, "beta": beta}
        yield name, f"{about}, beta = {beta}", inputs, 1, WEIGHTS


def diminishing(counts: torch.Tensor, beta: float) -> Tensors:
    """Add up what each image is worth."""
    worth = [fsum(beta**i for i in range(n)) for n in counts.tolist()]
    inverse = [1 / value if value else 0.0 for value in worth]
    mean = fsum(inverse) / np.count_nonzero(inverse)
    return {"weights": torch.tensor([value / mean for value in inverse], dtype=torch.float64)}


def label_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield labels, and the number of classes there are."""
    for name, about, counts in (
        ("seven", "80 images, 7 classes", (11, 2, 12, 20, 13, 9, 13)),
        ("absent", "30 images, two of 5 classes do not occur", (7, 0, 22, 1, 0)),
        ("single", "a single image, 4 classes", (0, 0, 1, 0)),
        ("binary", "26 images, 2 classes", (3, 23)),
    ):
        y = np.repeat(rng.permutation(len(counts)), counts)
        inputs = {"y": torch.tensor(rng.permutation(y)), "num_classes": len(counts)}
        yield name, about, inputs, 1, WEIGHTS


def balanced(y: torch.Tensor, num_classes: int) -> Tensors:
    """Let scikit-learn balance: its weights average 1 over the images."""
    weights = compute_sample_weight("balanced", y.numpy())
    return {"weights": torch.tensor(weights / len(y), dtype=torch.float64)}


def logit_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield logits, numbers of training images, and tau."""
    some = numbers(rng, (3, 9), (20, 40), (60, 90), (300, 400))
    absent = numbers(rng, (0, 1), (4, 9), (20, 40), (200, 300), (0, 1))
    for name, about, N, counts, tau in (
        ("faces", "5 images, 7 classes", 5, reported(rng), 1.0),
        ("half", "3 images, 4 classes", 3, some, 0.5),
        ("zero", "4 images, 4 classes", 4, some, 0.0),
        ("absent", "4 images, 5 classes, two without training images", 4, absent, 1.3),
        ("single", "a single image", 1, reported(rng), 2.5),
    ):
        logits = torch.tensor((2 * rng.randn(N, len(counts))).round(3))
        inputs = {"logits": logits, "counts": counts, "tau": tau}
        yield name, f"{about}, tau = {tau}", inputs, 3 if name == "absent" else 1, ADJUSTED
    logits = torch.tensor((2 * rng.randn(3, 4)).round(3)).float()
    inputs = {"logits": logits, "counts": some, "tau": 0.8}
    yield "float32", "float32, tau = 0.8", inputs, 1, Tolerance(FLOAT32.rtol, 1e-5)
    logits = torch.tensor(rng.choice([-1e4, 1e4], size=(3, 4)) + rng.randn(3, 4).round(3))
    inputs = {"logits": logits, "counts": some, "tau": 1.0}
    yield "extreme", "logits of ±10,000, tau = 1", inputs, 1, Tolerance(1e-9, 1e-6)


def adjusted(logits: torch.Tensor, counts: torch.Tensor, tau: float) -> Tensors:
    """Subtract number by number."""
    total, rows = sum(counts.tolist()), []
    for row in logits.double().tolist():
        pairs = zip(row, counts.tolist(), strict=True)
        rows.append([z - tau * log(n / total) if n else z for z, n in pairs])
    return {"logits": torch.tensor(rows, dtype=torch.float64).to(logits.dtype)}


INVERSE = partial(Mistake, cell="inverse_frequency", checks=("inverse_frequency_values",))
EFFECTIVE = partial(Mistake, cell="effective_number", checks=("effective_number_values",))
SAMPLES = partial(Mistake, cell="sample_weights", checks=("sample_weight_values",))
ADJUST = partial(Mistake, cell="adjust_logits", checks=("adjusted_logits",))
AVERAGE_1 = "weights * (n > 0).sum() / weights.sum()"
EFFECTIVE_N = "effective = (1 - beta**n) / (1 - beta)"
DRAWN = "1 / (occurring * counts[y]).double()"
SUBTRACTED = "logits - shift.to(logits.dtype)"

MISTAKES = (
    INVERSE(
        name="more_weight_for_the_frequent",
        change={"torch.where(n > 0, 1 / n, 0.0)": "n.clone()"},
        share=0.2,
        hint="the frequent classes have the large weights. A weight is proportional to 1 / count.",
    ),
    INVERSE(
        name="weights_add_up_to_1",
        change={AVERAGE_1: "weights / weights.sum()"},
        share=0.5,
        hint="the weights add up to 1. They should average 1 over the classes that occur: a loss "
        "with them has the usual size.",
    ),
    INVERSE(
        name="averaged_over_images",
        change={AVERAGE_1: "weights * n.sum() / (n > 0).sum()"},
        share=0.5,
        hint="the weights average 1 over the images (scikit-learn's class_weight='balanced'). Here "
        "they average 1 over the classes that occur.",
    ),
    INVERSE(
        name="absent_classes_averaged",
        change={AVERAGE_1: "weights * len(n) / weights.sum()"},
        share=0.6,
        hint="the weights average 1 over all classes. Average over those that occur only.",
    ),
    INVERSE(
        name="absent_class_infinite",
        change={
            "torch.where(n > 0, 1 / n, 0.0)": "1 / n",
            AVERAGE_1: "weights * (n > 0).sum() / weights[n > 0].sum()",
        },
        share=0.5,
        hint="1 / 0 is infinite. A class that does not occur has the weight 0.",
    ),
    INVERSE(
        name="absent_class_counted_once",
        change={"n = counts.double()": "n = counts.double().clamp(min=1)"},
        share=0.5,
        hint="a class that does not occur was treated as if it had one image, and gets a large "
        "weight. Its weight is 0.",
    ),
    INVERSE(
        name="weights_in_float32",
        change={"counts.double()": "counts.float()"},
        share=0.7,
        hint="the weights are float32, which a Python number and an int64 tensor become. Use "
        "counts.double().",
    ),
    EFFECTIVE(
        name="effective_number_itself",
        change={"1 / effective": "effective"},
        share=0.3,
        hint="the weights are proportional to the effective number. They are to 1 / E.",
    ),
    EFFECTIVE(
        name="power_of_the_wrong_sum",
        change={
            EFFECTIVE_N: "effective = (1 - beta ** (n - 1).clamp(min=0)) / (1 - beta) + (n > 0)"
        },
        share=0.5,
        hint="one image counts double: 1 + (1 + β + …). The first image is worth 1, the second β: "
        "E = (1 - beta ** n) / (1 - beta).",
    ),
    EFFECTIVE(
        name="beta_times_count",
        change={EFFECTIVE_N: "effective = beta * n + (1 - beta) * (n > 0)"},
        share=0.3,
        hint="β was multiplied by the number of images. It is raised to that power: beta ** n.",
    ),
    EFFECTIVE(
        name="inverse_for_effective",
        change={EFFECTIVE_N: "effective = n"},
        share=0.2,
        hint="this is the inverse frequency. Put the effective number in the place of the count.",
    ),
    EFFECTIVE(
        name="effective_weights_add_up_to_1",
        change={AVERAGE_1: "weights / weights.sum()"},
        share=0.5,
        hint="the weights add up to 1. They should average 1 over the classes that occur.",
    ),
    EFFECTIVE(
        name="absent_classes_averaged_too",
        change={AVERAGE_1: "weights * len(n) / weights.sum()"},
        share=0.6,
        hint="the weights average 1 over all classes. Average over those that occur only.",
    ),
    EFFECTIVE(
        name="absent_class_not_left_out",
        change={
            "torch.where(n > 0, 1 / effective, 0.0)": "1 / effective",
            AVERAGE_1: "weights * (n > 0).sum() / weights[n > 0].sum()",
        },
        share=0.5,
        hint="a class without images has E = 0, and 1 / 0 is infinite. Its weight is 0.",
    ),
    EFFECTIVE(
        name="power_in_float32",
        change={"1 - beta**n": "1 - (beta ** counts).double()"},
        share=0.6,
        hint="beta ** counts was computed in float32: of 1 - 0.99998 hardly a digit is right. Use "
        "counts.double().",
    ),
    SAMPLES(
        name="not_divided_by_classes",
        change={DRAWN: "1 / counts[y].double()"},
        share=0.5,
        hint="the weights add up to the number of classes. Divide so that they add up to 1.",
    ),
    SAMPLES(
        name="all_classes_share",
        change={"(counts > 0).sum()": "num_classes"},
        share=0.6,
        hint="the weights do not add up to 1 when a class does not occur: divide by the number of "
        "classes that occur.",
    ),
    SAMPLES(
        name="every_image_alike",
        change={DRAWN: "torch.full((len(y),), 1 / len(y), dtype=torch.float64)"},
        share=0.1,
        hint="every image has the same weight: that is what shuffling does already. Each class "
        "should be drawn equally often.",
    ),
    SAMPLES(
        name="frequent_drawn_more",
        change={DRAWN: "counts[y].double() / counts[y].sum()"},
        share=0.2,
        hint="the images of frequent classes have the large weights. It is the other way round.",
    ),
    SAMPLES(
        name="one_weight_a_class",
        change={DRAWN: "torch.where(counts > 0, 1 / (occurring * counts), 0.0).double()"},
        share=0.4,
        hint="these are weights of classes. The sampler draws images: look up one for each, "
        "per_class[y].",
    ),
    SAMPLES(
        name="sample_weights_in_float32",
        change={DRAWN: "1 / (occurring * counts[y])"},
        share=0.7,
        hint="the weights are float32, which a Python number and an int64 tensor become. Use "
        ".double().",
    ),
    ADJUST(
        name="prior_added",
        change={SUBTRACTED: "logits + shift.to(logits.dtype)"},
        share=0.4,
        hint="the logarithm of the prior was added, which favours the frequent classes even more. "
        "Subtract it.",
    ),
    ADJUST(
        name="counts_for_shares",
        change={"counts.double() / counts.sum()": "counts.double()"},
        share=0.5,
        hint="the logarithm is of counts. Divide them by their sum first: π is a share.",
    ),
    ADJUST(
        name="prior_without_logarithm",
        change={"tau * prior.log()": "tau * prior"},
        share=0.3,
        hint="the prior itself was subtracted. Probabilities are divided by it; from logits its "
        "logarithm is subtracted.",
    ),
    ADJUST(
        name="tau_forgotten",
        change={"tau * prior.log()": "prior.log()"},
        share=0.5,
        hint="tau has no effect: multiply the logarithm of the prior by it.",
    ),
    ADJUST(
        name="absent_class_at_infinity",
        change={"torch.where(counts > 0, tau * prior.log(), 0.0)": "tau * prior.log()"},
        share=0.6,
        hint="log 0 is -∞, so a class without training images always wins. Leave its logits as "
        "they are.",
    ),
    ADJUST(
        name="absent_class_lifted",
        change={
            "counts.double() / counts.sum()": "counts.double().clamp(min=1) / counts.sum()",
            "torch.where(counts > 0, tau * prior.log(), 0.0)": "tau * prior.log()",
        },
        share=0.6,
        hint="a class without training images was treated as if it had one. Leave its logits as "
        "they are.",
    ),
    ADJUST(
        name="probabilities_adjusted",
        change={SUBTRACTED: "logits.softmax(dim=1) / shift.exp().to(logits.dtype)"},
        share=0.4,
        hint="these are probabilities divided by the prior. Return logits: logits - tau * log π.",
    ),
    ADJUST(
        name="normalised_first",
        change={SUBTRACTED: "logits.log_softmax(dim=1) - shift.to(logits.dtype)"},
        share=0.6,
        hint="the logits were turned into log-probabilities first. Subtract from the logits "
        "themselves.",
    ),
    ADJUST(
        name="adjusted_in_double",
        change={SUBTRACTED: "logits - shift"},
        share=0.7,
        hint="float32 logits come back as float64. Convert what you subtract to logits.dtype.",
    ),
)
