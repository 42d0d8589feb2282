"""What the network that was handed in predicts for faces nobody has seen."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch

from autograder.authoring.checks import Draws, Sketch, case, check
from autograder.notebook.cases import Level
from data_scripts import fer2013
from data_scripts.synthetic import faces

Least = tuple[float, float, float]  # what each level needs
Faces = tuple[torch.Tensor, torch.Tensor]  # images and labels
CREDITS = {"pass": 0.5, "good": 0.8, "excellent": 1.0}
ACCURACY, MACRO_F1 = (0.60, 0.67, 0.73), (0.48, 0.58, 0.67)
REAL_ACCURACY = (0.64114, 0.65285, 0.69914)  # strong baseline, the report, best of its class
REAL_MACRO_F1 = (0.57, 0.61, 0.66)


def face_cases(
    rng: Draws, draw: Callable[[int, int], Faces], least: Least, real_least: Least
) -> Iterator[Sketch]:
    """Yield new drawn faces, and the real ones of FER2013 where they are wanted."""
    X, y = draw(rng.number, 2) if rng.public else draw(rng.number + 44_000, 5)
    yield labelled("drawn", f"{len(y)} new drawn faces", X, y, least)
    if rng.real:
        X, y = fer2013.load("test", real=True)
        yield labelled("real", f"the {len(y)} real faces of the private test", X, y, real_least)


def labelled(
    name: str, about: str, images: torch.Tensor, labels: torch.Tensor, least: Least
) -> Sketch:
    """Sketch a case of faces whose labels are known."""
    named = zip(CREDITS.items(), least, strict=True)
    levels = [Level(level, at_least, credit) for (level, credit), at_least in named]
    return case(name, about, levels=levels, answer={"labels": labels}, images=images)


def as_frequent(seed: int, size: int) -> Faces:
    """Draw 160 faces for each unit of size, with the class shares of the training set."""
    images, labels = faces.draw(0, 0, 160 * size, seed=seed)["test"]
    return images, labels.long()


def equally_frequent(seed: int, size: int) -> Faces:
    """Draw 84 faces for each unit of size, 12 of every expression."""
    rng = np.random.RandomState([seed, 7])
    labels = rng.permutation(np.repeat(np.arange(len(faces.CLASSES)), 12 * size))
    return faces.draw_expressions(labels, rng), torch.tensor(labels)


faces_accuracy = check(
    "faces_accuracy", "accuracy of the network that was handed in", {"labels": "return"},
    partial(face_cases, draw=as_frequent, least=ACCURACY, real_least=REAL_ACCURACY),
    criterion="accuracy", any_case=True,
)  # fmt: skip
faces_macro_f1 = check(
    "faces_macro_f1", "its macro-F1, all expressions equally frequent", {"labels": "return"},
    partial(face_cases, draw=equally_frequent, least=MACRO_F1, real_least=REAL_MACRO_F1),
    criterion="macro_f1", any_case=True,
)  # fmt: skip
