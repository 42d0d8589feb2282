"""The confusion matrix, and what follows from it."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from sklearn import metrics

from autograder.cases import Tolerance
from autograder.checks import Check, Kind, Mistake, public_and_hidden

Tensors = dict[str, torch.Tensor]
SHARES = Tolerance(rtol=1e-6, atol=1e-9)  # quotients of counts; 1e-9 added below them is no harm
FACES = 111, 12, 114, 201, 135, 89, 138  # of each class, of 800
GAP = 1e-3  # between any two shares among the first that are not equal


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks of this part; `seed` draws the hidden cases."""
    yield Check(
        name="confusion_values",
        title="which class was taken for which",
        records={"confusion": "return"},
        cases=public_and_hidden(label_cases, seed),
        oracle=counted,
        pure=True,
    )
    yield Check(
        name="row_share_values",
        title="shares of each true class",
        records={"shares": "return"},
        cases=public_and_hidden(matrix_cases, seed),
        oracle=shares,
        pure=True,
    )
    yield Check(
        name="class_score_values",
        title="precision, recall and F1 of each class",
        records={name: f"return.{name}" for name in ("precision", "recall", "F1")},
        cases=public_and_hidden(matrix_cases, seed),
        oracle=scores,
        pure=True,
    )
    yield Check(
        name="macro_f1_values",
        title="macro-F1",
        records={"macro-F1": "return"},
        cases=public_and_hidden(matrix_cases, seed),
        oracle=macro,
        pure=True,
    )
    yield Check(
        name="most_confused_pairs",
        title="the most confused pairs (true, predicted)",
        records={"pairs": "return"},
        cases=public_and_hidden(pair_cases, seed),
        oracle=ranked,
        pure=True,
    )


def label_cases(rng: np.random.RandomState) -> Iterator[Kind]:
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
        yield name, about, {**inputs, "num_classes": C}


def counted(y: torch.Tensor, predictions: torch.Tensor, num_classes: int) -> Tensors:
    """Let scikit-learn count."""
    table = metrics.confusion_matrix(y, predictions, labels=range(num_classes))
    return {"confusion": torch.tensor(table, dtype=torch.int64)}


def draw_matrix(
    rng: np.random.RandomState, totals: Sequence[int], unsaid: Sequence[int] = ()
) -> torch.Tensor:
    """Draw counts with given row sums; classes in `unsaid` are never predicted."""
    C = len(totals)
    likely = rng.dirichlet(np.full(C, 0.8), size=C) + np.diag(rng.uniform(0.3, 1.2, C))
    likely[:, list(unsaid)] = 0
    likely /= likely.sum(axis=1, keepdims=True)
    rows = [rng.multinomial(n, p) for n, p in zip(totals, likely, strict=True)]
    return torch.tensor(np.array(rows), dtype=torch.int64)


def matrix_cases(rng: np.random.RandomState) -> Iterator[Kind]:
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
    ):  # fmt: skip
        yield name, about, {"confusion": confusion}, 1, SHARES


