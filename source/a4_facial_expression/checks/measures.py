"""The confusion matrix, and what follows from it."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from sklearn import metrics

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance

Tensors = dict[str, torch.Tensor]
EXACT = Tolerance(rtol=5e-7, atol=1e-9)  # of counts, 1 and more: 1e-9 added below is no harm
FACES = 111, 12, 114, 201, 135, 89, 138  # of each class, of 800
SCORES = {name: f"return.{name}" for name in ("precision", "recall", "F1", "macro-F1")}


def label_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield labels and predictions, a bit more than half of them right."""
    for name, about, N, C, true, said in (
        ("seven", "60 images, 7 classes", 60, 7, range(7), range(7)),
        ("rare", "40 images; a class that does not occur, one never predicted, one neither", 40, 6,
         (0, 1, 3, 4), (0, 1, 2, 4)),
        ("single", "a single image, 7 classes", 1, 7, range(7), range(7)),
        ("binary", "23 images, 2 classes", 23, 2, range(2), range(2)),
        ("one_said", "17 images, one class for all of them", 17, 5, range(5), (3,)),
        ("eleven", "150 images, 11 classes", 150, 11, range(11), range(11)),
    ):  # fmt: skip
        y, guesses = rng.choice(true, N), rng.choice(said, N)
        right = (rng.rand(N) < 0.5) & np.isin(y, said)
        labels = {"y": y, "predictions": np.where(right, y, guesses)}
        inputs = {key: torch.tensor(value, dtype=torch.int64) for key, value in labels.items()}
        yield case(name, about, **inputs, num_classes=C)


@check(
    "confusion_values", "which class was taken for which", {"confusion": "return"}, label_cases,
    pure=True,
)  # fmt: skip
def counted(y: torch.Tensor, predictions: torch.Tensor, num_classes: int) -> Tensors:
    """Let scikit-learn count."""
    table = metrics.confusion_matrix(y, predictions, labels=range(num_classes))
    return {"confusion": torch.tensor(table, dtype=torch.int64)}


def draw_matrix(rng: Draws, totals: Sequence[int], unsaid: Sequence[int] = ()) -> torch.Tensor:
    """Draw counts with given row sums; classes in `unsaid` are never predicted."""
    C = len(totals)
    likely = rng.dirichlet(np.full(C, 0.8), size=C) + np.diag(rng.uniform(0.3, 1.2, C))
    likely[:, list(unsaid)] = 0
    likely /= likely.sum(axis=1, keepdims=True)
    rows = [rng.multinomial(n, p) for n, p in zip(totals, likely, strict=True)]
    return torch.tensor(np.array(rows), dtype=torch.int64)


def matrix_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield confusion matrices, many of them with a division by 0 in store."""
    unsaid, empty = (int(c) for c in rng.randint(4, size=2))
    single = torch.zeros(7, 7, dtype=torch.int64)
    single[rng.randint(7), rng.randint(7)] = 1
    for name, about, confusion in (
        ("faces", "7 classes, one rare", draw_matrix(rng, FACES)),
        ("unsaid", "4 classes, one never predicted",
         draw_matrix(rng, rng.permutation([23, 41, 35, 58]), [unsaid])),
        ("absent", "5 classes, one without images",
         draw_matrix(rng, rng.permutation([0, 31, 44, 17, 26]))),
        ("neither", "5 classes, one neither there nor predicted",
         draw_matrix(rng, np.insert(rng.permutation([19, 33, 52, 28]), empty, 0), [empty])),
        ("wrong", "3 classes, nothing right",
         draw_matrix(rng, (13, 29, 21)).fill_diagonal_(0) + torch.eye(3).roll(1, 0).long()),
        ("single", "a single image, 7 classes", single),
        ("binary", "2 classes", torch.tensor([[17, 5], [8, rng.randint(20, 40)]])),
        ("once", "3 classes, one with a single image, which is right",
         torch.tensor([[1, 0, 0], [0, rng.randint(5, 9), 2], [0, 4, 11]])),
    ):  # fmt: skip
        yield case(name, about, confusion=confusion)


def labels_of(confusion: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Write out a label and a prediction for every count of a matrix."""
    pairs = np.argwhere(np.ones(confusion.shape))
    return tuple(np.repeat(pairs, confusion.flatten().numpy(), axis=0).T)


@check(
    "class_score_values", "precision, recall and F1 of each class, and macro-F1", SCORES,
    matrix_cases, tolerance=EXACT, pure=True,
)  # fmt: skip
def scores(confusion: torch.Tensor) -> Answers:
    """Let scikit-learn score and average."""
    labels, every = labels_of(confusion), range(len(confusion))
    found = metrics.precision_recall_fscore_support(*labels, labels=every, zero_division=0)
    tensors = {name: torch.tensor(values) for name, values in zip(SCORES, found[:3], strict=False)}
    macro = metrics.f1_score(*labels, labels=every, average="macro", zero_division=0)
    return tensors | {"macro-F1": macro}
