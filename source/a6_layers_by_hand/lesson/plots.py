"""What the formulas say: positions of a kernel, and how Adam comes near to Adagrad."""

from collections.abc import Sequence

from autograder.notebook.plots import COLOURS, figure, for_people


@for_people
def kernel_places(
    size: int, kernel: int, padding: int, stride: int, dilation: int, places: int
) -> None:
    """Draw the taps of a kernel at each of its positions along a padded axis, a row for each."""
    first, last = -padding, size + padding - 1
    with figure(7, 1.3 + 0.35 * places) as axes:
        for low, high in ((first, 0), (size, last + 1)):
            axes.axvspan(low - 0.5, high - 0.5, color="0.85", lw=0)
        for place in range(places):
            taps = [first + place * stride + dilation * tap for tap in range(kernel)]
            axes.plot(taps, [place] * kernel, "-o", color=COLOURS[0], ms=9, lw=1)
        axes.set(xlabel="cell of the input (grey: padding)", ylabel="cell of the output")
        end = max(last, first + (places - 1) * stride + dilation * (kernel - 1))
        axes.set(xlim=(first - 0.5, end + 0.5), ylim=(places - 0.5, -0.5))
        axes.axvline(last + 0.5, color="black", lw=2)
        axes.set_xticks(range(first, end + 1))
        axes.set_yticks(range(places))
        axes.grid(axis="x", alpha=0.3)


@for_people
def adagrad_gap(distances: Sequence[float], gaps: Sequence[float]) -> None:
    """Draw the gap between Adam and Adagrad by 1 - beta2, on logarithmic axes.

    The dashed line is in proportion to 1 - beta2, through the third gap.
    """
    with figure(6.5, 3.8) as axes:
        guide = [gaps[2] * distance / distances[2] for distance in distances]
        axes.loglog(distances, guide, "--", color=COLOURS[1], label="proportional to 1 − β₂")
        axes.loglog(distances, gaps, "o", color=COLOURS[0], label="Adam and Adagrad")
        axes.set(xlabel="1 − β₂", ylabel="largest difference of the iterates")
        axes.legend()
