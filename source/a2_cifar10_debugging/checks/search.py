"""The search for the best net, and the net that was found."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch

from autograder.cases import FLOAT32, Case, Level
from autograder.checks import PUBLIC_SEED, Check, Kind, public_and_hidden
from data_scripts import cifar10
from data_scripts.drawn import objects

Tensors = dict[str, torch.Tensor]
DRAWN = Level("pass", 0.50, 0.5), Level("good", 0.56, 0.8), Level("excellent", 0.60, 1.0)
REAL = Level("pass", 0.48, 0.5), Level("good", 0.53, 0.8), Level("excellent", 0.56, 1.0)
LEARNS = {"hidden": 8, "lr": 0.2, "batch_size": 12, "decay": 1.0, "epochs": 3}
SAYS_ONE_CLASS = {**LEARNS, "lr": 0.03, "reg": 6.0, "epochs": 4}
FORGETS = {**LEARNS, "lr": 0.5, "scale": 1e-4, "epochs": 7}  # the class at first, then the images


def search_checks(seed: int, real: bool) -> Iterator[Check]:
    """Yield the checks of `find_best_net`, through `search_outcome`, and of the saved net."""
    yield Check(
        name="search_values",
        title="the chosen net, its accuracy and its history",
        records={
            "labels": "return.0",
            "accuracy": "return.1",
            "last_val_acc": "return.2",
            "epochs": "return.3",
        },
        cases=public_and_hidden(searches, seed),
        oracle=certain_outcome,
    )
    hidden = [image_case("drawn", "800 new drawn images", *drawn(seed, 800), DRAWN, False)]
    if real:
        about = "1,000 real test images"
        hidden.append(image_case("real", about, *photographs(seed, 1000), REAL, False))
    public = image_case(
        "public_drawn", "200 new drawn images", *drawn(PUBLIC_SEED, 200), DRAWN, True
    )
    cases = [public, *hidden]
    answers = {case.inputs["images"].numpy().tobytes(): labels for case, labels in cases}
    yield Check(
        name="best_net_accuracy",
        title="the saved net, on images that nobody has seen",
        records={"labels": "return"},
        cases=tuple(case for case, _ in cases),
        criterion="accuracy",
        any_case=True,
        oracle=lambda images: {"labels": answers[images.numpy().tobytes()]},
    )


# The search: data on which the outcome is certain


def searches(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield data, sets of parameters and new samples.

    A net that learns tells two clouds apart; one with much regularisation says the more
    frequent class. The labels of one part, or some of them, speak for the second one.
    """
    one, learns, forgets = SAYS_ONE_CLASS, LEARNS, FORGETS
    longer = {**learns, "epochs": 5}
    for name, about, wrong, sets, weight in (
        ("plain", "the second of three is best", "test", (one, learns, {**one, "epochs": 6}), 1),
        ("against", "the one that learns most is not the best", "val", (learns, one, longer), 2),
        ("after", "the best one comes first", "test", (learns, one), 1),
        ("tie", "two equally good ones", "test", (one, learns, longer), 1),
        ("fallen", "one that was better before its last epoch", "val", (forgets, one), 1),
        ("sure", "the one with the larger loss is more often right", "some", (one, learns), 1),
        ("single", "a single set", "test", (learns,), 1),
    ):
        inputs = {
            "data_dict": clouds(rng, wrong),
            "param_sets": {f"set_{n}": params for n, params in enumerate(sets)},
            "X_new": cloud(rng, torch.tensor([0, 1, 1, 0, 1])),
        }
        yield name, about, inputs, weight, FLOAT32


def cloud(rng: np.random.RandomState, sides: torch.Tensor) -> torch.Tensor:
    """Draw a point (6,) for each side: around (-2, …) for 0, around (2, …) for 1. float32."""
    noise = torch.tensor(rng.uniform(-0.5, 0.5, size=(len(sides), 6)).round(3))
    return (4.0 * sides[:, None] - 2.0 + noise).float()


def clouds(rng: np.random.RandomState, wrong: str) -> Tensors:
    """Draw a data dict of two classes, 3 and 7, of which 3 has twice as many samples.

    `wrong` is the part whose labels are swapped, "val" or "test", so that no two parts choose
    the same; or "some": the validation labels of 6 samples of class 3, and of 2 of class 7.
    """
    sides = {
        "train": torch.tensor(rng.permutation([0] * 32 + [1] * 16)),
        "val": torch.tensor(rng.permutation([0] * 8 + [1] * 12)),
        "test": torch.tensor(rng.permutation([0] * 5 + [1] * 10)),
    }
    data = {f"X_{part}": cloud(rng, side) for part, side in sides.items()}
    data |= {f"y_{part}": 3 + 4 * side for part, side in sides.items()}
    if wrong == "some":
        y = data["y_val"]
        swapped = torch.cat([(y == 3).nonzero()[:6, 0], (y == 7).nonzero()[:2, 0]])
        y[swapped] = 10 - y[swapped]
    else:
        data[f"y_{wrong}"] = 10 - data[f"y_{wrong}"]
    return data


def certain_outcome(data_dict: Tensors, param_sets: dict, X_new: torch.Tensor) -> Tensors:
    """Say which net is chosen, without training any."""
    chosen = None
    for params in param_sets.values():
        constant = "reg" in params

        def labels(X: torch.Tensor, constant: bool = constant) -> torch.Tensor:
            learnt = torch.where(X.mean(dim=1) > 0, 7, 3)
            return torch.full_like(learnt, 3) if constant else learnt

        accuracy = (labels(data_dict["X_val"]) == data_dict["y_val"]).double().mean()
        if chosen is None or accuracy > chosen["accuracy"]:
            chosen = {"labels": labels(X_new), "accuracy": accuracy, "last_val_acc": accuracy}
            chosen["epochs"] = torch.tensor(params["epochs"]).double()
    return chosen


# The net: images that nobody has seen


@cache
def drawn(seed: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw new images, with a generator that no data set of the course uses."""
    images, labels = objects.split(np.random.RandomState([seed, 41]), count)
    return images, labels.long()


def photographs(seed: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose images of the real test part. Raises DataNotFound."""
    images, labels = cifar10.load("test", real=True)
    chosen = np.random.RandomState([seed, 42]).choice(len(images), count, replace=False)
    return images[chosen], labels[chosen].long()


def image_case(
    name: str,
    about: str,
    images: torch.Tensor,
    labels: torch.Tensor,
    levels: tuple[Level, ...],
    public: bool,
) -> tuple[Case, torch.Tensor]:
    """Return the case of some images, and their labels."""
    return Case(name, about, {"images": images}, public=public, levels=levels), labels
