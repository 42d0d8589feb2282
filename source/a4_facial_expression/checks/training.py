"""The loop: smoothing, schedule, resuming."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance

FLOAT32_EXACT = Tolerance(rtol=1e-5, atol=1e-7)
RATE = Tolerance(rtol=1e-5, atol=1e-6)  # a cosine in float32 will do
RESUMED = (
    "epochs", "steps", "same_parameters", "same_statistics", "same_scores",
    "same_random_numbers", "best_epoch", "same_scaler", "refuses_code",
)  # fmt: skip


# The schedule, and smooth labels


def schedule_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield steps before, at and after the end of the warm-up, and schedules without one."""
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
        yield case(name, about, step=int(step), steps=steps, peak=peak, warmup=warmup)


@check("schedule_values", "warm-up and cosine", {"rate": "return"}, schedule_cases, tolerance=RATE)
def scheduled(step: int, steps: int, peak: float, warmup: int) -> Answers:
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
    return {"rate": optimiser.param_groups[0]["lr"]}


def label_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield labels of different numbers of classes, and different smoothing."""
    for name, about, N, C, smoothing in (
        ("seven", "9 faces, ε = 0.1", 9, 7, 0.1),
        ("strong", "4 samples of 3 classes, ε = 0.45", 4, 3, 0.45),
        ("none", "ε = 0", 5, 4, 0.0),
        ("single", "a single sample", 1, 6, 0.2),
    ):
        y = torch.tensor(rng.randint(0, C - 1, size=N))  # the last class does not occur
        yield case(name, about, y=y, num_classes=C, smoothing=smoothing)


@check(
    "smooth_label_values", "smoothed labels", {"targets": "return"}, label_cases,
    tolerance=FLOAT32_EXACT, pure=True,
)  # fmt: skip
def smoothed(y: torch.Tensor, num_classes: int, smoothing: float) -> Answers:
    """Mix each label's row of the unit matrix with the uniform distribution, by NumPy."""
    rows = np.eye(num_classes)[y.numpy()]
    return {"targets": torch.tensor((1 - smoothing) * rows + smoothing / num_classes).float()}


# Resuming


def course(scores: Sequence[float], epochs: int, patience: int) -> tuple[int, int]:
    """Return how many epochs are trained, and which is the best."""
    for done in range(1, epochs + 1):
        best = int(np.argmax(scores[:done]))
        if done - 1 - best == patience:
            return done, best
    return epochs, int(np.argmax(scores[:epochs]))


def lost_connection_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield training runs, with the epochs in which their connection gets lost."""
    rising = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    turning = [0.1, 0.5, 0.3, 0.2, 0.4, 0.1, 0.9]
    for name, about, scores, epochs, patience, lost_in, ends in (
        ("once", "lost once", rising, 5, 3, [2], 0),
        ("behind_the_best", "lost after the best epoch", turning, 6, 9, [4], 0),
        ("before_the_best", "lost between a good epoch and the best", turning, 7, 9, [4], 0),
        ("twice", "lost twice", rising, 6, 3, [1, 4], 0),
        ("patience", "patience counts across sessions", turning, 7, 4, [3], 0),
        ("ended", "started again after the end", rising, 4, 3, [2], 1),
        ("stopped", "started again after an early stop", turning, 7, 2, [], 1),
    ):
        N, D = 10 + rng.randint(3), 4
        x = torch.tensor(rng.randn(N, D).round(3))
        y = torch.tensor(rng.randint(0, 3, size=N))
        yield case(name, about, x=x, y=y, scores=scores, epochs=epochs, patience=patience,
                   lost_in=lost_in, ends=ends)  # fmt: skip


@check(
    "fit_resumes", "as if no connection had been lost",
    {name: f"return.{name}" for name in RESUMED}, lost_connection_cases,
)  # fmt: skip
def resumed(
    x: torch.Tensor, y: torch.Tensor, scores: Sequence[float], epochs: int, patience: int,
    lost_in: Sequence[int], ends: int,
) -> Answers:  # fmt: skip
    """Say what a training run is that nothing disturbs: every epoch once, and all the same."""
    done, best = course(scores, epochs, patience)
    return dict.fromkeys(RESUMED, 1) | {
        "epochs": torch.arange(done, dtype=torch.float64),
        "steps": done * -(-len(x) // 4),
        "best_epoch": best,
    }
