"""Training that resumes."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check

RESUMED = (
    "epochs", "steps", "same_parameters", "same_statistics", "same_scores",
    "same_random_numbers", "best_epoch", "same_scaler", "refuses_code",
)  # fmt: skip


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
