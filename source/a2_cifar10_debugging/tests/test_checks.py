"""A2: are the cases what the notebook promises, and the oracles independent and right?"""

import math
import statistics
from functools import cache
from pathlib import Path

import nbformat
import pytest
import torch

from autograder.assignments.a2_cifar10_debugging.checks import (
    diagnoses,
    experiments,
    preparation,
    runs,
    search,
    stories,
    swish,
)
from autograder.assignments.a2_cifar10_debugging.lesson import curves, origin, plots
from autograder.notebook.artifacts import DRAWN, REAL
from data_scripts import cifar10
from data_scripts.storage import DataNotFound
from data_scripts.synthetic import objects

UNDER, OVER, HIGH, LOW, UNSTABLE, HEALTHY, FLAT = curves.WORDS
ASSIGNMENT = Path(runs.SOURCE).parent
REACHED = 0.85  # by each honest rule, where 0.8 is wanted for all points


def facts(history):
    """Measure what the notebook's table of seven stories speaks of."""
    loss, acc, val_acc = (history[name] for name in ("train_loss", "train_acc", "val_acc"))
    third, quarter = len(loss) // 3, len(loss) // 4

    def end(curve):
        return statistics.fmean(curve[-quarter:])

    steps = [abs(b - a) for a, b in zip(val_acc[third:], val_acc[third + 1 :], strict=False)]
    smooth = [statistics.fmean(history["val_loss"][i : i + 3]) for i in range(len(loss) - 2)]
    return {
        "end": end(loss) / loss[0],
        "late fall": (loss[-third - 1] - loss[-1]) / (loss[0] - loss[third]),
        "gap": end(acc) - end(val_acc),
        "train_acc": end(acc),
        "jump": statistics.fmean(steps),
        "turn": end(history["val_loss"]) / min(smooth),
    }


@pytest.fixture(params=range(60))
def seed(request):
    return request.param


def test_every_curve_keeps_the_margins_that_the_notebook_states(seed):
    high = curves.draw(HIGH, seed)
    finite = all(abs(loss) < float("inf") for loss in high["train_loss"])
    assert not finite or facts(high)["end"] > 1.05
    flat = curves.draw(FLAT, seed)["train_loss"]
    assert max(abs(loss / flat[0] - 1) for loss in flat) < 0.01
    told = {w: facts(curves.draw(w, seed)) for w in curves.WORDS if w not in (HIGH, FLAT)}
    told["resnet"] = facts(curves.resnet152())
    assert all(one["end"] < 0.9 for one in told.values())
    assert told[LOW].pop("late fall") >= 0.5
    assert told[UNDER]["end"] > 0.5 and told[UNDER]["gap"] < 0.05
    assert told[UNDER]["train_acc"] < 0.55 and told[HEALTHY]["train_acc"] > 0.8
    assert all(one["late fall"] < 0.1 for word, one in told.items() if word != LOW)
    for word in (OVER, "resnet"):
        assert told[word]["gap"] >= 0.12 and told[word]["turn"] >= 1.3
    assert all(told[word]["end"] < 1 / 3 for word in (OVER, UNSTABLE, HEALTHY, "resnet"))
    assert all(told[word]["gap"] < 0.1 for word in (UNSTABLE, HEALTHY))
    assert told[UNSTABLE]["jump"] >= 0.05 and told[HEALTHY]["jump"] < 0.02


def test_curves_are_the_same_for_a_seed_and_accuracies_stay_in_range(seed):
    for word in curves.WORDS:
        history, again = curves.draw(word, seed), curves.draw(word, seed)
        assert repr(history) == repr(again)
        assert 16 <= len(history["val_acc"]) <= 60
        assert len({len(values) for values in history.values()}) == 1
        assert all(0 <= a <= 1 for name in ("train_acc", "val_acc") for a in history[name])


def test_an_unknown_word_is_refused():
    with pytest.raises(KeyError):
        curves.draw("tired", 0)


