"""The training loop and resuming; and the faces that the network of a4 is measured on."""

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score

from autograder.assignments import find
from autograder.assignments.a4_facial_expression.checks import predictions, training
from autograder.assignments.a4_facial_expression.lesson import plots
from autograder.assignments.a4_facial_expression.lesson import training as loop
from autograder.authoring.checks import answer_of, load
from data_scripts.synthetic import faces

A4 = "a4_facial_expression"
PREDICTED = predictions.faces_accuracy, predictions.faces_macro_f1
DECLARED = (training.resumed, *PREDICTED)


@pytest.fixture(
    scope="module", params=[0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
def checks(request):
    return {one.check.name: one.drawn(request.param) for one in DECLARED}


def labels_of(check, case):
    return answer_of(check, case)["labels"].tensor


@pytest.mark.parametrize(
    "scores, epochs, patience, expected",
    [
        ([0.1, 0.2, 0.3], 3, 1, (3, 2)),
        ([0.3, 0.1, 0.4, 0.2, 0.1, 0.6], 6, 2, (5, 2)),
        ([0.2, 0.4, 0.4, 0.3, 0.4], 5, 3, (5, 1)),
        ([0.5, 0.4, 0.6], 3, 1, (2, 0)),
        ([0.5], 1, 1, (1, 0)),
    ],
)
def test_a_course_of_scores_by_hand(scores, epochs, patience, expected):
    assert training.course(scores, epochs, patience) == expected


def test_rates_begin_above_zero_reach_the_peak_twice_and_end_near_zero():
    rates = [loop.learning_rate(step, 20, 2.0, 5) for step in range(20)]
    assert rates[0] == pytest.approx(0.4)
    assert rates[4] == pytest.approx(2) and rates[5] == pytest.approx(2)
    assert rates == sorted(rates[:5]) + sorted(rates[5:], reverse=True)
    assert 0 < rates[-1] < 0.05


def test_smoothed_labels_are_what_torch_smooths():
    y, logits = torch.arange(7).flip(0), torch.randn(7, 7)
    targets = loop.smooth_labels(y, 0.2)
    assert torch.allclose(targets.sum(dim=1), torch.ones(7)) and targets.argmax(dim=1).equal(y)
    smoothed = F.cross_entropy(logits, y, label_smoothing=0.2)
    assert torch.allclose(F.cross_entropy(logits, targets), smoothed)


def test_every_face_comes_once_in_an_epoch_or_as_often_as_its_weight_says():
    y = torch.arange(600)
    X = torch.randint(0, 256, (600, 1, 2, 3), dtype=torch.uint8)
    sizes = []

    def unchanged(images):
        sizes.append(len(images))
        return images

    torch.manual_seed(0)
    batches = list(loop.training_batches(X, y, 64, unchanged, group=10))
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert labels.sort().values.equal(y) and not labels.equal(y)
    assert torch.allclose(images, loop.normalise(X[labels] / 255))
    assert sizes == 9 * [10, 10, 10, 10, 10, 10, 4] + [10, 10, 4]
    weights = torch.where(y < 300, 0.9, 0.1)
    often = torch.cat([labels for _, labels in loop.training_batches(X, y, 64, weights=weights)])
    assert len(often) == 600 and 0.85 < (often < 300).double().mean() < 0.95


def test_faces_to_predict_are_of_no_set_that_a_student_has(checks):
    have = {face.numpy().tobytes() for X, _ in faces.draw_collected().values() for face in X}
    seen = {}
    for name in ("faces_accuracy", "faces_macro_f1"):
        for case in checks[name].cases:
            pictures = {face.numpy().tobytes() for face in case.inputs["images"]}
            assert len(pictures) == len(case.inputs["images"])
            assert have.isdisjoint(pictures)
            seen[name, case.name] = pictures
    assert len(set().union(*seen.values())) == sum(map(len, seen.values()))


def test_one_set_has_the_usual_shares_and_one_has_equal_ones(checks):
    counts = {}
    for name in ("faces_accuracy", "faces_macro_f1"):
        case = next(case for case in checks[name].cases if not case.public)
        labels = labels_of(checks[name], case)
        counts[name] = labels.bincount(minlength=7).tolist()
    assert counts["faces_accuracy"] == [111, 12, 114, 201, 135, 89, 138]
    assert counts["faces_macro_f1"] == [60] * 7


def test_to_know_only_the_most_frequent_expression_is_no_pass(checks):
    for name, least in (("faces_accuracy", 0.60), ("faces_macro_f1", 0.48)):
        for case in checks[name].cases:
            labels = labels_of(checks[name], case)
            always = labels.mode().values.expand(len(labels))
            assert case.levels[0].at_least == least
            assert (labels == always).double().mean() < least / 2
            assert f1_score(labels, always, average="macro", zero_division=0) < least / 2


def test_real_faces_are_another_case(monkeypatch):
    images = torch.randint(0, 255, (5, 1, 48, 48), dtype=torch.uint8)
    labels = torch.arange(5)
    monkeypatch.setattr(predictions.fer2013, "load", lambda split, real: (images, labels))
    all_checks = {check.name: check for check in load(find(A4), real=True).checks}
    for name, least in (
        ("faces_accuracy", predictions.REAL_ACCURACY),
        ("faces_macro_f1", predictions.REAL_MACRO_F1),
    ):
        check = all_checks[name]
        case = check.cases[-1]
        assert case.name == "real" and check.any_case and not case.public
        assert torch.equal(case.inputs["images"], images)
        assert torch.equal(labels_of(check, case), labels)
        assert tuple(level.at_least for level in case.levels) == least


def test_the_picture_has_a_panel_for_each_training_run_and_one_for_all(drawn):
    history = [
        {"train_loss": 2 - e, "loss": 1.5, "score": 0.3 + 0.1 * (e == 1)} for e in (0, 1, 0.5)
    ]
    plots.training_runs({"plain": history, "augmented": history[:2]})
    (figure,) = drawn
    assert [axes.get_title() for axes in figure.axes] == ["plain", "augmented", "validation"]
    dots = [line for line in figure.axes[2].lines if line.get_marker() == "o"]
    assert [dot.get_xydata().tolist() for dot in dots] == [[[2, 0.4]], [[2, 0.4]]]
