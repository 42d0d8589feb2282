"""How sure an accuracy is: `wilson_interval(correct, total, z)`."""

from collections.abc import Iterator

import numpy as np

from autograder.authoring.checks import Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance

RATES = Tolerance(rtol=1e-5, atol=1e-6)  # torch.tensor(57 / 66) is float32


def count_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield how many are right of how many."""
    N = int(rng.randint(80, 900))
    k = int(rng.randint(N // 3, N))
    for name, correct, total, z in (
        ("report", 57, 66, 1.96), ("other", 59, 66, 1.96), ("none", 0, 12, 1.96),
        ("all", 17, 17, 1.96), ("one", 1, 1, 1.96), ("drawn", k, N, 1.96),
        ("narrow", k, N, 1.0), ("large", 9_400, 10_000, 2.5758),
    ):  # fmt: skip
        about = f"{correct} of {total}, z = {z}"
        yield case(name, about, correct=correct, total=total, z=z)


@check(
    "wilson", "Wilson interval, low and high", {"interval": "return"}, count_cases, tolerance=RATES
)
def wilson(correct: int, total: int, z: float) -> dict[str, np.ndarray]:
    """Solve (k/n - p)² = z² p (1 - p) / n for p: the two roots are the ends."""
    rate = correct / total
    coefficients = [1 + z**2 / total, -(2 * rate + z**2 / total), rate**2]
    return {"interval": np.sort(np.roots(coefficients)).real.clip(0, 1)}