def test_there_are_at_least_30_hidden_curves_and_no_case_has_one_answer_only():
    cases = [case for case in diagnoses.diagnoses.drawn(0).cases if not case.public]
    assert sum(len(case.inputs["histories"]) for case in cases) >= 30
    for case in cases:
        words = case.expected.leaves["answers"].tensor
        assert len(words) == len(case.inputs["histories"])
        assert words.unique().numel() > 1
        constant = words.bincount().max().item() / len(words)
        assert constant < case.levels[0].at_least, "the same word for every curve is worth nothing"
        assert not any(word in case.name for word in curves.WORDS)


def cases_of_real_runs():
    return diagnoses.real_diagnoses.drawn(0).cases


def test_real_runs_are_of_settings_that_no_public_case_has():
    public, hidden = ({run.setting for _, run in stories.told(which)} for which in (False, True))
    assert len(public) >= 30 and len(hidden) >= 30 and not public & hidden


def test_a_case_of_real_runs_has_five_words_and_none_too_often():
    for case in cases_of_real_runs():
        counts = case.expected.leaves["answers"].tensor.bincount(minlength=len(curves.WORDS))
        assert {curves.WORDS[n] for n in counts.nonzero()} == {UNDER, OVER, HIGH, LOW, FLAT}
        assert counts.sum() >= 40
        assert counts.max() / counts.sum() < case.levels[0].at_least / 2


def test_there_are_300_runs_and_most_have_a_word():
    found = stories.by_setting()
    total = sum(map(len, found.values()))
    told = sum(len(list(stories.told(which))) for which in (False, True))
    assert total > 300 and all(len(some) == len(runs.SEEDS) for some in found.values())
    assert told > 0.7 * total
    assert runs.FILE.stat().st_size < 300_000


def test_what_is_written_of_runs_is_read_again(tmp_path):
    written = [run for run in runs.read() if all(map(math.isfinite, run.history["val_loss"]))][:9]
    runs.write(written, tmp_path / "some.safetensors")
    assert runs.read(tmp_path / "some.safetensors") == written


@cache
def rules():
    """Return `diagnose` of the solution and in every other style."""
    texts = {"solution": cell_of(nbformat.read(runs.SOURCE, 4), "diagnose")}
    for path in ASSIGNMENT.glob("alternatives/*.py"):
        texts[path.stem] = path.read_text()
    for path in ASSIGNMENT.glob("submissions/style_*/*.ipynb"):
        texts[path.parent.name] = cell_of(nbformat.read(path, 4), "diagnose")
    found = {}
    for name, text in texts.items():
        names = {"math": math, "torch": torch, "curves": curves}
        exec(text, names)
        found[name] = names["diagnose"]
    return found


def cell_of(notebook, grade_id):
    cells = ((c.metadata.get("nbgrader", {}).get("grade_id"), c.source) for c in notebook.cells)
    return dict(cells)[grade_id]


def says(rule, history):
    return rule({name: list(values) for name, values in history.items()}).strip().lower()


def agreement(rule, case):
    histories = case.inputs["histories"].values()
    said = [says(rule, {n: v.tolist() for n, v in history.items()}) for history in histories]
    wanted = [curves.WORDS[n] for n in case.expected.leaves["answers"].tensor]
    return statistics.fmean(a == b for a, b in zip(said, wanted, strict=True))


def test_five_rules_of_different_styles_agree_with_the_experiments_with_room():
    assert len(rules()) == 5
    reached = {
        name: [agreement(rule, case) for case in cases_of_real_runs()]
        for name, rule in rules().items()
    }
    assert all(min(shares) >= REACHED for shares in reached.values()), reached


def test_five_rules_of_different_styles_find_every_curve_of_the_closed_forms():
    wrong = [
        (name, word, seed)
        for name, rule in rules().items()
        for word in curves.WORDS
        for seed in range(100)
        if says(rule, curves.draw(word, seed)) != word
    ]
    assert not wrong


def test_the_bad_run_of_the_notebook_is_flat_and_its_tuned_net_overfits():
    own = {run.setting: run.history for run in runs.read()}
    bad, tuned = (own[runs.made(change)] for change in runs.NOTEBOOK.values())
    assert tuned["train_acc"][-1] - tuned["val_acc"][-1] > 0.1
    for rule in rules().values():
        assert says(rule, bad) == FLAT
        assert says(rule, tuned) == OVER


