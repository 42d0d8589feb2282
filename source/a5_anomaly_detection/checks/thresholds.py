"""A threshold that keeps a promise: the rate of false alarms among good images."""

from collections.abc import Iterator

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import FLOAT32, Tolerance

A_SCORE = Tolerance(rtol=1e-9, atol=1e-12)  # one of those that came in, and no other


def score_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield scores and a rate. rate * N is far from a whole number, or exactly whole."""
    for name, about, scores, rate in (
        ("images", "37 images, 3.7 of them may", rng.gamma(5, 2, 37), 0.1),
        ("exact", "12 images, 3 of them may", 10 + rng.randn(12), 0.25),
        ("few", "26 images, 0.26 of them may", rng.randn(26), 0.01),
        ("never", "19 images, none of them may", rng.randn(19) - 4, 0.0),
        ("most", "15 images, 13.5 of them may", rng.randn(15), 0.9),
        ("ties", "40 images, 8.4 of them may; five values",
         rng.permutation(np.repeat([1.5, 2.0, 4.0, 4.5, 7.0], [17, 8, 5, 6, 4])), 0.21),
        ("ties_above", "31 images, 4.65 of them may; the six largest are equal",
         rng.permutation([*rng.rand(25), *[3.25] * 6]), 0.15),
        ("single", "a single image", rng.randn(1), 0.3),
    ):  # fmt: skip
        yield case(name, about, scores=torch.tensor(scores), rate=rate)
    scores = torch.tensor(rng.gamma(5, 2, 53)).float()
    about = "53 images in float32, 3.18 of them may"
    yield case("float32", about, scores=scores, rate=0.06, tolerance=FLOAT32)


@check(
    "false_alarm_values", "threshold for a rate of false alarms", {"threshold": "return"},
    score_cases, tolerance=A_SCORE, pure=True,
)  # fmt: skip
def tried(scores: torch.Tensor, rate: float) -> Answers:
    """Try every score as a threshold."""
    every = scores.tolist()
    kept = [t for t in every if sum(score > t for score in every) <= rate * len(every)]
    return {"threshold": min(kept)}
