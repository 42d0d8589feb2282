"""The loop: smoothing, schedule, best checkpoint, resuming."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from autograder.cases import Tolerance
from autograder.checks import Check, Kind, Mistake, number, public_and_hidden

Tensors = dict[str, torch.Tensor]
FLOAT32_EXACT = Tolerance(rtol=1e-5, atol=1e-7)
RATE = Tolerance(rtol=1e-5, atol=1e-6)  # a cosine in float32 will do
KEPT = (
    "epochs", "history", "best_epoch", "best_score", "kept", "weight", "running_mean",
    "returned_it",
)  # fmt: skip
RESUMED = (
    "epochs", "steps", "same_parameters", "same_statistics", "same_scores",
    "same_random_numbers", "best_epoch",
)  # fmt: skip


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks of the training; `seed` draws the hidden cases."""
    yield Check(
        name="schedule_values",
        title="warm-up and cosine",
        records={"rate": "return"},
        cases=public_and_hidden(steps_of_schedules, seed),
        oracle=scheduled,
    )
    yield Check(
        name="smooth_label_values",
        title="smoothed labels",
        records={"targets": "return"},
        cases=public_and_hidden(labels_to_smooth, seed),
        oracle=smoothed,
        pure=True,
    )
    yield Check(
        name="fit_keeps_the_best",
        title="the best epoch, and when to stop",
        records={name: f"return.{name}" for name in KEPT},
        cases=public_and_hidden(courses_of_scores, seed),
        oracle=kept,
    )
    yield Check(
        name="fit_resumes",
        title="as if no connection had been lost",
        records={name: f"return.{name}" for name in RESUMED},
        cases=public_and_hidden(lost_connections, seed),
        oracle=resumed,
    )


# The schedule, and smooth labels