def test_the_public_real_runs_are_those_of_the_public_check():
    case = next(case for case in cases_of_real_runs() if case.public)
    words = [curves.WORDS[n] for n in case.expected.leaves["answers"].tensor]
    assert [word for word, _ in curves.real()] == words


def test_descents_keep_clear_of_kinks():
    for case in experiments.descent.drawn(0).cases:
        assert experiments.descend(**case.inputs)[2] > experiments.MARGIN / 2


def test_the_gradients_of_the_swish_oracle_are_those_of_its_formula():
    for case in swish.GRADIENTS[0].drawn(0).cases:
        x, beta, G = (value.double() for value in case.inputs.values())
        gate = torch.sigmoid(beta * x)
        slope = gate * (1 - gate)
        found = swish.gradients(**case.inputs)
        by_x, by_beta = G * (gate + beta * x * slope), (G * x * x * slope).sum()
        assert torch.allclose(found["gradient_x"].double(), by_x, rtol=1e-5)
        assert torch.allclose(found["gradient_beta"].double(), by_beta, rtol=1e-5)


def test_clouds_are_far_apart_and_the_majority_is_clear():
    for case in search.outcome.drawn(0).cases:
        data = case.inputs["data_dict"]
        for part in ("train", "val", "test"):
            assert data[f"X_{part}"].mean(dim=1).abs().min() > 1.5
        counts = data["y_train"].bincount()
        assert counts[3] == 2 * counts[7]


def test_channels_of_the_statistics_differ_in_spread_and_few_pixels_tell_what_is_divided_by():
    cases = {case.name: case.inputs["images"] for case in preparation.statistics.drawn(0).cases}
    scaled = cases["channels"].double() / 255
    stds = (scaled - scaled.mean(0)).square().mean((0, 2, 3)).sqrt()
    assert stds[2] > 2 * stds[1] > 4 * stds[0]
    entries = cases["few"].numel()
    assert (entries / (entries - 1)) ** 0.5 - 1 > 10 * preparation.STATISTICS.rtol


def test_hidden_images_are_in_no_data_set_of_the_course():
    images, labels = search.synthetic_images(0, 40)
    assert labels.dtype == torch.int64
    known = {image.numpy().tobytes() for image in objects.draw(60, 20)["train"][0]}
    assert not known & {image.numpy().tobytes() for image in images}


def draw_all():
    images, labels = objects.draw(40, 10)["train"]
    labels = labels.long()
    history = {"loss": [2.3, 1.0], **curves.draw(HEALTHY, 0)}
    plots.image_rows(images, labels, objects.CLASSES)
    plots.training(history)
    plots.histories({word: curves.draw(word, 1) for word in curves.WORDS})
    plots.rate_range([0.1, 1.0, 10.0], [2.0, 1.0, float("nan")], 0.1)
    plots.swish((0.0, 1.0))
    plots.sweeps({"lr": ([0.1, 1.0], [0.5, 0.6], [0.4, 0.5]), "reg": ([1.0], [0.5], [0.4])})
    plots.confusions(labels, labels, objects.CLASSES)
    plots.templates(torch.rand(12, 3072))  # the only one without axes
    plots.templates(torch.rand(3, 3072), ["a", "b", "c"])


def test_every_axis_of_the_debugging_pictures_has_a_label(drawn):
    draw_all()
    assert len(drawn) == 9
    for figure in drawn[:-2]:
        for axes in figure.axes:
            assert axes.get_ylabel() and (axes.get_xlabel() or axes.get_label() == "<colorbar>")


def test_no_debugging_picture_is_drawn_while_a_notebook_is_graded(drawn, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    draw_all()
    assert drawn == []


@pytest.mark.slow
@pytest.mark.parametrize("data", [DRAWN, REAL])
def test_the_statistics_of_1000_images_tell_whether_they_are_real_or_drawn(data):
    try:
        images, _ = cifar10.load("train", dtype=torch.float32, real=data == REAL)
    except DataNotFound as reason:
        pytest.skip(str(reason))
    for first in range(0, len(images), 1000):
        some = images[first : first + 1000]
        mean_image = some.mean(dim=0)
        std = (some - mean_image).square().mean().sqrt()
        assert origin.trained_on({"mean_image": mean_image.half(), "std": std}) == data
