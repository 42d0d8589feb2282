"""Scores of images, and thresholds."""

from collections.abc import Mapping

import torch

from autograder.notebook.plots import COLOURS, figure, for_people


@for_people
def score_strips(groups: Mapping[str, torch.Tensor], thresholds: Mapping[str, float]) -> None:
    """Draw the scores (n,) of each group of images as dots in a row, and thresholds as lines."""
    with figure(8.4, 0.9 + 0.55 * len(groups)) as axes:
        for place, (name, scores) in enumerate(groups.items()):
            height = place + torch.linspace(-0.3, 0.3, 7).repeat(len(scores) // 7 + 1)
            colour = COLOURS["defective" in name]
            axes.plot(scores.tolist(), height[: len(scores)].tolist(), ".", color=colour, alpha=0.6)
        for style, (name, value) in zip(("--", ":"), thresholds.items(), strict=False):
            axes.axvline(value, color="black", ls=style, lw=1, label=name)
        axes.set(xlabel="score of an image", ylabel="images")
        axes.set_yticks(range(len(groups)), list(groups))
        axes.invert_yaxis()
        axes.legend(fontsize=8)