def steps_of_schedules(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield steps before, at and behind the end of the warm-up, and schedules without one."""
    for name, about, steps, warmup, step in (
        ("first", "the first step", 90, 7, 0),
        ("warming", "while it warms up", 80, 11, rng.randint(2, 9)),
        ("last_warm", "the last step of the warm-up", 70, 6, 5),
        ("peak", "the first step of the cosine", 60, 9, 9),
        ("middle", "in the cosine", 100, 13, rng.randint(30, 70)),
        ("last", "the last step", 50, 4, 49),
        ("cold", "the first step, without a warm-up", 40, 0, 0),
        ("cold_middle", "without a warm-up", 45, 0, rng.randint(10, 30)),
    ):
        peak = round(rng.uniform(0.5, 2), 3)
        inputs = {"step": int(step), "steps": steps, "peak": peak, "warmup": warmup}
        yield name, about, inputs, 1, RATE


def scheduled(step: int, steps: int, peak: float, warmup: int) -> Tensors:
    """Let torch's schedulers go to the step."""
    parameter = torch.zeros((), requires_grad=True)
    optimiser = torch.optim.SGD([parameter], peak)
    cosine = partial(CosineAnnealingLR, T_max=steps - warmup)
    if warmup > 1:
        warm = LinearLR(optimiser, 1 / warmup, 1, warmup - 1)
        schedule = SequentialLR(optimiser, [warm, cosine(optimiser)], [warmup])
    else:
        schedule = cosine(optimiser)
    for _ in range(step):
        optimiser.step()
        schedule.step()
    rate = optimiser.param_groups[0]["lr"]
    return {"rate": torch.tensor(rate, dtype=torch.float64)}


def labels_to_smooth(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield labels of different numbers of classes, and different smoothing."""
    for name, about, N, C, smoothing in (
        ("seven", "9 faces, ε = 0.1", 9, 7, 0.1),
        ("strong", "4 samples of 3 classes, ε = 0.45", 4, 3, 0.45),
        ("none", "ε = 0", 5, 4, 0.0),
        ("single", "a single sample", 1, 6, 0.2),
    ):
        y = torch.tensor(rng.randint(0, C - 1, size=N))  # the last class does not occur
        yield name, about, {"y": y, "num_classes": C, "smoothing": smoothing}, 1, FLOAT32_EXACT


def smoothed(y: torch.Tensor, num_classes: int, smoothing: float) -> Tensors:
    """Mix each label's row of the unit matrix with the uniform distribution, by NumPy."""
    rows = np.eye(num_classes)[y.numpy()]
    return {"targets": torch.tensor((1 - smoothing) * rows + smoothing / num_classes).float()}


# The loop


def courses_of_scores(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield scores by epoch: they rise, turn, stay equal, fall from the start, or come too late."""
    shift = round(rng.uniform(0, 0.2), 3)
    for name, about, scores, epochs, patience in (
        ("to_the_end", "better to the end", [0.1, 0.2, 0.3, 0.4, 0.5], 5, 2),
        ("last_not_best", "the last epoch is not the best", [0.1, 0.5, 0.2, 0.3, 0.4], 5, 9),
        ("stops", "two epochs without a new best score", [0.3, 0.1, 0.4, 0.2, 0.1, 0.6, 0.7], 7, 2),
        ("equal", "an equal score is no new best one", [0.2, 0.4, 0.4, 0.3, 0.4, 0.5], 6, 3),
        (
            "worse",
            "every epoch is worse than the first",
            [0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.3, 0.2],
            8,
            4,
        ),
        ("recovers", "patience begins anew", [0.1, 0.3, 0.2, 0.4, 0.3, 0.2, 0.6], 7, 2),
        ("impatient", "patience 1", [0.1, 0.2, 0.15, 0.12, 0.1, 0.9], 6, 1),
        ("single", "a single epoch", [0.3, 0.2], 1, 3),
        ("negative", "scores below zero", [-0.9, -0.7, -0.8, -0.75], 4, 4),
    ):
        scores = [round(score + (shift if scores[0] > 0 else 0), 3) for score in scores]
        yield name, about, {"scores": scores, "epochs": epochs, "patience": patience}


def course(scores: Sequence[float], epochs: int, patience: int) -> tuple[int, int]:
    """Return how many epochs are trained, and which is the best."""
    for done in range(1, epochs + 1):
        best = int(np.argmax(scores[:done]))
        if done - 1 - best == patience:
            return done, best
    return epochs, int(np.argmax(scores[:epochs]))


def kept(scores: Sequence[float], epochs: int, patience: int) -> Tensors:
    """Say what is kept: each weight is the number of the best epoch."""
    done, best = course(scores, epochs, patience)
    return {
        "epochs": torch.arange(done, dtype=torch.float64),
        "history": torch.tensor(scores[:done], dtype=torch.float64),
        "best_epoch": number(best),
        "best_score": number(scores[best]),
        "kept": torch.full((2, 3), float(best)),
        "weight": torch.full((2, 3), float(best)),
        "running_mean": torch.full((2,), float(best)),
        "returned_it": number(1),
    }


def lost_connections(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield trainings with the epochs in which their connection gets lost."""
    rising = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    turning = [0.1, 0.5, 0.3, 0.2, 0.4, 0.1, 0.9]
    for name, about, scores, epochs, patience, lost_in, ends in (
        ("once", "lost once", rising, 5, 3, [2], 0),
        ("behind_the_best", "lost behind the best epoch", turning, 6, 9, [4], 0),
        ("before_the_best", "lost between a good epoch and the best", turning, 7, 9, [4], 0),
        ("twice", "lost twice", rising, 6, 3, [1, 4], 0),
        ("patience", "patience counts across sessions", turning, 7, 4, [3], 0),
        ("ended", "begun again behind the end", rising, 4, 3, [2], 1),
        ("stopped", "begun again behind an early stop", turning, 7, 2, [], 1),
    ):
        N, D = 10 + rng.randint(3), 4
        x = torch.tensor(rng.randn(N, D).round(3))
        y = torch.tensor(rng.randint(0, 3, size=N))
        yield name, about, {"x": x, "y": y, "scores": scores, "epochs": epochs,
                            "patience": patience, "lost_in": lost_in, "ends": ends}  # fmt: skip


def resumed(
    x: torch.Tensor,
    y: torch.Tensor,
    scores: Sequence[float],
    epochs: int,
    patience: int,
    lost_in: Sequence[int],
    ends: int,
) -> Tensors:
    """Say what a training is that nothing disturbs: every epoch once, and everything the same."""
    done, best = course(scores, epochs, patience)
    same = ("same_parameters", "same_statistics", "same_scores", "same_random_numbers")
    return {
        "epochs": torch.arange(done, dtype=torch.float64),
        "steps": number(done * -(-len(x) // 4)),
        "best_epoch": number(best),
        **{name: number(1) for name in same},
    }


RATES = ("schedule_values",)
SMOOTH = ("smooth_label_values",)
BEST = ("fit_keeps_the_best",)
RESUME = ("fit_resumes",)
ONE_HOT = "return (1 - smoothing) * F.one_hot(y, num_classes).float() + smoothing / num_classes"
LOADED = 'run.model.load_state_dict(run.best["weights"])'
WEIGHTS = "weights = {name: w.cpu().clone() for name, w in run.model.state_dict().items()}"
CONTINUES = (
    'while len(run.history) < epochs and len(run.history) - 1 - run.best["epoch"] < patience:'
)

MISTAKES = (
    Mistake(
        "warmup_starts_at_zero",
        "learning_rate",
        {
            "(step + 1) / warmup": "step / warmup",
        },
        RATES,
        0.5,
        "the first step has the rate 0, and teaches nothing. Step s of the warm-up has (s "
        "+ 1) / warmup of the peak.",
    ),
    Mistake(
        "cosine_over_all_steps",
        "learning_rate",
        {
            "(step - warmup) / (steps - warmup)": "step / steps",
        },
        RATES,
        0.3,
        "the cosine runs over all steps. It begins where the warm-up ends: its progress "
        "is (s − warmup) / (steps − warmup).",
    ),
    Mistake(
        "cosine_to_steps",
        "learning_rate",
        {
            "(step - warmup) / (steps - warmup)": "(step - warmup) / steps",
        },
        RATES,
        0.3,
        "the cosine does not get to its end: it has steps − warmup steps, not steps.",
    ),
    Mistake(
        "linear_decay",
        "learning_rate",
        {
            "return peak / 2 * (1 + math.cos(math.pi * progress))": "return peak * (1 - progress)",
        },
        RATES,
        0.3,
        "the rate falls along a line. Half a cosine is (1 + cos(π · progress)) / 2.",
    ),
    Mistake(
        "whole_cosine",
        "learning_rate",
        {
            "math.cos(math.pi *": "math.cos(2 * math.pi *",
        },
        RATES,
        0.3,
        "the rate goes down and up again: a whole cosine. Half of one ends at π, not at 2π.",
    ),
    Mistake(
        "smoothing_among_the_others",
        "smooth_labels",
        {
            ONE_HOT: (
                "hot = F.one_hot(y, num_classes).float()\n    return (1 - smoothing) * "
                "hot + (1 - hot) * smoothing / (num_classes - 1)"
            ),
        },
        SMOOTH,
        0.5,
        "ε was shared out among the other classes only. Here all C classes get ε / C, the "
        "label too.",
    ),
    Mistake(
        "smoothing_not_taken",
        "smooth_labels",
        {
            "(1 - smoothing) * F": "F",
        },
        SMOOTH,
        0.2,
        "the rows add up to more than 1: what is shared out has to be taken from the label first.",
    ),
    Mistake(
        "smoothing_not_shared",
        "smooth_labels",
        {
            "smoothing / num_classes": "smoothing",
        },
        SMOOTH,
        0.2,
        "every class gets the whole ε. It is divided by the number of classes.",
    ),
    Mistake(
        "best_is_not_a_copy",
        "fit",
        {
            WEIGHTS: "weights = run.model.state_dict()",
        },
        BEST,
        0.5,
        "the best weights are those of the last epoch: state_dict() holds the tensors "
        "that training goes on to change. Clone them.",
    ),
    Mistake(
        "best_without_statistics",
        "fit",
        {
            WEIGHTS: (
                "weights = {name: w.cpu().clone() for name, w in run.model.named_parameters()}"
            ),
            LOADED: 'run.model.load_state_dict(run.best["weights"], strict=False)',
        },
        BEST,
        0.5,
        "the parameters are those of the best epoch, and the running statistics of the "
        "batch norm are not. state_dict() has both.",
    ),
    Mistake(
        "last_weights_returned",
        "fit",
        {
            'run.model.load_state_dict(run.best["weights"])\n': "",
            "    return run.model": "return run.model",
        },
        BEST,
        0.5,
        "the model has the weights of the last epoch. Load those of the best one at the end.",
    ),
    Mistake(
        "equal_is_better",
        "fit",
        {
            'figures["score"] > run': 'figures["score"] >= run',
        },
        BEST,
        0.6,
        "an epoch that is only as good as the best one replaced it, and patience began "
        "anew. A new best score is higher.",
    ),
    Mistake(
        "lowest_is_best",
        "fit",
        {
            'if figures["score"] > run.best["score"]:': (
                'if run.best["epoch"] < 0 or figures["score"] < run.best["score"]:'
            ),
        },
        BEST,
        0.2,
        "the epoch with the lowest score was kept. A score is better when it is higher.",
    ),
    Mistake(
        "one_epoch_too_many",
        "fit",
        {
            "< patience:": "<= patience:",
        },
        BEST,
        0.6,
        "training stops an epoch late. It ends as soon as `patience` epochs in a row "
        "brought nothing new.",
    ),
    Mistake(
        "patience_ignored",
        "fit",
        {
            CONTINUES: "while len(run.history) < epochs:",
        },
        BEST,
        0.4,
        "training goes on to the last epoch. It ends when `patience` epochs in a row "
        "brought no new best score.",
    ),
    Mistake(
        "stops_at_the_first_fall",
        "fit",
        {
            CONTINUES: (
                "while len(run.history) < epochs and (len(run.history) < 2 or "
                'run.history[-1]["score"] >= run.history[-2]["score"]):'
            ),
        },
        BEST,
        0.3,
        "training ends when a score falls below the one before. Count the epochs since "
        "the best one, and compare with patience.",
    ),
    Mistake(
        "always_from_the_start",
        "fit",
        {
            "    if path is not None and path.exists():\n        load_run(run, path)\n": "",
        },
        RESUME,
        0.3,
        "training began again from epoch 0. If the file exists, load_run(run, path) comes first.",
    ),
    Mistake(
        "saved_too_early",
        "fit",
        {
            "        if path is not None:\n            save_run(run, path)\n": "",
            "        run.history.append(figures)\n": (
                "        if path is not None:\n            save_run(run, path)\n        "
                "run.history.append(figures)\n"
            ),
        },
        RESUME,
        0.4,
        "an epoch was trained twice: the run was saved before its history had the epoch.",
    ),
    Mistake(
        "saved_only_when_better",
        "fit",
        {
            "        if path is not None:\n            save_run": (
                '        if path is not None and run.best["epoch"] == epoch:\n            save_run'
            ),
        },
        RESUME,
        0.4,
        "only the best epochs were saved, so those since the last of them were trained "
        "again. Save after every epoch.",
    ),
    Mistake(
        "random_state_forgotten",
        "load_run",
        {
            'torch.set_rng_state(state["random"])': "pass",
        },
        RESUME,
        0.5,
        "the random numbers go on differently: other batches, other dropout. Save "
        "torch.get_rng_state(), and set it again.",
    ),
    Mistake(
        "optimiser_forgotten",
        "load_run",
        {
            'run.optimiser.load_state_dict(state["optimiser"])': "pass",
        },
        RESUME,
        0.5,
        "the optimiser began anew, without its averages and its count of steps. Save and "
        "load its state too.",
    ),
    Mistake(
        "model_forgotten",
        "load_run",
        {
            'run.model.load_state_dict(state["model"])': "pass",
        },
        RESUME,
        0.2,
        "after loading, the model still has its new random weights. Load its state.",
    ),
    Mistake(
        "resumes_from_the_best",
        "load_run",
        {
            'run.model.load_state_dict(state["model"])': (
                'run.model.load_state_dict(state["best"]["weights"])'
            ),
        },
        RESUME,
        0.5,
        "training went on from the weights of the best epoch. It goes on from those of "
        "the last one; the best ones are for the end.",
    ),
    Mistake(
        "best_forgotten",
        "load_run",
        {
            'run.history, run.best = state["history"], state["best"]': (
                'run.history = state["history"]'
            ),
        },
        RESUME,
        0.5,
        "the best epoch from before the lost connection is forgotten. Save and load run.best too.",
    ),
    Mistake(
        "history_forgotten",
        "load_run",
        {
            'run.history, run.best = state["history"], state["best"]': 'run.best = state["best"]',
        },
        RESUME,
        0.4,
        "the history was lost, so the epochs are counted from 0 again. Save and load "
        "run.history too.",
    ),
    Mistake(
        "statistics_forgotten",
        "save_run",
        {
            '"model": run.model.state_dict()': (
                '"model": {**run.best["weights"], **dict(run.model.named_parameters())}'
            ),
        },
        RESUME,
        0.5,
        "the running statistics of the batch norm are not those of the last epoch. "
        "run.model.state_dict() has them.",
    ),
)
