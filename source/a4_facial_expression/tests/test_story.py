"""The story of sections 4 to 8, on the drawn faces that every student has.

Five draws of 600 faces, and all faces five times, each with a seed of its own for the network and
its batches.
"""

import pytest
import torch

from autograder.assignments.a4_facial_expression.lesson import training
from bench.notebooks import Notebook

CELLS = (
    "setup", "load_faces", "SmallCNN", "make_augmentation", "save_run", "load_run", "train_net",
    "confusion_matrix", "class_scores", "balanced_weights", "adjust_logits",
    "average_probabilities",
)  # fmt: skip
SEEDS = range(5)
DISGUST = 1


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """What the cells of the solved notebook define."""
    runs = tmp_path_factory.mktemp("runs")
    names = Notebook("a4_facial_expression", REAL=False, DEVICE="cpu", RUNS=runs)
    names.run(*CELLS)
    names.run("ablation", until="\n\nsecond")  # two_looks
    return names


@pytest.fixture(scope="module")
def measured(names):
    """Accuracy, macro-F1 and recall of disgust on the test faces, for each seed and way."""
    return [one_draw(names, seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def measured_with_all(names):
    """The same, of networks that were trained on all faces, but for those that are tested."""
    train, val, test = names["train"], names["val"], names["test"]
    elsewhere = {face.numpy().tobytes() for face in (*val.X, *test.X)}
    rows = [i for i, face in enumerate(train.X) if face.numpy().tobytes() not in elsewhere]
    faces = names["Faces"](train.X[rows], train.y[rows])
    weights = names["balanced_weights"](faces.y, 7)[1]
    return [with_all(names, faces, weights, seed) for seed in SEEDS]


def with_all(names, faces, weights, seed):
    def logits(name, **settings):
        torch.manual_seed(seed)
        how = {
            "epochs": 20,
            "batch_size": 64,
            "augmentation": names["make_augmentation"](),
            **settings,
        }
        run = names["train_net"](f"{name}{seed}", names["SmallCNN"](), faces, val, seed=seed, **how)
        return training.predict_logits(run.model, test.X)

    val, test = names["val"], names["test"]
    alone = logits("alone")
    ways = {
        "alone": alone,
        "sampler": logits("sampler", weights=weights),
        "adjusted": names["adjust_logits"](alone, faces.y.bincount(minlength=7), 1.0),
    }
    return {way: numbers(names, found, test.y) for way, found in ways.items()}


def one_draw(names, seed):
    X, y = names["train"].X, names["train"].y
    rows = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))[:600]
    few, val, test = names["Faces"](X[rows], y[rows]), names["val"], names["test"]

    def trained(name, seed=seed, **settings):
        torch.manual_seed(seed)
        net = names["SmallCNN"]()
        run = names["train_net"](f"{name}{seed}", net, few, val, epochs=40, seed=seed, **settings)
        return run.model

    augmentation = names["make_augmentation"]()
    plain, augmented = trained("plain"), trained("augmented", augmentation=augmentation)
    second = trained("augmented", seed + 100, augmentation=augmentation)
    logits = training.predict_logits(augmented, test.X)
    counts = y[rows].bincount(minlength=7)
    ways = {
        "plain": training.predict_logits(plain, test.X),
        "plain, mirrored": names["two_looks"]([plain], test.X),
        "augmented": logits,
        "mirrored": names["two_looks"]([augmented], test.X),
        "second": names["two_looks"]([second], test.X),
        "ensemble": names["two_looks"]([augmented, second], test.X),
        "adjusted": names["adjust_logits"](logits, counts, 1.0),
    }
    return {way: numbers(names, found, test.y) for way, found in ways.items()}


def numbers(names, found, y):
    confusion = names["confusion_matrix"](y, found.argmax(dim=1), 7)
    right = (confusion.diagonal().sum() / confusion.sum()).item()
    _, recall, _, macro = names["class_scores"](confusion)
    return torch.tensor([right, float(macro), recall[DISGUST].item()])


def gains(measured, way, before):
    """Points of accuracy, macro-F1 and recall of disgust that a way adds, for each seed."""
    found = 100 * torch.stack([one[way] - one[before] for one in measured])
    print(f"{way} against {before}:", found.round().int().tolist())
    return found


@pytest.mark.slow
def test_augmentation_mirror_images_and_a_second_network_help_together(measured):
    together = gains(measured, "ensemble", "plain")[:, 0]
    assert together.mean() > 3
    augmentation = gains(measured, "augmented", "plain")[:, 0]
    assert augmentation.mean() > 0 and augmentation.std() > 2  # alone, it depends on the draw


@pytest.mark.slow
def test_mirror_images_help_and_help_more_without_augmentation(measured):
    plain = gains(measured, "plain, mirrored", "plain")[:, 0]
    augmented = gains(measured, "mirrored", "augmented")[:, 0]
    assert plain.mean() > 1.5 and augmented.mean() > 0
    assert plain.mean() > augmented.mean()


@pytest.mark.slow
def test_two_networks_together_are_better_than_the_average_of_the_two(measured):
    """Than the first of them they need not be: the second may be worse."""
    over_first, over_second = (
        gains(measured, "ensemble", one)[:, 0] for one in ("mirrored", "second")
    )
    average = (over_first + over_second) / 2
    assert (average > 0).all() and average.mean() > 0.5


@pytest.mark.slow
def test_adjusted_logits_find_more_of_the_rarest_class_and_keep_macro_f1(measured):
    gained = gains(measured, "adjusted", "augmented")
    assert gained[:, 2].mean() > 5  # recall of disgust
    assert gained[:, 1].mean() > -1  # macro-F1
    assert gained[:, 0].mean() > -5  # accuracy


@pytest.mark.slow
def test_with_all_faces_a_sampler_finds_the_rarest_class_and_macro_f1_rises(measured_with_all):
    gained = gains(measured_with_all, "sampler", "alone")
    assert (gained[:, 2] > 10).all()  # recall of disgust
    assert (gained[:, 1] > -1).all() and gained[:, 1].mean() > 1.5  # macro-F1
    assert gained[:, 0].mean() > -2.5  # accuracy


@pytest.mark.slow
def test_with_all_faces_adjusted_logits_find_the_rarest_class_and_keep_macro_f1(measured_with_all):
    gained = gains(measured_with_all, "adjusted", "alone")
    assert (gained[:, 2] > 20).all() and gained[:, 1].mean() > 0
    assert gained[:, 0].mean() > -5
