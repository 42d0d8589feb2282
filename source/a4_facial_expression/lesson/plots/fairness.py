"""What accuracy hides: a confusion matrix in numbers, and what fairness to rare classes costs."""

from collections.abc import Mapping, Sequence

import torch

from autograder.notebook.plots import COLOURS, figure, for_people


@for_people
def confusion_matrix(shares: torch.Tensor, classes: Sequence[str]) -> None:
    """Draw shares (C, C) of each true class (a row) by predicted class (a column), in per cent."""
    percent = 100 * shares.double()
    with figure(6.4, 5.2) as axes:
        picture = axes.imshow(percent.numpy(), vmin=0, vmax=100, cmap="Blues")
        for true, row in enumerate(percent.tolist()):
            for predicted, value in enumerate(row):
                colour = "white" if value > 55 else "black"
                axes.text(predicted, true, f"{value:.0f}", ha="center", va="center", color=colour)
        axes.set(xlabel="predicted class", ylabel="true class")
        axes.set_xticks(range(len(classes)), classes, rotation=40, ha="right")
        axes.set_yticks(range(len(classes)), classes)
        axes.figure.colorbar(picture, label="share of the true class [%]")


@for_people
def prior_adjustment(
    taus: Sequence[float], scores: Mapping[str, Sequence[float]], chosen: float
) -> None:
    """Draw scores from 0 to 1 by name against tau; a dotted line marks the one that was chosen."""
    with figure(6.4, 3.6) as axes:
        for (name, values), colour in zip(scores.items(), COLOURS, strict=True):
            axes.plot(taus, [100 * value for value in values], ".-", color=colour, label=name)
        axes.axvline(chosen, color="grey", ls=":", label=f"chosen: τ = {chosen:g}")
        axes.set(xlabel="τ, strength of the adjustment", ylabel="on the validation faces [%]")
        axes.set_ylim(0, 100)
        axes.legend(fontsize=9)
        axes.grid(alpha=0.3)
