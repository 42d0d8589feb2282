"""The search for the best net, and the net that was found.

`artifacts/best_net.safetensors` is the net of the reference solution, as the source notebook's
own cells train and save it on the synthetic images (seed 0): run the notebook, and copy the file.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import FLOAT32, Level
from data_scripts import cifar10
from data_scripts.synthetic import objects

Tensors = dict[str, torch.Tensor]
SYNTHETIC = Level("pass", 0.50, 0.5), Level("good", 0.56, 0.8), Level("excellent", 0.60, 1.0)
REAL = Level("pass", 0.48, 0.5), Level("good", 0.53, 0.8), Level("excellent", 0.56, 1.0)
LEARNS = {"hidden": 8, "lr": 0.5, "batch_size": 48, "decay": 1.0, "epochs": 3}  # a step each
LONGER = {**LEARNS, "epochs": 5}
SAYS_ONE_CLASS = {**LEARNS, "lr": 0.1, "reg": 6.0, "epochs": 4}
# says the right class at first, then what the images say
FORGETS = {**LEARNS, "batch_size": 12, "scale": 1e-4, "epochs": 5}
TURNS = {**FORGETS, "epochs": 4}  # its last epoch is the one that turns it

# The search: data on which the outcome is certain


def search_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield data, sets of parameters and new samples.

    A net that learns tells two clouds apart; one with much regularisation says the more
    frequent class. The labels of one part, or some of them, speak for the second one.
    """
    one, learns, longer, turns = SAYS_ONE_CLASS, LEARNS, LONGER, TURNS
    equal = {**one, "epochs": 6}
    for name, about, wrong, sets, weight in (
        ("plain", "the second of three is best", "test", (one, learns, equal), 1),
        ("against", "the one that learns most is not the best", "val", (learns, one, longer), 2),
        ("after", "the best one comes first", "test", (learns, one), 1),
        ("tie", "two equally good ones", "test", (one, learns, longer), 1),
        ("fallen", "one that was better before its last epoch", "val", (FORGETS, one), 1),
        ("turns", "the last set is best by its last epoch", "test", (one, equal, turns), 1),
        ("sure", "the one with the larger loss is more often right", "some", (one, learns), 1),
        ("zero", "every accuracy is 0 after the last epoch", "val", (learns, turns), 1),
        ("single", "a single set, with accuracy 0", "val", (learns,), 1),
    ):
        yield case(
            name,
            about,
            weight,
            data_dict=clouds(rng, wrong),
            param_sets={f"set_{n}": params for n, params in enumerate(sets)},
            X_new=cloud(rng, torch.tensor([0, 1, 1, 0, 1])),
        )


def cloud(rng: Draws, sides: torch.Tensor) -> torch.Tensor:
    """Draw a point (6,) for each side: around (-2, …) for 0, around (2, …) for 1. float32."""
    noise = torch.tensor(rng.uniform(-0.5, 0.5, size=(len(sides), 6)).round(3))
    return (4.0 * sides[:, None] - 2.0 + noise).float()


def clouds(rng: Draws, wrong: str) -> Tensors:
    """Draw a data dict of two classes, 3 and 7, of which 3 has twice as many samples.

    `wrong` is the split whose labels are swapped, "val" or "test", so that no two splits choose
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


@check(
    "search_values",
    "the chosen net, its accuracy and its history",
    {
        "labels": "return.0",
        "accuracy": "return.1",
        "last val_acc in the history": "return.2",
        "epochs in the history": "return.3",
    },
    search_cases,
    tolerance=FLOAT32,
)
def outcome(data_dict: Tensors, param_sets: dict[str, Any], X_new: torch.Tensor) -> Answers:
    """Say which net is chosen, without training any."""
    best, best_accuracy = {}, -1.0
    for params in param_sets.values():
        found = labels(params, data_dict["X_val"])
        accuracy = (found == data_dict["y_val"]).double().mean().item()
        if accuracy > best_accuracy:
            best, best_accuracy = params, accuracy
    return {
        "labels": labels(best, X_new),
        "accuracy": best_accuracy,
        "last val_acc in the history": best_accuracy,
        "epochs in the history": best["epochs"],
    }


def labels(params: dict[str, float], X: torch.Tensor) -> torch.Tensor:
    """Predict what a net trained with these parameters does: with `reg`, always class 3."""
    learnt = torch.where(X.mean(dim=1) > 0, 7, 3)
    return torch.full_like(learnt, 3) if "reg" in params else learnt


# The net: images that nobody has seen


def image_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield images that are in no data set, with their labels as the answer."""
    count = 200 if rng.public else 800
    images, y = synthetic_images(rng.number, count)
    about = f"{count} new drawn images"
    yield case("drawn", about, levels=SYNTHETIC, answer={"labels": y}, images=images)
    if rng.real:
        images, y = real_images(rng.number, 1000)
        about = "1,000 real test images"
        yield case("real", about, levels=REAL, answer={"labels": y}, images=images)


@cache
def synthetic_images(seed: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw new images, with a generator that no data set of the course uses."""
    images, y = objects.split(np.random.RandomState([seed, 41]), count)
    return images, y.long()


def real_images(seed: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose images of the real test set. Raises DataNotFound."""
    images, y = cifar10.load("test", real=True)
    chosen = np.random.RandomState([seed, 42]).choice(len(images), count, replace=False)
    return images[chosen], y[chosen].long()


best_net_accuracy = check(
    "best_net_accuracy", "the saved net, on images that nobody has seen", {"labels": "return"},
    image_cases, criterion="accuracy", any_case=True, words=cifar10.CLASSES,
)  # fmt: skip