def labels_of(confusion: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Write out a label and a prediction for every count of a matrix."""
    pairs = np.argwhere(np.ones(confusion.shape))
    return tuple(np.repeat(pairs, confusion.flatten().numpy(), axis=0).T)


def shares(confusion: torch.Tensor) -> Tensors:
    """Let scikit-learn count and normalise."""
    every = range(len(confusion))
    table = metrics.confusion_matrix(*labels_of(confusion), labels=every, normalize="true")
    return {"shares": torch.tensor(table)}


def scores(confusion: torch.Tensor) -> Tensors:
    """Let scikit-learn score."""
    found = metrics.precision_recall_fscore_support(
        *labels_of(confusion), labels=range(len(confusion)), zero_division=0
    )
    names = ("precision", "recall", "F1")
    return {name: torch.tensor(values) for name, values in zip(names, found[:3], strict=True)}


def macro(confusion: torch.Tensor) -> Tensors:
    """Let scikit-learn average."""
    found = metrics.f1_score(
        *labels_of(confusion), labels=range(len(confusion)), average="macro", zero_division=0
    )
    return {"macro-F1": torch.tensor(float(found), dtype=torch.float64)}


def pair_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield matrices and how many pairs are asked for. Only the case of ties has ties."""
    for name, about, totals, unsaid, k in (
        ("faces", "7 classes, 4 pairs", FACES, (), 4),
        ("worst", "6 classes, the worst pair", (90, 31, 402, 57, 145, 78), (), 1),
        ("absent", "5 classes, one without images, 3 pairs", (67, 0, 151, 88, 29), (), 3),
        ("fewer", "4 classes, fewer pairs than asked for", (43, 71, 5, 112), (1, 3), 9),
        ("binary", "2 classes, 2 pairs", (61, 97), (), 2),
    ):
        while True:
            confusion = draw_matrix(rng, totals, unsaid)
            if distinct(confusion, k):
                break
        yield name, about, {"confusion": confusion, "k": k}
    rows = [np.insert(rng.permutation([5, 5, 3, 1]), c, 10) for c in range(5)]
    ties = torch.tensor(np.array(rows), dtype=torch.int64)
    yield "ties", "5 classes, equal shares, 7 pairs", {"confusion": ties, "k": 7}, 2
    perfect = torch.diag(torch.tensor(rng.permutation([7, 12, 31])))
    yield "perfect", "nothing is confused", {"confusion": perfect, "k": 3}


def distinct(confusion: torch.Tensor, k: int) -> bool:
    """Say whether the largest shares are apart: the first k, and the one that follows."""
    every = confusion / confusion.sum(dim=1, keepdim=True).clamp(min=1)
    found = every.fill_diagonal_(0).flatten().sort(descending=True).values
    found = found[found > 0][: k + 1]
    return len(found) > 0 and bool((found.diff() < -GAP).all())


def ranked(confusion: torch.Tensor, k: int) -> Tensors:
    """Sort all pairs by a loop over Python numbers."""
    table, pairs = confusion.tolist(), []
    for true, row in enumerate(table):
        for predicted, count in enumerate(row):
            if true != predicted and count:
                pairs.append((-count / sum(row), true, predicted))
    best = [pair[1:] for pair in sorted(pairs)[:k]]
    return {"pairs": torch.tensor(best, dtype=torch.int64).reshape(-1, 2)}


CONFUSION = partial(Mistake, cell="confusion_matrix", checks=("confusion_values",))
ROWS = partial(Mistake, cell="normalise_rows", checks=("row_share_values",))
SCORES = partial(Mistake, cell="class_scores", checks=("class_score_values",))
MACRO = partial(Mistake, cell="macro_f1", checks=("macro_f1_values",))
PAIRS = partial(Mistake, cell="most_confused", checks=("most_confused_pairs",))
COUNTS = "counts = torch.bincount(pairs, minlength=num_classes**2)"
DIVIDED = "confusion.double() / totals.clamp(min=1)"
TOTALS = "totals = confusion.sum(dim=1, keepdim=True)"
F1 = "f1 = 2 * right / (called + there).clamp(min=1)"
MEAN = "f1.mean().item()"
LATER_FIRST = "shares.sort(stable=True).indices.flip(0)"
ASSIGNED = "counts = torch.zeros(num_classes**2, dtype=torch.int64)\n    counts[pairs] += 1"
RANKED = "normalise_rows(confusion).fill_diagonal_(0).flatten()"

MISTAKES = (
    # first: shares that are wrong give the very pairs of some of these
    PAIRS(
        name="diagonal_among_the_pairs",
        change={".fill_diagonal_(0)": ""},
        share=0.3,
        hint="a class taken for itself is no confusion: leave the diagonal out.",
    ),
    PAIRS(
        name="ranked_by_counts",
        change={RANKED: "confusion.clone().fill_diagonal_(0).flatten()"},
        share=0.4,
        hint="the pairs are ranked by how many images were confused. Rank them by the share of the "
        "true class, or a rare class never comes first.",
    ),
    PAIRS(
        name="shares_of_the_errors",
        change={RANKED: "normalise_rows(confusion.clone().fill_diagonal_(0)).flatten()"},
        share=0.5,
        hint="the diagonal was removed before the shares were taken: these are shares of the "
        "errors. Take shares of the whole class, then leave the diagonal out.",
    ),
    PAIRS(
        name="shares_of_the_predicted_class",
        change={RANKED: "normalise_rows(confusion.T).T.fill_diagonal_(0).flatten()"},
        share=0.4,
        hint="these are shares of what was predicted, of the columns. Take those of the rows.",
    ),
    PAIRS(
        name="predicted_comes_first",
        change={"[order // classes, order % classes]": "[order % classes, order // classes]"},
        share=0.5,
        hint="the two classes of each pair are swapped: the true one comes first.",
    ),
    PAIRS(
        name="pairs_that_never_happened",
        change={"order[shares[order] > 0][:k]": "order[:k]"},
        share=0.6,
        hint="pairs that never happened are among them. If there are fewer than k with a share "
        "above 0, return fewer.",
    ),
    PAIRS(
        name="least_confused_first",
        change={"[:k]": "[:k].flip(0)"},
        share=0.5,
        hint="the order is the other way round: the largest share comes first.",
    ),
    PAIRS(
        name="equals_in_another_order",
        change={"shares.sort(descending=True, stable=True).indices": LATER_FIRST},
        share=0.7,
        hint="of equal shares, the later pair comes first. The smaller true class comes first, "
        "then the smaller predicted one: sort with descending=True and stable=True.",
    ),
    CONFUSION(
        name="each_pair_once",
        change={COUNTS: ASSIGNED},
        share=0.4,
        hint="each pair was counted once, however often it occurs: table[y, predictions] += 1 "
        "reads all entries, adds 1 and writes them back. Use torch.bincount, index_put_ with "
        "accumulate=True, or a loop.",
    ),
    CONFUSION(
        name="rows_are_predictions",
        change={"y * num_classes + predictions": "predictions * num_classes + y"},
        share=0.5,
        hint="rows and columns are swapped. A row is a true class, a column a predicted one.",
    ),
    CONFUSION(
        name="only_classes_seen",
        change={
            "    pairs = y": "    seen = torch.cat([y, predictions]).unique()\n"
            "    y, predictions = (torch.searchsorted(seen, part) for part in (y, predictions))\n"
            "    num_classes = len(seen)\n    pairs = y"
        },
        share=0.4,
        hint="the matrix has only the classes that were seen. It is always num_classes x "
        "num_classes, with zeros for the others (scikit-learn: labels=range(num_classes)).",
    ),
    CONFUSION(
        name="counts_as_floats",
        change={"counts.reshape(": "counts.double().reshape("},
        share=0.7,
        hint="the counts are floating-point numbers. They are counts: int64.",
    ),
    ROWS(
        name="columns_divided_by_row_sums",
        change={TOTALS: "totals = confusion.sum(dim=1)"},
        share=0.3,
        hint="each column was divided by the sum of a row: the sums have shape (C,) and are "
        "matched with the last dimension. With keepdim=True they are (C, 1).",
    ),
    ROWS(
        name="columns_normalised",
        change={TOTALS: "totals = confusion.sum(dim=0, keepdim=True)"},
        share=0.4,
        hint="the columns add up to 1. Divide each row by its own sum: dim=1.",
    ),
    ROWS(
        name="divided_by_everything",
        change={TOTALS: "totals = confusion.sum()"},
        share=0.4,
        hint="the whole matrix was divided by the number of images. Each row has its own sum.",
    ),
    ROWS(
        name="empty_row_nan",
        change={".clamp(min=1)": ""},
        share=0.6,
        hint="the row of a class that does not occur is 0 / 0. It stays all zeros.",
    ),
    ROWS(
        name="shares_in_float32",
        change={"confusion.double()": "confusion.float()"},
        share=0.7,
        hint="the shares are float32, which an int64 tensor becomes when it is divided. Use "
        ".double() first.",
    ),
    SCORES(
        name="precision_and_recall_swapped",
        change={"sum(dim=0), confusion.sum(dim=1)": "sum(dim=1), confusion.sum(dim=0)"},
        share=0.5,
        hint="precision and recall are swapped. What was called c stands in column c, what is c in "
        "row c.",
    ),
    SCORES(
        name="undefined_is_nan",
        change={
            "right / called.clamp(min=1)": "right / called",
            "right / there.clamp(min=1)": "right / there",
            "2 * right / (called + there).clamp(min=1)": "2 * right / (called + there)",
        },
        share=0.5,
        hint="a class that was never predicted, or does not occur, gives 0 / 0. Say 0 there.",
    ),
    SCORES(
        name="undefined_f1_is_nan",
        change={F1: "f1 = 2 * precision * recall / (precision + recall)"},
        share=0.6,
        hint="F1 is 0 / 0 where precision and recall are both 0. Say 0 there.",
    ),
    SCORES(
        name="undefined_is_one",
        change={
            "    return precision": "    precision[called == 0] = 1\n"
            "    recall[there == 0] = 1\n    return precision"
        },
        share=0.6,
        hint="the precision of a class that was never predicted (or the recall of one that does "
        "not occur) is 1. The task says 0.",
    ),
    SCORES(
        name="scores_in_float32",
        change={"confusion.diagonal().double()": "confusion.diagonal()"},
        share=0.7,
        hint="the scores are float32, which an int64 tensor becomes when it is divided. Use "
        ".double() first.",
    ),
    SCORES(
        name="arithmetic_mean_for_f1",
        change={F1: "f1 = (precision + recall) / 2"},
        share=0.5,
        hint="F1 is the arithmetic mean of precision and recall. It is the harmonic one: "
        "2 P R / (P + R).",
    ),
    SCORES(
        name="f1_without_factor_two",
        change={F1: F1.replace("2 * right", "right")},
        share=0.5,
        hint="F1 is half of what it should be: the formula is 2 P R / (P + R).",
    ),
    MACRO(
        name="f1_of_the_means",
        change={MEAN: "(2 / (1 / precision.mean() + 1 / recall.mean())).nan_to_num().item()"},
        share=0.4,
        hint="this is the harmonic mean of the mean precision and the mean recall. Take the F1 of "
        "each class first, then their mean.",
    ),
    MACRO(
        name="micro_f1",
        change={MEAN: "(confusion.diagonal().sum() / confusion.sum()).item()"},
        share=0.3,
        hint="this is micro-F1, which is the accuracy. Macro-F1 is the mean of the classes' F1.",
    ),
    MACRO(
        name="weighted_f1",
        change={MEAN: "(f1 * confusion.sum(dim=1)).sum().item() / confusion.sum().item()"},
        share=0.4,
        hint="the classes were weighted by their numbers of images. Here each counts the same.",
    ),
    MACRO(
        name="mean_over_classes_that_occur",
        change={MEAN: "f1[confusion.sum(dim=1) > 0].mean().item()"},
        share=0.6,
        hint="only classes that occur were averaged. Average over all C, with 0 for the others.",
    ),
    MACRO(
        name="mean_recall",
        change={MEAN: "recall.mean().item()"},
        share=0.3,
        hint="this is the mean recall (balanced accuracy). Macro-F1 is the mean of F1.",
    ),
)
