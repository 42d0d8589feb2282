"""Accuracies with their intervals."""

from collections.abc import Callable, Mapping

from autograder.notebook.plots.figure import COLOURS, figure, for_people


@for_people
def accuracies(
    right: Mapping[str, tuple[int, int]], interval: Callable[[int, int], tuple[float, float]]
) -> None:
    """Draw accuracies from (right, total) by name, each with its interval, the first on top."""
    with figure(7, 0.7 + 0.45 * len(right)) as axes:
        for row, (correct, total) in enumerate(right.values()):
            low, high = interval(correct, total)
            axes.plot([100 * low, 100 * high], [row, row], color=COLOURS[0], lw=3, alpha=0.5)
            axes.plot(100 * correct / total, row, "o", color=COLOURS[0])
        axes.set(
            xlabel="right answers on the test images [%], with 95 % intervals", ylabel="classifier"
        )
        axes.set_yticks(range(len(right)), list(right))
        axes.set_ylim(len(right) - 0.5, -0.5)
        axes.grid(axis="x", alpha=0.3)
