"""What the network that was handed in predicts for faces nobody has seen."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch

from autograder.cases import Case, Level
from autograder.checks import PUBLIC_SEED, Check, Mistake
from data_scripts import fer2013
from data_scripts.drawn import faces

Tensors = dict[str, torch.Tensor]
SHARES = tuple(zip(("pass", "good", "excellent"), (0.5, 0.8, 1.0), strict=True))
ACCURACY, MACRO_F1 = (0.60, 0.67, 0.73), (0.48, 0.58, 0.67)
REAL_ACCURACY = (0.64114, 0.65285, 0.69914)  # strong baseline, the report, best of its class
REAL_MACRO_F1 = (0.57, 0.61, 0.66)

MISTAKES: tuple[Mistake, ...] = ()


def checks(seed: int, real: bool = False) -> Iterator[Check]:
    """Yield the checks; `seed` draws the hidden faces, and `real` adds those of FER2013."""
    for name, title, criterion, levels, real_levels, drawn in (
        ("faces_accuracy", "accuracy of the network that was handed in", "accuracy",
         ACCURACY, REAL_ACCURACY, as_frequent),
        ("faces_macro_f1", "its macro-F1, all expressions equally frequent", "macro_f1",
         MACRO_F1, REAL_MACRO_F1, equally_frequent),
    ):  # fmt: skip
        public, hidden = drawn(PUBLIC_SEED, 2), drawn(seed + 44_000, 5)
        sets = [
            ("public_drawn", f"{len(public[1])} new drawn faces", *public, levels, True),
            ("drawn", f"{len(hidden[1])} new drawn faces", *hidden, levels, False),
        ]
        if real:
            X, y = fer2013.load("test", real=True)
            about = f"the {len(y)} real faces of the private test"
            sets.append(("real", about, X, y, real_levels, False))
        answers = {images.numpy().tobytes(): labels for _, _, images, labels, _, _ in sets}
        cases = [
            Case(case, about, {"images": X}, public=is_public, levels=as_levels(least))
            for case, about, X, _, least, is_public in sets
        ]
        yield Check(
            name=name,
            title=title,
            records={"labels": "return"},
            cases=tuple(cases),
            oracle=partial(known, answers),
            criterion=criterion,
            any_case=True,
        )


def as_levels(least: Sequence[float]) -> tuple[Level, ...]:
    """Name the levels, and say what they are worth."""
    return tuple(Level(name, at, share) for (name, share), at in zip(SHARES, least, strict=True))


def known(answers: dict[bytes, torch.Tensor], images: torch.Tensor) -> Tensors:
    """Look the labels of images up."""
    return {"labels": answers[images.numpy().tobytes()]}


def as_frequent(seed: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw 160 faces for each unit of size, with the class shares of the training part."""
    images, labels = faces.draw(0, 0, 160 * size, seed=seed)["test"]
    return images, labels.long()


def equally_frequent(seed: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw 84 faces for each unit of size, 12 of every expression."""
    rng = np.random.RandomState([seed, 7])
    labels = rng.permutation(np.repeat(np.arange(len(faces.CLASSES)), 12 * size))
    return faces.draw_expressions(labels, rng), torch.tensor(labels)
