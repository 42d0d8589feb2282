"""The probe that was handed in: its accuracy on images that nobody has seen."""

from collections.abc import Iterator

from autograder.authoring.checks import Draws, Sketch, case, check
from autograder.notebook.cases import Level
from data_scripts.synthetic import objects

LEVELS = Level("pass", 0.36, 0.5), Level("good", 0.44, 0.8), Level("excellent", 0.50, 1.0)


def probe_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield images (N, 3, 32, 32) that are in no data set."""
    seed, N = (rng.number, 150) if rng.public else (rng.number + 77_000, 400)
    images, labels = objects.draw(10, N, seed=1_000 + seed)["test"]
    about = f"{N} new drawn images"
    yield case("drawn", about, levels=LEVELS, answer={"labels": labels.long()}, images=images)


probe_predictions = check(
    "probe_predictions", "accuracy of the probe that you handed in", {"labels": "return"},
    probe_cases, criterion="accuracy",
)  # fmt: skip
