"""What accuracy hides, fairness to rare classes, and several opinions: cases and oracles of a4."""

import pytest
import torch
from torch import nn

from autograder.assignments.a4_facial_expression.checks import imbalance, measures, opinions
from autograder.assignments.a4_facial_expression.lesson import plots

SEEDS = (0, 1, 2)
DECLARED = (
    measures.counted, measures.scores, imbalance.balanced, imbalance.adjusted, opinions.averaged,
)  # fmt: skip
SMALL = torch.tensor([[6, 2, 0], [1, 3, 0], [2, 0, 0]])  # the third class is never predicted


@pytest.fixture(scope="module", params=SEEDS)
def checks(request):
    return {one.check.name: one.drawn(request.param) for one in DECLARED}


def test_scores_by_hand():
    found = measures.scores.oracle(SMALL)
    expected = {"precision": [6 / 9, 3 / 5, 0], "recall": [6 / 8, 3 / 4, 0],
                "F1": [12 / 17, 6 / 9, 0]}  # fmt: skip
    for name, values in expected.items():
        assert torch.allclose(found[name], torch.tensor(values).double())
    assert found["macro-F1"] == pytest.approx((12 / 17 + 6 / 9) / 3)


def test_labels_are_counted_back_to_their_matrix():
    y, predictions = (torch.tensor(labels) for labels in measures.labels_of(SMALL))
    assert measures.counted.oracle(y, predictions, 3)["confusion"].equal(SMALL)


def test_scores_differ_where_mistakes_would_hide(checks):
    """Precision and recall, and macro-F1 and what is taken for it."""
    (case,) = [case for case in checks["class_score_values"].cases if case.name == "faces"]
    confusion = case.inputs["confusion"]
    found = measures.scores.oracle(confusion)
    macro, F1 = found["macro-F1"], found["F1"]
    accuracy = confusion.diagonal().sum() / confusion.sum()
    weighted = (F1 * confusion.sum(dim=1)).sum() / confusion.sum()
    for other in (accuracy, weighted, found["recall"].mean(), found["precision"].mean()):
        assert abs(macro - other) > 1e-4


def test_class_weights_average_1_over_the_classes_that_occur(checks):
    for case in checks["balanced_weight_values"].cases:
        y, C = case.inputs.values()
        weights, counts = imbalance.balanced.oracle(y, C)["class weights"], y.bincount(minlength=C)
        assert weights[counts > 0].mean().item() == pytest.approx(1)
        assert not weights[counts == 0].any()


def test_every_class_is_drawn_equally_often(checks):
    for case in checks["balanced_weight_values"].cases:
        y, C = case.inputs.values()
        weights = imbalance.balanced.oracle(y, C)["sample weights"]
        drawn = torch.zeros(C).double().index_add_(0, y, weights)
        assert drawn.sum().item() == pytest.approx(1)
        assert drawn[drawn > 0].tolist() == pytest.approx([1 / len(y.unique())] * len(y.unique()))


def test_some_classes_do_not_occur_and_one_occurs_once(checks):
    cases = {case.name: case.inputs for case in checks["balanced_weight_values"].cases}
    counts = {name: y.bincount(minlength=C).tolist() for name, (y, C) in
              ((name, inputs.values()) for name, inputs in cases.items())}  # fmt: skip
    assert counts["absent"].count(0) == 2 and 1 in counts["once"] and sum(counts["single"]) == 1


def test_adjusted_logits_decide_where_two_equally_frequent_classes_would():
    """Two bells around -1 and 1, one of them a hundred times as frequent as the other."""
    counts = torch.tensor([100, 1])
    x = torch.tensor([-0.1, 0.1]).double()
    log_likelihood = -((x[:, None] - torch.tensor([-1.0, 1.0])) ** 2) / 2
    logits = log_likelihood + (counts / counts.sum()).log()
    assert logits.argmax(dim=1).tolist() == [0, 0]
    adjusted = imbalance.adjusted.oracle(logits, counts, 1.0)["logits"]
    assert adjusted.argmax(dim=1).tolist() == [0, 1]


def logits_of(weights, x):
    """Return the logits (M, 2, N, C) of networks built of torch's layers, for both looks."""
    found = []
    for m in range(len(weights["5.bias"])):
        one = {key: w[m] for key, w in weights.items()}
        model = nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Tanh(), nn.Dropout(0.5), nn.Flatten(),
            nn.Linear(one["5.weight"].shape[1], len(one["5.bias"])),
        ).to(x.dtype)  # fmt: skip
        model.load_state_dict(one)
        found.append(torch.stack([model.eval()(look) for look in (x, x.flip(-1))]))
    return torch.stack(found).detach()


def test_a_quiet_majority_outvotes_the_loud_one(checks):
    """In the extreme case, averaging logits would follow one network alone."""
    (case,) = [case for case in checks["opinion_values"].cases if case.name == "extreme"]
    weights, x, training = case.inputs.values()
    logits = logits_of(weights, x)
    assert logits.abs().amax(dim=(1, 2, 3)).max() > 5_000
    of_logits = logits.flatten(0, 1).mean(dim=0).softmax(dim=1)
    found = opinions.averaged.oracle(weights, x, training)["probabilities"]
    assert found.isfinite().all() and (of_logits - found).abs().max() > 0.1


def test_the_oracle_of_several_looks_is_torchs_network(checks):
    for case in checks["opinion_values"].cases:
        weights, x, training = case.inputs.values()
        looks = logits_of(weights, x).softmax(dim=-1)
        found = opinions.averaged.oracle(weights, x, training)["probabilities"]
        assert torch.allclose(found, looks.mean(dim=(0, 1)), rtol=1e-5)
        assert (looks[:, 0] - looks[:, 1]).abs().max() > 0.01  # it does see a difference


def draw_pictures():
    plots.confusion_matrix(SMALL / SMALL.sum(dim=1, keepdim=True), ("sad", "happy", "calm"))
    scores = {"accuracy": [0.8, 0.7], "macro-F1": [0.5, 0.6], "recall": [0.0, 0.4]}
    plots.prior_adjustment([0.0, 1.0], scores, 1.0)


def test_its_pictures_draw_with_labelled_axes_and_not_while_grading(drawn, monkeypatch):
    draw_pictures()
    assert len(drawn) == 2
    matrix, sweep = (figure.axes[0] for figure in drawn)
    assert [text.get_text() for text in matrix.texts][:3] == ["75", "25", "0"]
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in (matrix, sweep))
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    draw_pictures()
    assert len(drawn) == 2
